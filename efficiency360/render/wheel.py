"""The 360-degree wheel: scores -> sectors of a circle. Geometry only; how a sector looks is the template's part.

Unlike the charts it is no Vega-Lite spec: a failed axis is cross-hatched and one without a score hatched, so that they
differ without colour, and Vega-Lite has arcs but no patterns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

HUB = 22.0
RIM = 100.0
_LABEL = 107.0
_LINE = 8.0
_GAP_DEGREES = 1.6
_CENTRED = 0.2


@dataclass(frozen=True)
class Sector:
    """One axis of the wheel, in units of an SVG whose origin is the hub and whose y points down.

    `track` is the outline from hub to rim, `fill` the part that the score fills (None: no score, or a score of 0);
    `x`, `y` is the baseline of the first of two lines of label, `anchor` which side of them touches the wheel.
    """

    track: str
    fill: str | None
    x: str
    y: str
    anchor: Literal["start", "middle", "end"]


def wheel(scores: Sequence[float | None]) -> tuple[Sector, ...]:
    """Equal sectors clockwise from the top, each filled from the hub outwards in proportion to its score.

    Args:
        scores: 0-100 an axis; None where there is no score.
    """
    return tuple(_sector(score, index, len(scores)) for index, score in enumerate(scores))


def radius(score: float) -> float:
    """Where a score of 0-100 lies between hub and rim."""
    return HUB + (RIM - HUB) * score / 100


def _sector(score: float | None, index: int, count: int) -> Sector:
    width = 360 / count
    middle = index * width - 90
    start, end = middle - width / 2 + _GAP_DEGREES / 2, middle + width / 2 - _GAP_DEGREES / 2
    across, down = _direction(middle)
    return Sector(
        track=_wedge(start, end, RIM),
        fill=_wedge(start, end, radius(score)) if score else None,
        x=_number(_LABEL * across),
        y=_number(_LABEL * down + _LINE * (down - 0.5)),
        anchor="middle" if abs(across) < _CENTRED else "start" if across > 0 else "end",
    )


def _wedge(start: float, end: float, outer: float) -> str:
    """The path of a ring's piece between two angles in degrees, from the hub to radius `outer`."""
    large = int(end - start > 180)  # noqa: PLR2004 - SVG wants to know whether the arc is more than half a circle
    return (
        f"M{_point(HUB, start)}L{_point(outer, start)}"
        f"A{_number(outer)} {_number(outer)} 0 {large} 1 {_point(outer, end)}"
        f"L{_point(HUB, end)}A{_number(HUB)} {_number(HUB)} 0 {large} 0 {_point(HUB, start)}Z"
    )


def _point(distance: float, degrees: float) -> str:
    across, down = _direction(degrees)
    return f"{_number(distance * across)} {_number(distance * down)}"


def _direction(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _number(value: float) -> str:
    """Two decimals, without trailing zeros and without a negative zero."""
    return f"{round(value, 2) + 0.0:g}"
