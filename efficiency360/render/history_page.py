"""A history as a page of its own: a figure and a table a number, offline, without scripts.

Its figures are drawn here rather than by `charts`: there are hundreds of them, each a few dots, and the engine of the
charts would take some 40 ms for each.

Its words are in `templates/history.<language>.toml`; where things stand in a figure is decided here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from efficiency360.render import html, text
from efficiency360.render.charts.scales import step
from efficiency360.render.language import speech, visible
from efficiency360.render.naming import told_of
from efficiency360.render.timeline import arrange
from efficiency360.render.translation import catalogue
from efficiency360.render.wording import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.judge.history import History
    from efficiency360.render.timeline import Spot, Strip, Teller
    from efficiency360.render.wording import Language

WIDTH, HEIGHT = 640, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 12, 14, 24
_AIR = 0.08
_TICKS, _LABELS = 4, 16


@dataclass(frozen=True)
class Tick:
    """A place on an axis and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A release in a figure: its dot at (x, y), y None where there is no number; its interval from `low` to `high`.

    `line` is where a line comes from, None where none may; `between` is where a break stands, None where there is none.
    """

    spot: Spot
    x: float
    y: float | None = None
    low: float | None = None
    high: float | None = None
    line: tuple[float, float] | None = None
    between: float | None = None


@dataclass(frozen=True)
class Figure:
    """A number over time, as places in a drawing of WIDTH x HEIGHT."""

    strip: Strip
    marks: tuple[Mark, ...]
    levels: tuple[Tick, ...]
    releases: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def render(history: History, language: Language = "en") -> str:
    """The page; the same history gives the same bytes. Everything in it is taken to be hostile.

    Args:
        history: the releases and their trends.
        language: `en` or `ja`.
    """
    said = words("history", language)
    view = arrange(history, said, _teller(language))
    figures = {block.axis: [figure(strip) for strip in block.strips] for block in view.blocks}
    return html.fill("history.html.j2", language, h=said, view=view, figures=figures, width=WIDTH, height=HEIGHT)


def _teller(language: Language) -> Teller:
    """Reasons in a language: the catalogue has words for `here` and `the baseline`, for which the names are put in."""
    known = catalogue(language)
    if known is None:
        return told_of
    say = speech(language)["say"]
    here, there = (known.whole(place) or place for place in ("here", "the baseline"))
    places = re.compile(f"{re.escape(here)}|{re.escape(there)}")

    def tell(reason: str, names: Sequence[str], reference: str) -> str:
        said = say(reason)
        if said == _foreign(reason):
            return _foreign(told_of(reason, names, reference))
        named = {here: ", ".join(names), there: reference}
        return Markup(places.sub(lambda match: escape(visible(named[match[0]])), said))  # noqa: S704 - escaped

    return tell


def _foreign(said: str) -> Markup:
    return Markup('<span lang="en">{}</span>').format(visible(said))


def figure(strip: Strip) -> Figure:
    """Where the numbers of a strip stand."""
    ends = [end for spot in strip.spots for end in (spot.low, spot.value, spot.high) if end is not None]
    low, high = _widened(min(ends, default=0.0), max(ends, default=1.0))
    wide = (WIDTH - _LEFT - _RIGHT) / max(1, len(strip.spots))

    def up(value: float | None) -> float | None:
        return None if value is None else HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    places = [(_LEFT + wide * (index + 0.5), up(spot.value)) for index, spot in enumerate(strip.spots)]
    marks = tuple(
        Mark(
            spot,
            x,
            y,
            up(spot.low),
            up(spot.high),
            line=_from(places, index) if spot.joined else None,
            between=x - wide / 2 if spot.note else None,
        )
        for index, (spot, (x, y)) in enumerate(zip(strip.spots, places, strict=True))
    )
    levels = tuple(Tick(up(value) or 0.0, text.quantity(value, strip.unit)) for value in _nice(low, high))
    every = math.ceil(len(places) / _LABELS)
    releases = tuple(Tick(x, str(index + 1)) for index, (x, _) in enumerate(places) if index % every == 0)
    return Figure(strip, marks, levels, releases)


def _from(places: Sequence[tuple[float, float | None]], index: int) -> tuple[float, float] | None:
    x, y = places[index - 1]
    return None if y is None else (x, y)


def _widened(low: float, high: float) -> tuple[float, float]:
    """A range with some air around it; around a single number as much as it takes to have one."""
    air = _AIR * (high - low) or 0.05 * abs(high) or 0.5
    return low - air, high + air


def _nice(low: float, high: float) -> Iterator[float]:
    """A few round numbers within a range."""
    apart = step((high - low) / _TICKS)
    yield from (round(index * apart, 12) for index in range(math.ceil(low / apart), math.floor(high / apart) + 1))
