"""Deletion and insertion curves: the transparency axis's table -> a chart for each of the two."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from efficiency360.render.charts.cells import share
from efficiency360.render.charts.scales import WHOLE
from efficiency360.render.charts.theme import GUESS, Frame, Spec, chart, key, layer, level, look, upright
from efficiency360.render.charts.theme import SERIES as LOOKS
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Cell, Series

SERIES: Final = "transparency.curves"
KINDS: Final = ("deletion", "insertion")
RANDOM: Final = "random"
_X = "changed"
_FRAME = Frame(230.0, left=34.0, right=14.0, width=400.0)
_LETTERS = 24


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
    """One chart, in percent; `words` are all the page's."""
    said = words["transparency"]
    looks = [GUESS if line.method == RANDOM else look(index) for index, line in enumerate(panel.lines)]
    names = [said["random"] if one.method == RANDOM else one.method.replace("_", " ") for one in panel.lines]
    entries = [(middle(name, _LETTERS), one) for name, one in zip(names, looks, strict=True)]
    top = 4.0 if panel.kind == "deletion" else _FRAME.down + 2 - 15 * len(entries)
    return chart(
        [
            *(layer("line", _rows(panel, line), "line", **one) for line, one in zip(panel.lines, looks, strict=True)),
            *key(entries, _FRAME.across - 4, top),
        ],
        _FRAME,
        x=level("changed", said["x"], WHOLE, _FRAME),
        y=upright("probability", f"{said[panel.kind]}{words['colon']}{said['y']}", WHOLE, _FRAME),
    )


def _rows(panel: Panel, line: Line) -> list[dict[str, Any]]:
    return [
        {"changed": 100 * changed, "probability": 100 * share}
        for changed, share in zip(panel.changed, line.shares, strict=True)
    ]
