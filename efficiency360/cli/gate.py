"""`e360 gate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = "Examples:\n\ne360 gate result/scorecard.json\n\ne360 gate result/ --audit audits/release.toml"


def command(
    scorecard: Annotated[
        Path, typer.Argument(metavar="SCORECARD", help="scorecard.json, or the folder that holds it.")
    ],
    audit: Annotated[
        str | None, typer.Option(help="Judge by this audit file instead of the one that the scorecard names.")
    ] = None,
) -> int:
    """Judge a scorecard again, without the model: 0 pass, 1 fail, 2 bad input, 3 could not judge."""
    from efficiency360.cli.console import Screen  # noqa: PLC0415 - keeps --help fast
    from efficiency360.cli.options import EXIT_CODES  # noqa: PLC0415
    from efficiency360.judge import judge  # noqa: PLC0415
    from efficiency360.render.terminal import show_verdict  # noqa: PLC0415
    from efficiency360.scorecards import read_scorecard  # noqa: PLC0415
    from efficiency360.spec import load_audit  # noqa: PLC0415

    card = read_scorecard(scorecard)
    spec = load_audit(audit or card.audit.file)
    if audit is None and spec.record.fingerprint != card.audit.fingerprint:
        typer.echo(
            f"note: the audit '{spec.file}' is not what the scorecard was made with (edited, or --set)", err=True
        )
    judgement = judge(spec, card.axes)
    show_verdict(judgement.verdict, Screen())
    return EXIT_CODES[judgement.verdict.outcome]
