"""`e360 compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.render.compare import View

EXAMPLES = (
    "Examples:\n\n"
    "e360 compare old-result/ new-result/\n\n"
    "On this machine, in turns: e360 compare --interleaved old.pt new.pt --arch timm:resnet18 --input 3x224x224"
)
_PAGE = Path("e360-out/comparison.html")
_FEWEST = 2


def command(
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="SCORECARD",
            help="Scorecards or the folders that hold them, the reference first. With --interleaved: model files.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help=f"Page to write [default: {_PAGE}]. Interleaved: folder to keep all turns in.")
    ] = None,
    interleaved: Annotated[
        bool, typer.Option("--interleaved", help="Time the subjects on this machine, in turns, so that drift cancels.")
    ] = False,
    arch: Annotated[
        list[str] | None,
        typer.Option(help="Interleaved: architecture of bare weights, one for all or one each, - for none."),
    ] = None,
    input_: Annotated[str | None, typer.Option("--input", help="Interleaved: input shape, such as 3x224x224.")] = None,
    manifest: Annotated[
        list[Path] | None, typer.Option(help="Interleaved: manifest, one for all or one each, - for none.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Interleaved: processor threads [default: all].")] = None,
    seconds: Annotated[float | None, typer.Option(help="Interleaved: how long to time each [default: 8].")] = None,
    device: Annotated[str | None, typer.Option(help="Interleaved: auto, cpu, cuda, ... [default: auto].")] = None,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Interleaved: allow files whose loading can run code.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Interleaved: refuse to run where the isolation is not complete.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Interleaved: seed of the order of turns [default: 0].")] = None,
) -> int:
    """Set audited models side by side, with the differences from the first and what sampling leaves open of them."""
    given = {
        "--arch": arch,
        "--input": input_,
        "--manifest": manifest,
        "--threads": threads,
        "--seconds": seconds,
        "--device": device,
        "--trust-code": trust_code,
        "--strict": strict,
        "--seed": seed,
    }
    if not interleaved:
        return _from_scorecards([Path(subject) for subject in subjects], out or _PAGE, given)
    from efficiency360.cli.interleaved import run  # noqa: PLC0415 - keeps --help fast
    from efficiency360.subject.request import parse_input  # noqa: PLC0415

    return run(
        subjects,
        arch=arch or [],
        input=parse_input(input_) if input_ else None,
        manifest=manifest or [],
        threads=threads,
        seconds=seconds,
        device=device or "auto",
        trust_code=trust_code,
        strict=strict,
        seed=seed or 0,
        out=out,
    )


def _from_scorecards(paths: Sequence[Path], out: Path, given: Mapping[str, object]) -> int:
    from efficiency360.cli.console import Screen  # noqa: PLC0415 - keeps --help fast
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.render import compare, compare_text  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415

    if wrong := next((option for option, value in given.items() if value is not None and value is not False), None):
        raise InputError(f"{wrong} is for timing models: add --interleaved, or leave it out to compare scorecards")
    files = _files(paths)
    if out.resolve() in files:
        raise InputError(f"--out {out} would overwrite a scorecard; name another file")
    view = _view(paths, [file.parent for file in files])
    write_atomic(out, compare.render(view).encode())
    console = Screen()
    compare_text.show(view, console)
    console.print(plain(f"comparison: {out}"), markup=False, highlight=False, soft_wrap=True)
    return 0


def _view(paths: Sequence[Path], folders: Sequence[Path]) -> View:
    """What scorecards in these folders come to, side by side.

    Raises:
        InputError: one of them cannot be read.
    """
    from efficiency360.audited import read_audited  # noqa: PLC0415
    from efficiency360.engine.gate import with_defaults  # noqa: PLC0415
    from efficiency360.judge import comparing, pareto  # noqa: PLC0415
    from efficiency360.render import compare  # noqa: PLC0415
    from efficiency360.render import pareto as figures  # noqa: PLC0415

    cards, audits = zip(*(read_audited(path) for path in paths), strict=True)
    table = comparing.tabulate([with_defaults(audit) for audit in audits])
    picked = [line for column in compare.HEADLINES if (line := table.pick(column))]
    plots = pareto.plots(table.sides, figures.qualities(table), figures.costs(table))
    return compare.arrange(cards, folders, table, picked, plots)


def _files(paths: Sequence[Path]) -> list[Path]:
    """The scorecards' real files.

    Raises:
        InputError: fewer than two, or one twice.
    """
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.scorecards import scorecard_file  # noqa: PLC0415

    if len(paths) < _FEWEST:
        raise InputError("only one scorecard to compare; give at least two, the reference first")
    files = [scorecard_file(path).resolve() for path in paths]
    for index, file in enumerate(files):
        if file in files[:index]:
            raise InputError(f"{paths[index]} is given twice; give each audit once")
    return files
