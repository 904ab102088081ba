"""Accuracy against the radius of an attack: the axis's table -> places in a figure; geometry only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from efficiency360.radii import levels
from efficiency360.render.scatter import Scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from efficiency360.records import RuleResult, Series

SERIES = "robustness.curve"
JUDGED = "robustness.adversarial_accuracy"
_COLUMNS = ("eps", "accuracy", "low", "high")
WIDTH, HEIGHT = 480.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 462.0, 24.0, 200.0
_APART = 48.0
"""How far apart the labels of radii must be."""
_REACH, _TEXT = 14.0, 110.0
"""How far a limit's line goes beyond its radii, and how much room its text takes."""

Row = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A radius with the accuracy there and its interval, as proportions, and where they lie in the figure."""

    eps: float
    accuracy: float
    low: float
    high: float
    x: float
    y: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Tick:
    """A radius named below the figure; `levels` is n where it is n/255, else None."""

    eps: float
    levels: int | None
    x: float


@dataclass(frozen=True)
class Bound:
    """A limit of rules: a level line at the radii that they speak of, from `left` to `right`, and where its text is.

    The text follows the line where there is room, since curves fall; else it ends above the line's end.
    """

    rule: RuleResult
    left: float
    right: float
    y: float

    @property
    def follows(self) -> bool:
        """Whether the text stands to the right of the line, not above its end."""
        return self.right + _TEXT < _RIGHT


@dataclass(frozen=True)
class Curve:
    """The figure; the first point is at radius 0, the clean images."""

    title: str
    points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    bounds: tuple[Bound, ...]
    x: Scale
    y: Scale
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def line(self) -> str:
        """The path through all points."""
        return "M" + "L".join(f"{_at(point.x)} {_at(point.y)}" for point in self.points)

    @property
    def band(self) -> str:
        """The outline of all intervals."""
        upper = [f"{_at(point.x)} {_at(point.top)}" for point in self.points]
        lower = [f"{_at(point.x)} {_at(point.bottom)}" for point in reversed(self.points)]
        return f"M{'L'.join(upper + lower)}Z"


def curve(series: Series, results: Iterable[RuleResult]) -> Curve | None:
    """Lay out the figure; None where the table holds no curve, such as text or radii that do not grow from 0.

    Args:
        series: the axis's table, see `SERIES`.
        results: of all rules; the limits on `JUDGED` are drawn.
    """
    rows = _rows(series)
    if rows is None:
        return None
    x = Scale(0.0, rows[-1][0], _LEFT, _RIGHT, ())
    y = Scale(0.0, 1.0, _BOTTOM, _TOP, (0.0, 0.25, 0.5, 0.75, 1.0))
    points = tuple(Point(*row, x.at(row[0]), y.at(row[1]), y.at(row[2]), y.at(row[3])) for row in rows)
    return Curve(series.title, points, _ticks(points), tuple(_bounds(results, x, y)), x, y)


def _rows(series: Series) -> list[Row] | None:
    columns = [series.columns.get(name, []) for name in _COLUMNS]
    rows: list[Row] = []
    for cells in zip(*columns, strict=False):
        numbers = [float(cell) for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]
        if len(numbers) < len(_COLUMNS) or not all(map(math.isfinite, numbers)):
            return None
        eps, accuracy, low, high = numbers
        rows.append((eps, accuracy, low, high))
    grows = all(first[0] < second[0] for first, second in pairwise(rows))
    sound = all(0 <= low <= share <= high <= 1 for _, share, low, high in rows)
    return rows if len(rows) > 1 and rows[0][0] == 0 and grows and sound else None


def _ticks(points: Sequence[Point]) -> tuple[Tick, ...]:
    """The first and the last radius, and of those between them as many as have room."""
    first, last = points[0], points[-1]
    shown = [first]
    for point in points[1:-1]:
        if point.x - shown[-1].x >= _APART and last.x - point.x >= _APART:
            shown.append(point)
    return tuple(Tick(point.eps, levels(point.eps), point.x) for point in (*shown, last))


def _bounds(results: Iterable[RuleResult], x: Scale, y: Scale) -> Iterator[Bound]:
    """One line for a limit, however many radii it holds for."""
    found: dict[tuple[str, float], list[tuple[float, RuleResult]]] = {}
    for rule in results:
        eps = rule.params.get("eps")
        fits = rule.measurement == JUDGED and rule.bound != "no_worse_than_baseline" and 0 <= rule.limit <= 1
        if fits and isinstance(eps, int | float) and not isinstance(eps, bool) and 0 <= eps <= x.high:
            found.setdefault((rule.bound, rule.limit), []).append((float(eps), rule))
    for (_, limit), same in sorted(found.items()):
        radii = [eps for eps, _ in same]
        left, right = max(x.start, x.at(min(radii)) - _REACH), min(x.end, x.at(max(radii)) + _REACH)
        yield Bound(same[0][1], left, right, y.at(limit))


def _at(value: float) -> str:
    return f"{value:.4g}"
