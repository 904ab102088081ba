"""The report as it is handed over: one page with both languages, which opens in the one that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.render import html
from efficiency360.render.wording import LANGUAGES

if TYPE_CHECKING:
    from efficiency360.records import Scorecard
    from efficiency360.render.figures import Figures
    from efficiency360.render.wording import Language


def render(card: Scorecard, figures: Figures | None = None, *, language: Language = "en") -> str:
    """The page; see `html.render`."""
    return html.render(card, figures, language=language, languages=LANGUAGES)
