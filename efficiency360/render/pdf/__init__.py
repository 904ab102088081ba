"""The report as a PDF: the page in one language, prepared for WeasyPrint, which lays it out and fetches nothing."""

from __future__ import annotations

import contextlib
import gc
import logging
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.render import html
from efficiency360.render.wording import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.records import Scorecard
    from efficiency360.render.figures import Figures
    from efficiency360.render.wording import Language

_BREAKS = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError)
"""What WeasyPrint raises where a layout is too much for it, such as columns that go on over the end of a page."""

_NO_LETTERS = {
    "ja": "--format pdf --lang ja: no font on this machine has Japanese letters; install one"
    " (Debian and Ubuntu: apt-get install fonts-noto-cjk), or use html"
}

_PLAIN = "*, tr, figure, li { break-inside: auto !important; break-after: auto !important; float: none !important }"


def check() -> None:
    """See that a PDF can be made here, before anything is computed for it.

    Raises:
        InputError: WeasyPrint is not installed, or lacks the libraries of the system that it needs.
    """
    try:
        import weasyprint  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise InputError("--format pdf needs WeasyPrint: pip install 'efficiency360[pdf]'") from None
    except OSError as error:
        raise InputError(
            "--format pdf: WeasyPrint does not find Pango, which the system has to bring"
            f" (Debian and Ubuntu: apt-get install libpango-1.0-0 libpangoft2-1.0-0): {error}"
        ) from None


def check_letters(language: Language) -> None:
    """See that the fonts of this machine have the letters of a language, rather than print boxes.

    Raises:
        InputError: they do not.
    """
    if language == "en":
        return
    from weasyprint import HTML  # noqa: PLC0415 - an extra

    logger, heard = logging.getLogger("weasyprint"), _Heard()
    before = logger.level, logger.propagate
    logger.addHandler(heard)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        HTML(string=f"<p>{words('pdf', language)['more_rows']}</p>").write_pdf()
    finally:
        logger.removeHandler(heard)
        logger.level, logger.propagate = before
    if any(".notdef" in one for one in heard.said):
        raise InputError(_NO_LETTERS[language])


class _Heard(logging.Handler):
    """Keeps what is logged; WeasyPrint names there each letter that no font has."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def render(card: Scorecard, figures: Figures | None = None, language: Language = "en") -> bytes:
    """The report as a PDF of A4 pages; the same scorecard, figures and fonts give the same bytes.

    Args:
        card: the scorecard.
        figures: what `figures.read` took from the evidence beside it.
        language: `en` or `ja`; the page holds this one only.

    Raises:
        InputError: as `check`; no font has the letters of the language; or the page cannot be laid out.
    """
    check()
    check_letters(language)
    return printed(html.render(card, figures, language=language), language)


def printed(page: str, language: str = "en") -> bytes:
    """A page of ours as a PDF.

    Raises:
        InputError: it cannot be laid out.
    """
    with _quiet(), _uncollected():
        try:
            return _laid_out(page, language, plainly=False)
        except _BREAKS:  # a second try, as plain as it gets
            try:
                return _laid_out(page, language, plainly=True)
            except _BREAKS as error:
                why = f"{type(error).__name__} {error}".strip()
                raise InputError(f"--format pdf: WeasyPrint cannot lay this report out ({why}); use html") from error


def _laid_out(page: str, language: str, *, plainly: bool) -> bytes:
    from weasyprint import CSS, HTML  # noqa: PLC0415 - an extra, and a third of a second
    from weasyprint.urls import URLFetcher  # noqa: PLC0415

    from efficiency360.render.pdf.prepare import prepare  # noqa: PLC0415

    document = HTML(string=page, url_fetcher=URLFetcher(allowed_protocols={"data"}))
    document.wrapper_element = prepare(document.etree_element, words("pdf", language), plainly=plainly)
    looks = files("efficiency360.render").joinpath("templates", "pdf.css").read_text(encoding="utf-8")
    if plainly:
        looks += _PLAIN
    made: Any = document.write_pdf(stylesheets=[CSS(string=looks)], optimize_images=False, pdf_tags=True)
    return bytes(made)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what WeasyPrint says about rules of the style sheet that are for screens."""
    loggers = [logging.getLogger(name) for name in ("weasyprint", "fontTools", "fontTools.subset")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Put off collecting garbage: a layout needs what it makes until its end, and looking through it takes a fifth."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
