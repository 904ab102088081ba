"""`e360 report`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    "Examples:\n\n"
    "e360 report result/scorecard.json --out report.html\n\n"
    "For a spreadsheet: e360 report result/ --format csv"
)


class Format(StrEnum):
    """What a scorecard is rendered as."""

    HTML = "html"
    CSV = "csv"


_DEFAULT_NAMES = {Format.HTML: "report.html", Format.CSV: "measurements.csv"}


def command(
    scorecard: Annotated[
        Path, typer.Argument(metavar="SCORECARD", help="scorecard.json, or the folder that holds it.")
    ],
    format_: Annotated[
        Format,
        typer.Option("--format", help="html: a page for people; csv: one row a measurement, for spreadsheets."),
    ] = Format.HTML,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write [default: report.html or measurements.csv beside the scorecard]."),
    ] = None,
) -> int:
    """Render a scorecard as a self-contained page, or its measurements as a table; again and byte-identical."""
    from efficiency360.files import write_atomic  # noqa: PLC0415 - keeps --help fast
    from efficiency360.render import csv, html  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415
    from efficiency360.scorecards import read_scorecard  # noqa: PLC0415

    card = read_scorecard(scorecard)
    target = out or (scorecard if scorecard.is_dir() else scorecard.parent) / _DEFAULT_NAMES[format_]
    page = csv.render(card) if format_ is Format.CSV else html.render(card)
    write_atomic(target, page.encode())
    typer.echo(plain(f"{'report' if format_ is Format.HTML else 'measurements'}: {target}"))
    return 0
