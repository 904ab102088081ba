"""The languages of the report: their prose, and the filters that say what a scorecard says in them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from efficiency360.render import text, wording
from efficiency360.render.translation import Catalogue, catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from efficiency360.business import Business
    from efficiency360.records import Interval, Scorecard
    from efficiency360.render.wording import Language

_BLANKS = str.maketrans("\t\n\r", "   ")
_LONGEST = 10_000
_BRACES = str.maketrans({"{": "{{", "}": "}}"})


def words(language: Language) -> dict[str, Any]:
    """The prose of one language."""
    return wording.words("report", language)


def visible(value: str) -> str:
    """A text without an end cut, and its control and direction-changing characters made visible."""
    return text.plain(text.cut(value, _LONGEST).translate(_BLANKS))


def speech(language: Language, name: str = "texts") -> dict[str, Callable[..., str]]:
    """The filters of a template that turn numbers, names and sentences of a scorecard into a language.

    `say` marks what stayed English; `told` is the same for where there can be no markup. `name` is the catalogue's.
    """
    known = catalogue(language, name)
    if known is None:
        return {
            "say": str,
            "told": str,
            "title": text.title,
            "spread": text.spread,
            "allowed": text.allowed,
            "compared": text.compared,
            "quantity": text.quantity,
            "params": text.params,
        }
    told = partial(plainly, known)
    return {
        "say": partial(_marked, known),
        "told": told,
        "title": lambda name: told(text.title(name)),
        "spread": partial(_spread, told),
        "allowed": lambda rule, unit: told(text.allowed(rule, unit)),
        "compared": lambda rule, unit: told(text.compared(rule, unit)),
        "quantity": lambda value, unit: told(text.quantity(value, unit)),
        "params": lambda *which: told(text.params(*which)),
    }


def plainly(known: Catalogue, said: str) -> str:
    """A text with what the catalogue knows of it translated."""
    return _joined([(piece.text, piece.foreign) for piece in known.pieces(said)])


def translated(card: Scorecard, language: Language) -> Scorecard:
    """A scorecard whose tables have titles in the language, and what its costs lack the reasons."""
    known = catalogue(language)
    if known is None:
        return card
    axes = tuple(
        axis.model_copy(
            update={
                "series": tuple(
                    one.model_copy(update={"title": plainly(known, one.title) or one.title}) for one in axis.series
                )
            }
        )
        for axis in card.axes
    )
    return card.model_copy(update={"axes": axes, "business": card.business and _costs(card.business, known)})


def _costs(found: Business, known: Catalogue) -> Business:
    """What the costs lack, and what is in doubt of them, with reasons in the language."""
    gaps = {
        name: tuple(one.model_copy(update={"why": plainly(known, one.why) or one.why}) for one in getattr(found, name))
        for name in ("missing", "uncompared")
    }
    return found.model_copy(update={**gaps, "doubts": tuple(plainly(known, one) or one for one in found.doubts)})


def _marked(known: Catalogue, said: str) -> Markup:
    """A text with what stayed English marked as such."""
    parts = [
        (Markup('<span lang="en">{}</span>').format(visible(piece.text)), True)
        if piece.foreign
        else (escape(visible(piece.text)), False)
        for piece in known.pieces(said)
    ]
    return Markup(_joined(parts))  # noqa: S704 - escaped above


def _joined(parts: Sequence[tuple[str, bool]]) -> str:
    """Sentences in a row: a blank stands where one of them is English."""
    said = ""
    before = False
    for piece, foreign in parts:
        said += f" {piece}" if said and (foreign or before) else piece
        before = foreign
    return said


def _spread(told: Callable[[str], str], interval: Interval | None, unit: str) -> str:
    """An interval as `83.8～89.7 %`."""
    return told(text.spread(interval, unit))
