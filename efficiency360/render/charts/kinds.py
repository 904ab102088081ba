"""The kinds of charts that templates ask for by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from efficiency360.render import text
from efficiency360.render.charts import (
    corruptions,
    faith,
    groups,
    latency,
    reliability,
    resolution,
    robustness,
    roc,
    scatter,
    tradeoff,
)
from efficiency360.render.charts.svg import CannotDrawError, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from efficiency360.render.charts.theme import Spec

SPECS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Spec | None]]] = {
    "corruptions": corruptions.spec,
    "crossed": groups.crossed,
    "faith": faith.spec,
    "groups": groups.rows,
    "latency": latency.spec,
    "reliability": reliability.spec,
    "resolution": resolution.spec,
    "robustness": robustness.spec,
    "roc": roc.spec,
    "scatter": scatter.spec,
    "tradeoff": tradeoff.spec,
}
"""A spec from what is drawn and the words of the page; None where it is no figure."""
_LONGEST: Final = 200


def chart(  # noqa: PLR0913 - templates name no arguments
    kind: str,
    drawn: object,
    words: Mapping[str, Any],
    name: str,
    description: str,
    *,
    told: Callable[[str], str] = str,
) -> Markup:
    """A chart as SVG, in the language of the words; empty where it is no figure.

    Where charts cannot be drawn at all, a sentence that says which is missing.

    Args:
        kind: a key of `SPECS`.
        drawn: what this kind draws.
        words: all the page's.
        name: what the chart is, for those who cannot see it.
        description: what it says, for them.
        told: says a text of the data, such as the name of a corruption, in the language of the words.
    """
    spec = SPECS[kind](drawn, words)
    if spec is None:
        return Markup()
    try:
        return draw(spec, kind, name, description, partial(_spoken, told))
    except CannotDrawError:
        said = text.plain(words["charts"]["missing"].format(name=text.cut(name, _LONGEST)))
        return Markup('<p class="missing">{}</p>').format(said)


def _spoken(told: Callable[[str], str], said: str) -> str:
    """A text in a language; names that scorecards write with underscores are drawn with blanks."""
    written = said.replace(" ", "_")
    found = told(written)
    return told(said) if found == written else found
