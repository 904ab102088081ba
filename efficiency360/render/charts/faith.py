"""Deletion and insertion curves: the transparency axis's table -> a chart for each of the two."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from efficiency360.render.charts.cells import share
from efficiency360.render.charts.theme import COLOURS, SERIES as LOOKS, Spec, across, chart, field, layer, upright
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.records import Cell, Series

SERIES: Final = "transparency.curves"
KINDS: Final = ("deletion", "insertion")
RANDOM: Final = "random"
_X = "changed"
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 100.0, 26.0, 44.0
WIDTH, HEIGHT = 420.0, 230.0
_ACROSS, _DOWN = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
_APART = 12.0
_LETTERS = 20
_TICKS = (0, 25, 50, 75, 100)


@dataclass(frozen=True)
class Line:
    """A curve: its method and a probability for each share that was changed, as proportions."""

    method: str
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """One of the two kinds, with a line for each method; random order comes last."""

    kind: str
    changed: tuple[float, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Faith:
    """Both charts."""

    panels: tuple[Panel, ...]


def read(series: Series) -> Faith | None:
    """What can be drawn; None where the table holds no such curves, or too many."""
    changed = _shares(series.columns.get(_X, []))
    if changed is None or len(changed) < 2 or any(one >= other for one, other in pairwise(changed)):  # noqa: PLR2004
        return None
    panels = []
    for kind in KINDS:
        found = _columns(series.columns, f"{kind}_")
        if not found:
            return None
        methods = sorted(found, key=lambda name: name == RANDOM)
        panels.append(Panel(kind, changed, tuple(Line(name, found[name]) for name in methods)))
    same = {tuple(line.method for line in panel.lines) for panel in panels}
    return Faith(tuple(panels)) if len(same) == 1 and len(panels[0].lines) <= len(LOOKS) + 1 else None


def _columns(columns: Mapping[str, list[Cell]], prefix: str) -> dict[str, tuple[float, ...]]:
    """The columns of one kind by method; none where one of them is none."""
    found = {name.removeprefix(prefix): _shares(cells) for name, cells in columns.items() if name.startswith(prefix)}
    whole = {name: shares for name, shares in found.items() if shares is not None}
    return whole if len(whole) == len(found) else {}


def _shares(cells: list[Cell]) -> tuple[float, ...] | None:
    """A column of proportions; None where it is another."""
    found = tuple(one for one in map(share, cells) if one is not None)
    return found if len(found) == len(cells) else None


def spec(panel: Panel, words: Mapping[str, Any]) -> Spec:
    """One chart, in percent, each line with its name behind its end; `words` are all the page's."""
    said = words["transparency"]
    looks = [_look(index, line.method) for index, line in enumerate(panel.lines)]
    names = [said["random"] if one.method == RANDOM else one.method.replace("_", " ") for one in panel.lines]
    heights = _apart([_DOWN * (1 - line.shares[-1]) for line in panel.lines])
    return chart(
        [
            *(layer("line", _rows(panel, line), "line", **look) for line, look in zip(panel.lines, looks, strict=True)),
            *(
                layer("direct", [{"text": middle(name, _LETTERS)}], "text", _beside(y), align="left", color=look["color"])
                for name, y, look in zip(names, heights, looks, strict=True)
            ),
        ],
        HEIGHT,
        width=WIDTH,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        x=across("changed", said["x"], (0, 100), _TICKS, end=_ACROSS),
        y=upright("probability", f"{said[panel.kind]}: {said['y']}", (0, 100), _TICKS, _LEFT),
    )  # fmt: skip


def _rows(panel: Panel, line: Line) -> list[dict[str, Any]]:
    return [
        {"changed": 100 * changed, "probability": 100 * share}
        for changed, share in zip(panel.changed, line.shares, strict=True)
    ]


def _beside(y: float) -> Spec:
    return {"x": {"value": _ACROSS + 6}, "y": {"value": y}, "text": field("text", "nominal")}


def _look(index: int, method: str) -> dict[str, Any]:
    if method == RANDOM:
        return {"color": COLOURS["quiet"], "strokeDash": [1, 3], "strokeWidth": 1.4}
    role, dashes = LOOKS[index]
    return {"color": COLOURS[role]} | ({"strokeDash": list(dashes)} if dashes else {})


def _apart(heights: Sequence[float]) -> list[float]:
    """The heights, moved so that text at them does not touch: up from the bottom of the plot."""
    found = list(heights)
    last = _DOWN + _APART
    for index in sorted(range(len(found)), key=lambda index: -heights[index]):
        found[index] = last = min(found[index], last - _APART)
    return found
