"""`e360 gate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from efficiency360.cli.arguments import Formats, ScorecardPath

EXAMPLES = (
    "Examples:\n\n"
    "e360 gate result/scorecard.json\n\n"
    "e360 gate result/ --audit audits/release.toml --baseline reports/baseline\n\n"
    "Why: e360 gate result/ --audit audits/release.toml --explain accuracy-floor\n\n"
    "In a pipeline: e360 gate result/ --recompute --format junit,sarif,github"
)


def command(
    scorecard: ScorecardPath,
    audit: Annotated[
        str | None, typer.Option(help="Judge by this audit file instead of the one that the scorecard names.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Scorecard or folder to compare with; 'none' for a first release [default: as the audit says]."
        ),
    ] = None,
    recompute: Annotated[
        bool | None,
        typer.Option(
            "--recompute/--no-recompute",
            help="Measure again from the evidence [default: where it is there]; with --recompute it must all be there.",
        ),
    ] = None,
    explain: Annotated[str | None, typer.Option(metavar="RULE", help="Tell how this rule came out, in words.")] = None,
    format_: Formats = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for what --format writes [default: the scorecard's].")
    ] = None,
) -> int:
    """Judge a scorecard again, without the model: 0 pass, 1 fail, 2 bad input, 3 could not judge."""
    from efficiency360.cli.console import Screen  # noqa: PLC0415 - keeps --help fast
    from efficiency360.cli.options import EXIT_CODES, parse_formats  # noqa: PLC0415
    from efficiency360.cli.outputs import unheard, write_outputs  # noqa: PLC0415
    from efficiency360.engine.gate import gate  # noqa: PLC0415
    from efficiency360.render.explain import explain as tell  # noqa: PLC0415
    from efficiency360.render.terminal import show_verdict  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415

    formats = parse_formats(format_ or ())
    gated = gate(scorecard, audit=audit, baseline=baseline, again=recompute)
    with unheard(formats):
        for note in gated.notes:
            typer.echo(plain(f"note: {note}"), err=True)
        if explain is None:
            show_verdict(gated.card.verdict, Screen())
        else:
            typer.echo(tell(gated.card, gated.spec, explain))
    folder = scorecard if scorecard.is_dir() else scorecard.parent
    write_outputs(gated.card, gated.spec, formats, out or folder, evidence=folder)
    return EXIT_CODES[gated.card.verdict.outcome]
