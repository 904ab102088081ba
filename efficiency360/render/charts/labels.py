"""Where the names of dots stand in a figure, so that they cover as little as possible; places in units of the plot."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE = 13.0
"""How high a line of text is."""
_LETTER, _GAP, _DOT = 6.4, 4.0, 6.0
_NEAR = 60.0
"""Within which, across, a label above or below a cross might be taken for that of another."""
_OUTSIDE, _COVERED, _CROSSED = 100.0, 10.0, 1.0
Anchor = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Box:
    """A rectangle; y points down."""

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


@dataclass(frozen=True)
class Mark:
    """A dot with the ends of its intervals (None: it has none), and the lines of text beside it."""

    x: float
    y: float
    across: tuple[float, float] | None
    down: tuple[float, float] | None
    text: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """Where the text of a group of marks on one place stands: which side of it is fixed, and at which x.

    `texts` are the indices of the marks, each with the baseline of its first line.
    """

    x: float
    anchor: Anchor
    box: Box = field(repr=False)
    texts: tuple[tuple[int, float], ...] = ()


def place(marks: Sequence[Mark], plot: Box, spared: Box) -> list[Label]:
    """A label for each group of marks that lie on each other, where it covers least.

    Args:
        marks: dots, their intervals and texts.
        plot: what labels must not leave.
        spared: what they should not cover.
    """
    groups = _groups(marks)
    obstacles = [(spared, _COVERED), *(obstacle for mark in marks for obstacle in _obstacles(mark))]
    labels = []
    for group in groups:
        texts = [marks[index].text for index in group]
        size = _LETTER * max(len(line) for text in texts for line in text), LINE * sum(map(len, texts))
        first = marks[group[0]]
        beside = any(abs(first.x - marks[other].x) < _NEAR for other in range(len(marks)) if other not in group)
        places = sorted(_places(first, size, plot), key=lambda place: beside and place.anchor == "center")
        best = min(places, key=lambda place: _harm(place.box, obstacles, plot))
        obstacles.append((best.box, _COVERED))
        labels.append(Label(best.x, best.anchor, best.box, tuple(_baselines(marks, group, best.box.top))))
    return labels


def _baselines(marks: Sequence[Mark], group: Sequence[int], top: float) -> Iterator[tuple[int, float]]:
    y = top + 0.78 * LINE
    for index in group:
        yield index, y
        y += LINE * len(marks[index].text)


def _groups(marks: Sequence[Mark]) -> list[list[int]]:
    """The indices of the marks whose dots lie on each other, from the top down; most are alone."""
    groups: list[list[int]] = []
    for index, mark in enumerate(marks):
        near = (group for group in groups if math.hypot(mark.x - marks[group[0]].x, mark.y - marks[group[0]].y) < _DOT)
        if (group := next(near, None)) is not None:
            group.append(index)
        else:
            groups.append([index])
    return [sorted(group, key=lambda index: marks[index].y) for group in groups]


def _obstacles(mark: Mark) -> Iterator[tuple[Box, float]]:
    """What a label should not cover, and how bad it would be."""
    yield Box(mark.x - _DOT, mark.y - _DOT, mark.x + _DOT, mark.y + _DOT), _COVERED
    if mark.across:
        yield Box(mark.across[0], mark.y - 1, mark.across[1], mark.y + 1), _CROSSED
    if mark.down:
        yield Box(mark.x - 1, mark.down[0], mark.x + 1, mark.down[1]), _CROSSED


def _harm(box: Box, obstacles: Sequence[tuple[Box, float]], plot: Box) -> float:
    covered = sum(weight for obstacle, weight in obstacles if box.meets(obstacle))
    return covered + (0.0 if box.within(plot) else _OUTSIDE)


def _places(mark: Mark, size: tuple[float, float], plot: Box) -> Iterator[Label]:
    """Above and below the whole cross, then beside the dot: level with it, its corners, farther up and down."""
    x, y = mark.x, mark.y
    top, bottom = mark.down or (y - _DOT, y + _DOT)
    width, height = size
    middle = min(max(x, plot.left + width / 2 + 1), plot.right - width / 2 - 1)
    for upper in (top - _GAP - height, bottom + _GAP):
        yield _label(middle, middle - width / 2, upper, "center", size)
    for upper in (y - height / 2, y - _GAP - height, y + _GAP, y - _GAP - height - LINE, y + _GAP + LINE):
        yield _label(x + _DOT + _GAP / 2, x + _DOT + _GAP / 2, upper, "left", size)
        yield _label(x - _DOT - _GAP / 2, x - _DOT - _GAP / 2 - width, upper, "right", size)


def _label(x: float, left: float, upper: float, anchor: Anchor, size: tuple[float, float]) -> Label:
    width, height = size
    return Label(x, anchor, Box(left, upper, left + width, upper + height))
