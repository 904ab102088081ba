"""What all charts share: colours, sizes, axes and layers of Vega-Lite specs.

Nothing in a chart may depend on how wide a font is, or another machine would draw it differently: sizes and paddings
are fixed, labels are never cut or dropped by their width, and titles stand at given places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Spec = dict[str, Any]
Layer = dict[str, Any]
Rows = list[dict[str, Any]]
Type = Literal["quantitative", "ordinal", "nominal"]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
COLOURS: Final = {
    "ink": "#1b2127",
    "quiet": "#59646f",
    "line": "#d5dbe1",
    "accent": "#1d5d8c",
    "paper": "#ffffff",
    "fail": "#b3261e",
    "heat-1": "#faece1",
    "heat-2": "#f4d6bf",
    "heat-3": "#ecbb94",
    "heat-4": "#e49d64",
    "heat-5": "#db7e33",
}
"""The colours by their part: literal in a spec, so that it can be drawn anywhere; the page's own in the page."""
SERIES: Final = (("accent", ()), ("ink", (6, 3)), ("quiet", (2, 2)), ("fail", (9, 3, 2, 3)))
"""The colour and dashes of each of several lines; the dashes tell them apart without colour."""
TICK, LABEL, TITLE = 10, 10.5, 10.5
"""Sizes of text."""
WIDTH: Final = 480.0
"""How wide a chart is with its labels, in its own units."""

CONFIG: Final[Spec] = {
    "aria": False,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelLimit": 0,
        "labelOverlap": False,
        "labelBound": False,
        "labelFlush": False,
        "labelFontSize": TICK,
        "labelColor": COLOURS["quiet"],
        "labelPadding": 6,
        "titleLimit": 0,
        "titleFontSize": TITLE,
        "titleFontWeight": 600,
        "titleColor": COLOURS["ink"],
        "gridColor": COLOURS["line"],
        "gridWidth": 0.7,
        "domainColor": COLOURS["quiet"],
        "domainWidth": 0.8,
        "tickColor": COLOURS["quiet"],
        "tickWidth": 0.8,
    },
    "line": {"strokeWidth": 1.8, "color": COLOURS["accent"]},
    "rule": {"strokeWidth": 1.2, "color": COLOURS["accent"]},
    "area": {"color": COLOURS["accent"], "opacity": 0.16},
    "bar": {"color": COLOURS["accent"], "opacity": 1},
    "rect": {"color": COLOURS["accent"], "opacity": 1},
    "point": {"filled": True, "size": 36, "opacity": 1, "color": COLOURS["accent"]},
    "text": {"fontSize": LABEL, "color": COLOURS["ink"]},
}


def chart(
    layers: Iterable[Layer],
    height: float,
    *,
    left: float = 40,
    right: float = 18,
    top: float = 26,
    bottom: float = 44,
    width: float = WIDTH,
    **encoding: Spec,
) -> Spec:
    """A whole spec.

    Args:
        layers: what is drawn, the lowest first.
        height: with labels; `left`, `right`, `top` and `bottom` are the room around the plot.
        encoding: what all layers share.
    """
    return {
        "$schema": SCHEMA,
        "autosize": "none",
        "background": None,
        "width": width - left - right,
        "height": height - top - bottom,
        "padding": {"left": left, "right": right, "top": top, "bottom": bottom},
        "config": CONFIG,
        "encoding": encoding,
        "layer": [one | {"name": f"{one['name']}_{index}"} for index, one in enumerate(layers)],
    }


def layer(name: str, rows: Rows, mark: str, encoding: Spec | None = None, **look: Any) -> Layer:
    """A layer: `name` is its class in the page, `look` are properties of its mark."""
    return {
        "name": name,
        "data": {"values": rows},
        "mark": {"type": mark, **look},
        "encoding": encoding or {},
    }


def field(name: str, kind: Type = "quantitative", **more: Any) -> Spec:
    """An encoding by a field; `name` is ours, never one from outside."""
    return {"field": name, "type": kind, **more}


def fixed(domain: Sequence[float], **more: Any) -> Spec:
    """A scale that holds just this, however the data lie."""
    return {"domain": list(domain), "nice": False, "zero": False, **more}


def upright(name: str, title: str, domain: Sequence[float], ticks: Sequence[float], left: float = 40) -> Spec:
    """The upright axis: level lines, and its title level above it, where it can be read without turning the head."""
    axis = {
        "title": title,
        "values": list(ticks),
        "format": ".6~g",
        "grid": True,
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": None,
        "titleBaseline": "alphabetic",
        "titleX": -left,
        "titleY": -13,
    }
    return field(name, scale=fixed(domain), axis=axis)


def across(
    name: str, title: str, domain: Sequence[float], ticks: Sequence[float], *, end: float, scale: Spec | None = None
) -> Spec:
    """The level axis: a line with ticks, its title below its right end, which is at `end`."""
    axis = {
        "title": title,
        "values": list(ticks),
        "format": ".6~g",
        "domain": True,
        "ticks": True,
        "tickSize": 4,
        "labelPadding": 4,
        **below(end),
    }
    return field(name, scale=scale or fixed(domain), axis=axis)


def below(end: float, down: float = 36) -> Spec:
    """Where the title of a level axis stands."""
    return {"titleAlign": "right", "titleAnchor": None, "titleBaseline": "alphabetic", "titleX": end, "titleY": down}


def spread(name: str, rows: Rows, way: Literal["x", "y"] = "y", **look: Any) -> Layer:
    """Intervals from `low` to `high`, as thin lines."""
    return layer(name, rows, "rule", {way: field("low"), f"{way}2": {"field": "high"}}, **look)
