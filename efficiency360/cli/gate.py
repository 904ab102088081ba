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
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.options import EXIT_CODES, read_scorecard  # noqa: PLC0415
    from efficiency360.judge import judge  # noqa: PLC0415
    from efficiency360.render.terminal import show_verdict  # noqa: PLC0415
    from efficiency360.spec import load_audit  # noqa: PLC0415

    card = read_scorecard(scorecard)
    name = (
        card.audit.file.removeprefix("audits/").removesuffix(".toml")
        if card.audit.file.startswith("audits/")
        else card.audit.file
    )
    judgement = judge(load_audit(audit or name), card.axes)
    show_verdict(judgement.verdict, Console())
    return EXIT_CODES[judgement.verdict.outcome]
