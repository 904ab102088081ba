"""Arguments and options that several commands share, as typer reads them; nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ScorecardPath = Annotated[
    Path, typer.Argument(metavar="SCORECARD", help="scorecard.json, or the folder that holds it.")
]
Lang = Annotated[str, typer.Option("--lang", metavar="en|ja", help="Language that the report opens in.")]
Images = Annotated[
    bool | None,
    typer.Option(
        "--images/--no-images",
        help="Show images in the report, or none [default: all but of data with groups, or of the training].",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="NAMES",
        help="Also write junit, sarif, csv, pdf, badge ... (see e360 list), or speak to github. Commas, or repeat.",
    ),
]
