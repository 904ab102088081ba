"""`e360 report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from efficiency360.cli.arguments import Images, Lang, ScorecardPath

if TYPE_CHECKING:
    from efficiency360.render.wording import Language

EXAMPLES = (
    "Examples:\n\n"
    "e360 report result/scorecard.json --out report.html\n\n"
    "For a spreadsheet: e360 report result/ --format csv\n\n"
    "On paper: e360 report result/ --format pdf\n\n"
    "For the Hugging Face hub: e360 report result/ --format model-card --out README.md\n\n"
    "Of a search, in Japanese: e360 report e360-out/search-constraints/ --lang ja"
)


def command(
    scorecard: ScorecardPath,
    format_: Annotated[
        str,
        typer.Option(
            "--format", help="html, pdf, csv, junit, sarif, markdown, model-card, badge or json (see e360 list)."
        ),
    ] = "html",
    lang: Lang = "en",
    images: Images = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write [default: beside the scorecard, such as report.html or junit.xml]."),
    ] = None,
) -> int:
    """Render a scorecard in a format, as a self-contained page for example; again and byte-identical.

    Of a search (its folder, or search.json in it) there is a page.
    """
    from efficiency360.cli.options import parse_language  # noqa: PLC0415 - keeps --help fast
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.render import figures  # noqa: PLC0415
    from efficiency360.render.formats import content, find  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415
    from efficiency360.scorecards import read_scorecard, scorecard_file  # noqa: PLC0415
    from efficiency360.searched import search_file  # noqa: PLC0415

    kind = find(format_)
    kind.check()
    language = parse_language(lang)
    if (searched := search_file(scorecard)) is not None:
        return _search(searched, out, format_, language)
    card = read_scorecard(scorecard)
    target = out or (scorecard if scorecard.is_dir() else scorecard.parent) / kind.file
    shown = figures.read(card, scorecard_file(scorecard).parent, images=images) if kind.pictures else None
    write_atomic(target, content(format_, kind, card, shown, language))
    typer.echo(plain(f"{kind.file.partition('.')[0]}: {target}"))
    return 0


def _search(file: Path, out: Path | None, format_: str, language: Language) -> int:
    """Render what a search found.

    Raises:
        InputError: there is no such format of it, or the file is none.
    """
    from jinja2 import TemplateError  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.search import page  # noqa: PLC0415
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415
    from efficiency360.searched import read_searched  # noqa: PLC0415

    if format_ != "html":
        raise InputError(f"--format {format_}: of a search there is html only")
    result, target = read_searched(file), out or file.parent / "report.html"
    try:
        told = page(result, language)
    except (LookupError, ArithmeticError, ValueError, TemplateError) as error:
        raise InputError(f"{file}: its parts do not belong together ({error}); search again") from error
    write_atomic(target, told.encode())
    typer.echo(plain(f"report: {target}"))
    return 0
