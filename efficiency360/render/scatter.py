"""What models are good for against what they cost: measurements -> places in a figure; geometry only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.records import Measurement

WIDTH, HEIGHT = 480.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 470.0, 26.0, 258.0
_TICKS = 5
_STEPS = (1.0, 2.0, 5.0, 10.0)
_NARROWEST = 1.0
_LETTER, _LINE, _GAP, _DOT = 6.6, 13.0, 4.0, 6.0
_NEAR = 60.0
"""Within which, across, a label above or below a cross might be taken for that of another."""
_OUTSIDE, _COVERED, _CROSSED = 100.0, 10.0, 1.0
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Box:
    """A rectangle of the figure; y points down."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def within(self, other: Box) -> bool:
        """Whether this lies wholly inside the other."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom


PLOT = Box(LEFT, TOP, RIGHT, BOTTOM)
Corner = Literal["top", "bottom"]
_CORNERS: dict[Corner, Box] = {
    "top": Box(LEFT, TOP, LEFT + 170, TOP + 20),
    "bottom": Box(LEFT, BOTTOM - 20, LEFT + 170, BOTTOM),
}
"""The best corner, where the template says which way is better."""


@dataclass(frozen=True)
class Scale:
    """A straight axis: data from `low` to `high` lies between `start` and `end` of the figure, with round `ticks`."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where a value lies in the figure."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Spot:
    """A model to draw: what it costs, from 0 up; what it is good for, as a proportion; its name's length, and lines."""

    cost: Measurement
    quality: Measurement
    letters: int
    lines: int = 1


@dataclass(frozen=True)
class Label:
    """Where a spot's text stands: the baseline of its first line, and which side of it is fixed."""

    x: float
    y: float
    anchor: Anchor
    box: Box = field(repr=False)


@dataclass(frozen=True)
class Point:
    """A drawn spot: the dot, the ends of its intervals (None: it has none), and its label.

    Spots on one place share a label, that of the first: `texts` are the indices of the spots that it names, each with
    the baseline of its first line; the others have none.
    """

    x: float
    y: float
    across: tuple[float, float] | None
    down: tuple[float, float] | None
    label: Label
    texts: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Scatter:
    """The figure: both axes and a point a spot, in the order given. x is in units of the cost, y in percent."""

    x: Scale
    y: Scale
    points: tuple[Point, ...]
    corner: Corner
    plot: Box = PLOT
    width: float = WIDTH
    height: float = HEIGHT


def scatter(spots: Sequence[Spot], unit: float = 1.0, corner: Corner = "top") -> Scatter:
    """Lay out the figure of at least one spot, none with a negative cost.

    Args:
        spots: what to draw.
        unit: how much of the cost is 1 on the axis, such as a million.
        corner: the left corner that is best, which labels spare.
    """
    x = _scale(0.0, max(_ends(spot.cost)[1] for spot in spots) / unit, LEFT, RIGHT)
    shares = [100 * end for spot in spots for end in _ends(spot.quality)]
    y = _scale(min(shares), max(shares), BOTTOM, TOP, most=100.0)
    marks = [_mark(spot, x, y, unit) for spot in spots]
    groups = _groups(marks)
    drawn: dict[int, Point] = {}
    for group, label in zip(groups, _labels(spots, marks, groups, corner), strict=True):
        drawn |= _points(spots, marks, group, label)
    return Scatter(x, y, tuple(drawn[index] for index in range(len(spots))), corner)


def _ends(measurement: Measurement) -> tuple[float, float]:
    """The least and the most that is drawn of a measurement."""
    drawn = [measurement.value]
    if interval := measurement.interval:
        drawn += [interval.low, interval.high]
    return max(0.0, min(drawn)), max(drawn)


def _scale(low: float, high: float, start: float, end: float, most: float = math.inf) -> Scale:
    """An axis in steps of 1, 2 or 5 times a power of ten, that holds low and high and does not pass `most`."""
    if high - low < _NARROWEST and low > 0:
        low, high = max(0.0, low - _NARROWEST), min(most, high + _NARROWEST)
    step = _step((high - low) / _TICKS or _NARROWEST)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(index * step for index in range(first, max(last, first + 1) + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def _step(least: float) -> float:
    """The smallest round number that is not less than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * factor for factor in _STEPS if power * factor >= least), 10 * power)


Mark = tuple[float, float, tuple[float, float] | None, tuple[float, float] | None]


def _mark(spot: Spot, x: Scale, y: Scale, unit: float) -> Mark:
    (left, right), (low, high) = _ends(spot.cost), _ends(spot.quality)
    return (
        x.at(spot.cost.value / unit),
        y.at(100 * spot.quality.value),
        (x.at(left / unit), x.at(right / unit)) if spot.cost.interval else None,
        (y.at(100 * high), y.at(100 * low)) if spot.quality.interval else None,
    )


def _groups(marks: Sequence[Mark]) -> list[list[int]]:
    """The indices of the marks whose dots lie on each other, from the top down; most are alone."""
    groups: list[list[int]] = []
    for index, (x, y, *_) in enumerate(marks):
        near = (group for group in groups if math.hypot(x - marks[group[0]][0], y - marks[group[0]][1]) < _DOT)
        if (group := next(near, None)) is not None:
            group.append(index)
        else:
            groups.append([index])
    return [sorted(group, key=lambda index: marks[index][1]) for group in groups]


def _points(spots: Sequence[Spot], marks: Sequence[Mark], group: Sequence[int], label: Label) -> dict[int, Point]:
    """The points of a group by index; the first carries the text of all."""
    texts, y = [], label.y
    for index in group:
        texts.append((index, y))
        y += _LINE * spots[index].lines
    return {index: Point(*marks[index], label, tuple(texts) if index == group[0] else ()) for index in group}


def _labels(
    spots: Sequence[Spot], marks: Sequence[Mark], groups: Sequence[Sequence[int]], corner: Corner
) -> Iterator[Label]:
    """For each group the first of its possible places that covers least."""
    obstacles = [(_CORNERS[corner], _COVERED), *(obstacle for mark in marks for obstacle in _obstacles(mark))]
    for group in groups:
        size = (
            _LETTER * max(spots[index].letters for index in group),
            _LINE * sum(spots[index].lines for index in group),
        )
        x = marks[group[0]][0]
        beside = any(abs(x - marks[other][0]) < _NEAR for other in range(len(marks)) if other not in group)
        places = sorted(_places(marks[group[0]], size), key=lambda place: beside and place.anchor == "middle")
        label = min(places, key=lambda place: _harm(place.box, obstacles))
        obstacles.append((label.box, _COVERED))
        yield label


def _obstacles(mark: Mark) -> Iterator[tuple[Box, float]]:
    """What a label should not cover, and how bad it would be."""
    x, y, across, down = mark
    yield Box(x - _DOT, y - _DOT, x + _DOT, y + _DOT), _COVERED
    if across:
        yield Box(across[0], y - 1, across[1], y + 1), _CROSSED
    if down:
        yield Box(x - 1, down[0], x + 1, down[1]), _CROSSED


def _harm(box: Box, obstacles: Sequence[tuple[Box, float]]) -> float:
    covered = sum(weight for obstacle, weight in obstacles if box.meets(obstacle))
    return covered + (0.0 if box.within(PLOT) else _OUTSIDE)


def _places(mark: Mark, size: tuple[float, float]) -> Iterator[Label]:
    """Above and below the whole cross, then beside the dot: level with it, its corners, farther up and down."""
    x, y, _, down = mark
    top, bottom = down or (y - _DOT, y + _DOT)
    width, height = size
    middle = min(max(x, LEFT + width / 2 + 1), RIGHT - width / 2 - 1)
    for upper in (top - _GAP - height, bottom + _GAP):
        yield _label(middle, middle - width / 2, upper, "middle", size)
    for upper in (y - height / 2, y - _GAP - height, y + _GAP, y - _GAP - height - _LINE, y + _GAP + _LINE):
        yield _label(x + _DOT + _GAP / 2, x + _DOT + _GAP / 2, upper, "start", size)
        yield _label(x - _DOT - _GAP / 2, x - _DOT - _GAP / 2 - width, upper, "end", size)


def _label(x: float, left: float, upper: float, anchor: Anchor, size: tuple[float, float]) -> Label:
    width, height = size
    return Label(x, upper + 0.78 * _LINE, anchor, Box(left, upper, left + width, upper + height))
