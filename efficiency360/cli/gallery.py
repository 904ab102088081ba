"""`e360 gallery`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from efficiency360.records import Scorecard

EXAMPLES = "Example:\n\ne360 gallery reports/"


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds a folder for each audit to show.")],
) -> int:
    """Write FOLDER/index.html, the front page of the reports kept in its subfolders."""
    from efficiency360.files import write_atomic  # noqa: PLC0415 - keeps --help fast
    from efficiency360.render import gallery  # noqa: PLC0415

    cards = _cards(folder)
    write_atomic(folder / "index.html", gallery.render(cards).encode())
    for name in cards:
        if not (folder / name / "report.html").is_file():
            typer.echo(f"note: {folder / name} has no report.html yet; e360 report {folder / name} writes it", err=True)
    typer.echo(f"gallery: {folder / 'index.html'}")
    return 0


def _cards(folder: Path) -> dict[str, Scorecard]:
    """The scorecards in a folder's subfolders, by the subfolders' names.

    Raises:
        InputError: there is no such folder, it holds no scorecard, or a scorecard in it cannot be read.
    """
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.scorecards import read_scorecard  # noqa: PLC0415

    if not folder.is_dir():
        wrong = "not a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {wrong}; give the one that holds the audits' folders")
    found = sorted(path.parent for path in folder.glob("*/scorecard.json"))
    if not found:
        raise InputError(f"no folder in {folder} holds a scorecard.json; give the one that holds the audits' folders")
    return {path.name: read_scorecard(path) for path in found}
