"""Deletion and insertion curves: the axis's table -> lines in two panels; geometry only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from efficiency360.render.scatter import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Cell, Series

SERIES: Final = "transparency.curves"
PANELS: Final = ("deletion", "insertion")
RANDOM: Final = "random"
_X = "changed"
WIDTH, HEIGHT = 320.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 310.0, 22.0, 168.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Line:
    """A curve: its method, its path, and the number of its colour (None: random order)."""

    method: str
    path: str
    colour: int | None


@dataclass(frozen=True)
class Panel:
    """One of the two kinds, with a line for each method."""

    kind: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Faith:
    """The figure; both panels share their scales and their methods."""

    title: str
    panels: tuple[Panel, ...]
    x: Scale
    y: Scale
    width: float = WIDTH
    height: float = HEIGHT


def faith(series: Series) -> Faith | None:
    """Lay out the figure; None where the table holds no such curves."""
    x = Scale(0.0, 1.0, _LEFT, _RIGHT, _TICKS)
    y = Scale(0.0, 1.0, _BOTTOM, _TOP, _TICKS)
    across = _shares(series.columns.get(_X, []))
    if across is None or len(across) < 2 or any(one >= other for one, other in pairwise(across)):  # noqa: PLR2004
        return None
    panels = []
    for kind in PANELS:
        found = _columns(series.columns, f"{kind}_")
        if found is None:
            return None
        methods = [name for name in found if name != RANDOM]
        colours = {name: index for index, name in enumerate(methods)}
        lines = [
            Line(name, _path([(x.at(a), y.at(b)) for a, b in zip(across, found[name], strict=True)]), colours.get(name))
            for name in (*methods, *([RANDOM] if RANDOM in found else []))
        ]
        panels.append(Panel(kind, tuple(lines)))
    same = {tuple(line.method for line in panel.lines) for panel in panels}
    return Faith(series.title, tuple(panels), x, y) if len(same) == 1 and panels[0].lines else None


def _columns(columns: Mapping[str, list[Cell]], prefix: str) -> dict[str, list[float]] | None:
    """The columns of one kind by method; None where one of them is none."""
    found = {name.removeprefix(prefix): _shares(cells) for name, cells in columns.items() if name.startswith(prefix)}
    whole = {name: shares for name, shares in found.items() if shares is not None}
    return whole if len(whole) == len(found) else None


def _shares(cells: list[Cell]) -> list[float] | None:
    """A column of proportions; None where it is another."""
    numbers = [float(cell) for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]
    sound = len(numbers) == len(cells) and all(math.isfinite(number) and 0 <= number <= 1 for number in numbers)
    return numbers if sound else None


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.4g} {y:.4g}" for x, y in points)
