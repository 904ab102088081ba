"""`e360 report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = "Example:\n\ne360 report result/scorecard.json --out report.html"


def command(
    scorecard: Annotated[
        Path, typer.Argument(metavar="SCORECARD", help="scorecard.json, or the folder that holds it.")
    ],
    out: Annotated[Path | None, typer.Option(help="HTML file [default: report.html beside the scorecard].")] = None,
) -> int:
    """Render a scorecard as a self-contained page, again and byte-identical."""
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.render import html  # noqa: PLC0415
    from efficiency360.scorecards import read_scorecard  # noqa: PLC0415 - keeps --help fast

    card = read_scorecard(scorecard)
    target = out or (scorecard if scorecard.is_dir() else scorecard.parent) / "report.html"
    write_atomic(target, html.render(card).encode())
    typer.echo(f"report: {target}")
    return 0
