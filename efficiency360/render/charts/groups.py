"""Accuracy by group: a row with dot, interval and limits for each group, and a heat map for each intersection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.heat import Shaded, drawable, grid, shade
from efficiency360.render.charts.scales import Scale, rounded
from efficiency360.render.charts.theme import (
    COLOURS,
    TICK,
    Frame,
    Layer,
    Rows,
    Spec,
    at,
    chart,
    field,
    layer,
    level,
    spread,
    texts,
)
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.render.groups import Group, Map, Panel

_LEFT, _RIGHT, _TOP, _BOTTOM = 140.0, 112.0, 6.0, 40.0
_LINE = 21.0
_LETTERS = 22


def rows(panel: Panel, words: Mapping[str, Any]) -> Spec:
    """The groups of an attribute, in percent and in their order; `words` are all the page's.

    The worst has a diamond and a bold name; those that are too small to be judged are hollow and grey.
    """
    said = words["charts"]["groups"]
    found = [_row(index, one, said) for index, one in enumerate(panel.groups)]
    small, worst = [row for row in found if not row["judged"]], [row for row in found if row["worst"]]
    usual = [row for row in found if row["judged"] and not row["worst"]]
    frame = Frame(_TOP + _LINE * len(found) + _BOTTOM, _LEFT, _RIGHT, _TOP, _BOTTOM)
    grey = COLOURS["quiet"]
    upright = {"y": field("from"), "y2": {"field": "to"}}
    return chart(
        [
            spread("spread", [*usual, *worst], "x", strokeWidth=2, opacity=0.6),
            spread("spread", small, "x", color=grey, strokeDash=[2, 2]),
            layer("bound", list(_limits(panel)), "rule", upright, color=COLOURS["ink"], strokeWidth=1.4),
            layer("dots", usual, "point", size=48),
            layer("dots", worst, "point", size=84, shape="diamond"),
            layer("hollow", small, "point", size=40, color=COLOURS["paper"], stroke=grey, strokeWidth=1.4),
            *_names(usual, frame),
            *_names(worst, frame, fontWeight=600),
            *_names(small, frame, color=grey),
        ],
        frame,
        x=level("accuracy", said["x"], _scale(panel), frame, grid=True, domain=False, ticks=False),
        y=field("row", scale={"domain": [len(found) - 0.5, -0.5], "nice": False, "zero": False}, axis=None),
    )


def _scale(panel: Panel) -> Scale:
    low, high = panel.scale
    return rounded(100 * low, 100 * high, most=100.0)


def _row(index: int, one: Group, words: Mapping[str, str]) -> dict[str, Any]:
    shares = {"accuracy": 100 * one.accuracy, "low": 100 * one.low, "high": 100 * one.high}
    said = {
        "group": middle(one.name, _LETTERS),
        "n": words["n"].format(n=f"{one.n:,}"),
        "text": f"{100 * one.accuracy:.1f}",
    }
    return {"row": index, **shares, **said, "judged": one.judged, "worst": one.worst}


def _limits(panel: Panel) -> Iterator[dict[str, float]]:
    """The limits of rules, on the rows of the groups that they are on."""
    low, high = panel.scale
    for index, one in enumerate(panel.groups):
        for limit in one.limits:
            if low <= limit <= high:
                yield {"accuracy": 100 * limit, "from": index - 0.4, "to": index + 0.4}


def _names(rows: Rows, frame: Frame, **look: Any) -> Iterator[Layer]:
    """The group on the left; accuracy and number of images on the right."""
    groups, numbers = ([row | {"text": row[name]} for row in rows] for name in ("group", "n"))
    quiet = {"color": COLOURS["quiet"], "fontSize": TICK}
    yield texts("names", groups, at(x=-_LEFT), baseline="middle", **look)
    yield texts("names", rows, at(x=frame.across + 44), align="right", baseline="middle", **look)
    yield texts("tick", numbers, at(x=frame.across + _RIGHT - 2), align="right", baseline="middle", **quiet)


def crossed(found: Map, words: Mapping[str, Any]) -> Spec | None:
    """The groups of two attributes, in percent; None where there are too many. `words` are all the page's."""
    if not drawable(len(found.lines), len(found.columns)):
        return None
    images = words["charts"]["groups"]["n"]
    lines = [(name, [_cell(one, found.best, images) for one in cells]) for name, cells in found.lines]
    return grid(lines, found.columns, found.attributes)


def _cell(one: Group | None, best: float, images: str) -> Shaded | None:
    if one is None:
        return None
    return Shaded(one.accuracy, shade(one.accuracy, best) if one.judged else None, images.format(n=f"{one.n:,}"))
