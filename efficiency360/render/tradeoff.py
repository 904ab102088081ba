"""Accuracy against epsilon: the axis's table -> places in a figure; geometry only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from efficiency360.render.scatter import Scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.records import Cell, Series

SERIES = "privacy.tradeoff"
WIDTH, HEIGHT = 480.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 380.0, 24.0, 200.0
_WITHOUT = 425.0
"""Where the training without privacy stands, apart from all epsilons."""
_PARTS = {0.0: 4, 0.25: 3, 0.5: 5, 0.75: 5}
"""Into how many round parts the axis of accuracy falls, by where it starts."""
_APART = 26.0
"""How far apart the labels of epsilons must be."""


@dataclass(frozen=True)
class Point:
    """An accuracy with its interval, and where they lie in the figure; `epsilon` is None without privacy."""

    epsilon: float | None
    accuracy: float
    low: float
    high: float
    x: float
    y: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Tradeoff:
    """The figure: private trainings by epsilon on a log axis, and beside them the training without privacy."""

    title: str
    points: tuple[Point, ...]
    without: Point
    named: tuple[Point, ...]
    y: Scale
    left: float = _LEFT
    right: float = _RIGHT
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def line(self) -> str:
        """The path through the private trainings."""
        return "M" + "L".join(f"{point.x:.4g} {point.y:.4g}" for point in self.points)


def tradeoff(series: Series) -> Tradeoff | None:
    """Lay out the figure; None where the table holds none: text, or epsilons that do not grow from above 0."""
    columns = [series.columns.get(name, []) for name in ("epsilon", "accuracy", "low", "high")]
    rows = list(zip(*columns, strict=False))
    if len(rows) < 2 or rows[-1][0] is not None:  # noqa: PLR2004 - one with privacy, one without
        return None
    numbers = [_numbers(row) for row in rows[:-1]]
    last = _numbers((1.0, *rows[-1][1:]))
    found = [row for row in numbers if row is not None]
    if last is None or len(found) < len(numbers) or not _sound(found, last):
        return None
    y = _scale([*found, last])
    low, high = math.log(found[0][0]), math.log(found[-1][0])
    span = max(high - low, 1e-9)
    places = [_LEFT + 20 + (_RIGHT - _LEFT - 40) * (math.log(row[0]) - low) / span for row in found]
    points = tuple(_point(row, row[0], x, y) for row, x in zip(found, places, strict=True))
    return Tradeoff(series.title, points, _point(last, None, _WITHOUT, y), _named(points), y)


Row = tuple[float, float, float, float]


def _numbers(row: Sequence[Cell]) -> Row | None:
    found = [float(cell) for cell in row if isinstance(cell, int | float) and not isinstance(cell, bool)]
    if len(found) < len(row) or not all(map(math.isfinite, found)):
        return None
    epsilon, accuracy, low, high = found
    return epsilon, accuracy, low, high


def _sound(rows: Sequence[Row], last: Row) -> bool:
    grows = all(0 < first[0] < second[0] for first, second in pairwise(rows)) and rows[0][0] > 0
    return grows and all(0 <= low <= share <= high <= 1 for _, share, low, high in (*rows, last))


def _scale(rows: Sequence[Row]) -> Scale:
    """From the whole quarter below all intervals up to 1: differences show, and the scale says where it starts."""
    start = min(0.75, math.floor(4 * min(row[2] for row in rows)) / 4)
    parts = _PARTS[start]
    ticks = tuple(start + (1 - start) * part / parts for part in range(parts + 1))
    return Scale(start, 1.0, _BOTTOM, _TOP, ticks)


def _point(row: Row, epsilon: float | None, x: float, y: Scale) -> Point:
    return Point(epsilon, *row[1:], x, y.at(row[1]), y.at(row[2]), y.at(row[3]))


def _named(points: Sequence[Point]) -> tuple[Point, ...]:
    """The epsilons that are named below the axis: the first, and what has room after it."""
    named = [points[0]]
    for point in points[1:]:
        if point.x - named[-1].x >= _APART:
            named.append(point)
    return tuple(named)
