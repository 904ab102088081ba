"""`e360 audit`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from efficiency360.cli.arguments import Formats, Images, Lang

if TYPE_CHECKING:
    from efficiency360.errors import ExitCode
    from efficiency360.render.wording import Language

EXAMPLES = (
    "Examples:\n\n"
    "e360 audit weights.pt --arch timm:resnet50 --data val/\n\n"
    "e360 audit timm:mobilenetv3_large_100 --axes cost\n\n"
    "e360 audit model.safetensors --data faces/ --audit release --out result/\n\n"
    "e360 audit model.safetensors --data faces/ --group race,age_group\n\n"
    "e360 audit scripted.pt --trust-code --data val/ --input 3x224x224\n\n"
    "On the small machine: e360 audit weights.pt --arch zoo:mine --audit edge-camera --axes cost,speed --out edge/\n\n"
    "Where the data is: e360 audit weights.pt --arch zoo:mine --audit edge-camera --data parts/ --with edge/"
)


def command(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="A model file or folder, or an architecture such as timm:resnet50.")
    ],
    data: Annotated[
        str | None,
        typer.Option(help="Class folders, a folder with metadata.csv, an .npz, or 'digits'."),
    ] = None,
    audit: Annotated[str, typer.Option(help="Audit file: a shipped name (see e360 list) or a path.")] = "quick",
    axes: Annotated[str | None, typer.Option(help="Only these axes, comma-separated.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="AXIS.KEY=VALUE", help="Override a setting. Repeatable.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Columns of the data whose groups fairness compares, comma-separated."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Audit to compare with, for rules that do; 'none' for a first release."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Output folder [default: e360-out/SUBJECT].")] = None,
    arch: Annotated[
        str | None,
        typer.Option(help="timm:NAME, torchvision:NAME, zoo:NAME or path/to/file.py:factory."),
    ] = None,
    remap: Annotated[str | None, typer.Option(help="'order': map weights by position where names differ.")] = None,
    key: Annotated[str | None, typer.Option(help="Which of several networks in a checkpoint.")] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="TOML with arch, preprocessing, class names [default: beside the file]."),
    ] = None,
    input_: Annotated[str | None, typer.Option("--input", help="Input size, such as 3x224x224.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many images, a seeded sample.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Processor threads [default: all].")] = None,
    seed: Annotated[int, typer.Option(help="Seed of sampling and resampling.")] = 0,
    budget: Annotated[str | None, typer.Option(help="Time for the whole audit: 90s, 10m, 2h [default: 24h].")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Reuse evidence of this very audit in --out.")] = False,
    with_: Annotated[
        Path | None,
        typer.Option("--with", metavar="DIR", help="Take over what another audit of this model observed elsewhere."),
    ] = None,
    trust_code: Annotated[
        bool,
        typer.Option("--trust-code", help="Open files that can run code of their own, such as pickled models."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse to run where a layer of the model's isolation is missing.")
    ] = False,
    images: Images = None,
    lang: Lang = "en",
    format_: Formats = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, in about how many minutes and how much memory.")
    ] = False,
) -> int:
    """Measure a model, judge it, and write scorecard.json and report.html."""
    from efficiency360.cli.options import (  # noqa: PLC0415 - keeps --help fast
        parse_budget,
        parse_formats,
        parse_language,
        parse_settings,
    )
    from efficiency360.subject.request import parse_input  # noqa: PLC0415

    language = parse_language(lang)
    formats = parse_formats(format_ or (), language)
    spoken = partial(run, formats=formats, images=images, language=language)
    return (_foretell if dry_run else spoken)(
        subject,
        out or Path("e360-out") / _slug(subject),
        data=data,
        baseline=baseline,
        audit=audit,
        axes=[axis.strip() for axis in axes.split(",") if axis.strip()] if axes is not None else None,
        settings=parse_settings(set_ or ()),
        groups=group,
        arch=arch,
        remap=remap,
        key=key,
        manifest=manifest,
        input=parse_input(input_) if input_ else None,
        limit=limit,
        device=device,
        threads=threads,
        seed=seed,
        budget=parse_budget(budget) if budget else None,
        resume=resume,
        evidence=with_,
        trust_code=trust_code,
        strict=strict,
    )


def run(
    subject: str,
    out: Path,
    *,
    formats: Sequence[str] = (),
    images: bool | None = None,
    language: Language = "en",
    **options: Any,
) -> ExitCode:
    """Audit with progress on standard error and the scorecard on standard output; returns the exit code."""
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.console import Screen  # noqa: PLC0415
    from efficiency360.cli.options import EXIT_CODES  # noqa: PLC0415
    from efficiency360.cli.outputs import unheard, write_outputs  # noqa: PLC0415
    from efficiency360.cli.progress import Live  # noqa: PLC0415
    from efficiency360.engine.api import audit  # noqa: PLC0415
    from efficiency360.errors import UndecidedError  # noqa: PLC0415
    from efficiency360.render.terminal import show  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415
    from efficiency360.spec import load_audit  # noqa: PLC0415

    with unheard(formats):
        try:
            with Live(Console(stderr=True)) as reporter:
                card = audit(subject, out=out, reporter=reporter, images=images, lang=language, **options)
        except KeyboardInterrupt:
            raise UndecidedError(f"interrupted; finished axes are in {out}, go on from them with --resume") from None
        console = Screen()
        show(card, console)
        console.print(plain(f"report: {out / 'report.html'}"), markup=False, highlight=False, soft_wrap=True)
    write_outputs(card, load_audit(options["audit"]), formats, out, images=images, language=language)
    return EXIT_CODES[card.verdict.outcome]


def _foretell(subject: str, out: Path, **options: Any) -> ExitCode:
    """Show what an audit would do; nothing is measured, so nothing passes."""
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.console import Screen  # noqa: PLC0415
    from efficiency360.cli.foresight import show  # noqa: PLC0415
    from efficiency360.cli.progress import Live  # noqa: PLC0415
    from efficiency360.engine.api import forecast  # noqa: PLC0415
    from efficiency360.errors import ExitCode  # noqa: PLC0415

    with Live(Console(stderr=True)) as reporter:
        reporter.stage(f"Looking at {subject}")
        foreseen = forecast(subject=subject, out=out, reporter=reporter, **options)
    show(foreseen, Screen())
    return ExitCode.UNDECIDED


def _slug(subject: str) -> str:
    name = subject if ":" in subject else Path(subject).name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "subject"
