"""`e360 search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from efficiency360.errors import ExitCode
    from efficiency360.render.wording import Language
    from efficiency360.search.constraints import Constraints
    from efficiency360.searched import Searched

EXAMPLES = (
    "Examples:\n\n"
    "e360 search --example > constraints.toml\n\n"
    "e360 search constraints.toml --data parts/ --profile light\n\n"
    "e360 search constraints.toml --data parts/ --budget 90 --audit edge-camera\n\n"
    "The same command goes on where a search was stopped or killed, and several of them share one --out."
)


def command(
    constraints: Annotated[
        Path | None, typer.Argument(metavar="CONSTRAINTS", help="TOML: what a model must keep to, what may be chosen.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Labelled images, as in e360 audit [default: data in the file].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Output folder; a search in it goes on [default: e360-out/search-NAME].")
    ] = None,
    profile: Annotated[
        str, typer.Option(help="light (ends within 15 minutes), standard (2 h), thorough (12 h).")
    ] = "standard",
    budget: Annotated[
        str | None, typer.Option(metavar="MINUTES", help="Time for this run: 12, 90s, 2h [default: the profile's].")
    ] = None,
    candidates: Annotated[int | None, typer.Option(help="End once so many have been looked at.")] = None,
    strategy: Annotated[
        str, typer.Option(help="inquisitor, or to compare: unguided (no feedback), evolution, random.")
    ] = "inquisitor",
    audit: Annotated[str | None, typer.Option(help="Audit each model of the front with this audit file.")] = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads of training [default: all].")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and proposals.")] = 0,
    lang: Annotated[str, typer.Option("--lang", metavar="en|ja", help="Language of the report.")] = "en",
    example: Annotated[bool, typer.Option("--example", help="Print a constraints file to begin with.")] = False,
) -> int:
    """Search for transformers that keep to limits measured on this machine, train them on your images, explain them."""
    from efficiency360.errors import InputError  # noqa: PLC0415 - keeps --help fast

    if example:
        typer.echo(_shipped("example.toml"), nl=False)
        return 0
    if constraints is None:
        raise InputError("give a constraints file; e360 search --example prints one to begin with")
    from efficiency360.cli.options import parse_budget, parse_language  # noqa: PLC0415
    from efficiency360.dataset.formats import SHIPPED  # noqa: PLC0415
    from efficiency360.search.constraints import load_constraints  # noqa: PLC0415
    from efficiency360.search.profiles import profile as named  # noqa: PLC0415

    language = parse_language(lang)
    chosen = named(profile)
    read = chosen.applied(load_constraints(constraints))
    source = data or read.data
    if read.data and not data and read.data not in SHIPPED:
        source = str(constraints.parent / read.data)
    if source is None:
        raise InputError("no images: give --data, or data in the constraints file")
    return _run(
        read,
        source,
        out or Path("e360-out") / f"search-{constraints.stem}",
        seconds=parse_budget(budget) if budget else chosen.seconds,
        most=candidates,
        strategy=strategy,
        audit=audit,
        threads=threads,
        seed=seed,
        language=language,
    )


def _run(
    constraints: Constraints,
    data: str,
    out: Path,
    *,
    seconds: float,
    most: int | None,
    strategy: str,
    audit: str | None,
    threads: int | None,
    seed: int,
    language: Language,
) -> ExitCode:
    """Search with progress on standard error; the front goes to standard output."""
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.console import Screen  # noqa: PLC0415
    from efficiency360.cli.searching import Watching, show  # noqa: PLC0415
    from efficiency360.errors import InputError, UndecidedError  # noqa: PLC0415
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.search.api import Wishes, search  # noqa: PLC0415
    from efficiency360.search.strategies import NAMES  # noqa: PLC0415
    from efficiency360.spec import load_audit, suggest  # noqa: PLC0415

    if strategy not in NAMES:
        raise InputError(f"--strategy {strategy!a}: no such strategy{suggest(strategy, NAMES)}")
    if audit is not None:
        load_audit(audit)
    wishes = Wishes(seconds=seconds, most=most, strategy=strategy, seed=seed, threads=threads)
    try:
        with Watching(Console(stderr=True)) as reporter:
            result = search(constraints, data, out, wishes, reporter)
    except KeyboardInterrupt:
        raise UndecidedError(f"interrupted; candidates are kept in {out}, and the same command goes on") from None
    write_atomic(out / "report.html", page(result, language).encode())
    show(result, out, Screen())
    if audit is not None:
        _audit(result, constraints, data, out, audit)
    if not result.front:
        raise UndecidedError(result.nearest)
    from efficiency360.errors import ExitCode  # noqa: PLC0415

    return ExitCode.PASS


def _audit(result: Searched, constraints: Constraints, data: str, out: Path, audit: str) -> None:
    """Audit every model of the front on the images to be judged on; a verdict of one does not stop the others."""
    from efficiency360.cli.audit import run  # noqa: PLC0415 - keeps --help fast
    from efficiency360.search.data import open_images  # noqa: PLC0415

    judged = open_images(data, constraints.training, channels=constraints.channels).judged
    names = {candidate.number: candidate.name for candidate in result.candidates}
    for model in result.front:
        folder = out / "front" / names[model.number]
        run(
            str(folder / "model.safetensors"),
            folder / "audit",
            data=judged,
            audit=audit,
            threads=result.machine.threads,
        )


def page(result: Searched, language: Language) -> str:
    """The report, with what strategies reached on a table of trained models, as benchmarks/search.py found it."""
    import json  # noqa: PLC0415 - keeps --help fast

    from efficiency360.render import search_page  # noqa: PLC0415

    return search_page.render(result, json.loads(_shipped("replay.json")), language)


def _shipped(name: str) -> str:
    from importlib.resources import files  # noqa: PLC0415 - keeps --help fast

    return (files("efficiency360.search") / name).read_text(encoding="utf-8")
