"""Accuracy against epsilon: the axis's table -> private trainings, and the line that training without privacy draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import number, whole
from efficiency360.render.charts.scales import Scale
from efficiency360.render.charts.theme import (
    COLOURS,
    Frame,
    Spec,
    at,
    chart,
    field,
    layer,
    level,
    spread,
    texts,
    upright,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.records import Series

SERIES = "privacy.tradeoff"
_FRAME = Frame(240.0)
_PARTS = {0.0: 4, 0.25: 3, 0.5: 5, 0.75: 5}
"""Into how many round parts the axis of accuracy falls, by where it starts."""
_APART = 26.0
"""How far apart the labels of epsilons must be."""
_AIR = 1.35
_NAMED = 7
_ROOM = 0.1
"""How much of the plot has to be free above the line for its label."""


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
    room = 100 - without["accuracy"] > _ROOM * (100 - 100 * drawn.start)
    ends, band = at(x=0, x2=_FRAME.across), {"y": field("low"), "y2": {"field": "high"}}
    return chart(
        [
            layer("band", [without], "rect", ends | band, color=COLOURS["quiet"], opacity=0.14),
            layer("bound", [without], "rule", ends, color=COLOURS["ink"], strokeDash=[5, 3]),
            spread("spread", rows),
            layer("line", rows, "line"),
            layer("dots", rows, "point"),
            texts("value", named, dx=6, dy=12),
            texts("direct", [without | {"text": label}], at(x=4), dy=-5 if room else 12),
        ],
        _FRAME,
        x=level("epsilon", said["x"], _epsilons(drawn.points), _FRAME),
        y=upright("accuracy", said["y"], _accuracies(drawn.start), _FRAME),
    )


def _percents(one: Point) -> dict[str, float]:
    return {"accuracy": 100 * one.accuracy, "low": 100 * one.low, "high": 100 * one.high}


def _accuracies(start: float) -> Scale:
    parts = _PARTS[start]
    ticks = [round(100 * (start + (1 - start) * part / parts), 6) for part in range(parts + 1)]
    return Scale(100 * start, 100.0, tuple(ticks))


def _epsilons(points: Sequence[Point]) -> Scale:
    """Named are the first epsilon, and those that have room after it."""
    epsilons = [one.epsilon or 1 for one in points]
    low, high = epsilons[0] / _AIR, epsilons[-1] * _AIR
    named = epsilons[:1]
    for epsilon in epsilons[1:]:
        if _FRAME.across * math.log(epsilon / named[-1]) / math.log(high / low) >= _APART:
            named.append(epsilon)
    return Scale(low, high, tuple(named), log=True)
