"""Accuracy against epsilon: the axis's table -> private trainings, and the line that training without privacy draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import number, whole
from efficiency360.render.charts.theme import COLOURS, Spec, across, chart, field, layer, spread, upright

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.records import Series

SERIES = "privacy.tradeoff"
HEIGHT = 240.0
_LEFT, _RIGHT = 40.0, 18.0
_PLOT = 480 - _LEFT - _RIGHT
_PARTS = {0.0: 4, 0.25: 3, 0.5: 5, 0.75: 5}
"""Into how many round parts the axis of accuracy falls, by where it starts."""
_APART = 26.0
"""How far apart the labels of epsilons must be."""
_AIR = 1.35
_NAMED = 7


@dataclass(frozen=True)
class Point:
    """An accuracy with its interval, as proportions; `epsilon` is None without privacy."""

    epsilon: float | None
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Tradeoff:
    """What is drawn: private trainings by growing epsilon, and the training without privacy."""

    points: tuple[Point, ...]
    without: Point

    @property
    def start(self) -> float:
        """The whole quarter below all intervals, where the axis starts: differences show, and the axis says so."""
        return min(0.75, math.floor(4 * min(one.low for one in (*self.points, self.without))) / 4)


def read(series: Series) -> Tradeoff | None:
    """What can be drawn; None where the table holds none: text, or epsilons that do not grow from above 0."""
    columns = [series.columns.get(name, []) for name in ("epsilon", "accuracy", "low", "high")]
    *private, last = zip(*columns, strict=False) if all(columns) else ((),)
    if not private or last[0] is not None:
        return None
    rows = whole([number(cell) for cell in row] for row in (*private, (1.0, *last[1:])))
    if rows is None or not _sound(rows):
        return None
    *points, without = (Point(*row) for row in rows)
    return Tradeoff(tuple(points), Point(None, without.accuracy, without.low, without.high))


def _sound(rows: Sequence[Sequence[float]]) -> bool:
    epsilons = [row[0] for row in rows[:-1]]
    grows = epsilons[0] > 0 and all(first < second for first, second in pairwise(epsilons))
    return grows and all(0 <= low <= share <= high <= 1 for _, share, low, high in rows)


def spec(drawn: Tradeoff, words: Mapping[str, Any]) -> Spec:
    """The chart, in percent, epsilon on a log scale; `words` are all the page's."""
    said = words["tradeoff"]
    rows = [{"epsilon": one.epsilon, **_percents(one)} for one in drawn.points]
    named = [row | {"text": f"{row['accuracy']:.1f}"} for row in rows if len(rows) <= _NAMED]
    without = _percents(drawn.without)
    label = words["charts"]["tradeoff"]["without"].format(accuracy=f"{without['accuracy']:.1f}")
    low, high = (drawn.points[0].epsilon or 1) / _AIR, (drawn.points[-1].epsilon or 1) * _AIR
    ends = {"x": {"value": 0}, "x2": {"value": _PLOT}}
    quiet = COLOURS["quiet"]
    return chart(
        [
            layer("band", [without], "rect", {**ends, "y": field("low"), "y2": {"field": "high"}}, color=quiet, opacity=0.14),
            layer("bound", [without], "rule", ends, color=COLOURS["ink"], strokeDash=[5, 3]),
            spread("spread", rows),
            layer("line", rows, "line"),
            layer("dots", rows, "point"),
            layer("value", named, "text", {"text": field("text", "nominal")}, align="left", dx=6, dy=8),
            layer("direct", [without | {"text": label}], "text", {"x": {"value": 4}, "text": field("text", "nominal")}, align="left", baseline="alphabetic", dy=-5),
        ],
        HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        x=across("epsilon", said["x"], (low, high), _named(drawn.points, high / low), end=_PLOT, scale=_log(low, high)),
        y=upright("accuracy", said["y"], (100 * drawn.start, 100), _ticks(drawn.start)),
    )  # fmt: skip


def _percents(one: Point) -> dict[str, float]:
    return {"accuracy": 100 * one.accuracy, "low": 100 * one.low, "high": 100 * one.high}


def _log(low: float, high: float) -> Spec:
    return {"type": "log", "domain": [low, high], "nice": False}


def _ticks(start: float) -> list[float]:
    parts = _PARTS[start]
    return [round(100 * (start + (1 - start) * part / parts), 6) for part in range(parts + 1)]


def _named(points: Sequence[Point], reach: float) -> list[float]:
    """The epsilons that are named below the axis: the first, and what has room after it."""
    epsilons = [one.epsilon or 1 for one in points]
    named = epsilons[:1]
    for epsilon in epsilons[1:]:
        if _PLOT * math.log(epsilon / named[-1]) / math.log(reach) >= _APART:
            named.append(epsilon)
    return named
