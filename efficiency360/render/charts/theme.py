"""What all charts share: colours, sizes, axes and layers of Vega-Lite specs.

Nothing in a chart may depend on how wide a font is, or another machine would draw it differently: sizes and paddings
are fixed, labels are never cut or dropped by their width, and titles stand at given places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from efficiency360.render.charts.scales import Scale

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
GUESS: Final[dict[str, Any]] = {"color": COLOURS["quiet"], "strokeDash": [1, 3], "strokeWidth": 1.4}
"""How a line is drawn that knows nothing: chance, random order."""
_PIECE, _ENTRY = 30.0, 15.0
TICK, LABEL = 10, 10.5
"""Sizes of text."""

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
        "titleFontSize": LABEL,
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


@dataclass(frozen=True)
class Frame:
    """How large a chart is in its own units, and the room for labels around its plot."""

    height: float
    left: float = 40.0
    right: float = 18.0
    top: float = 26.0
    bottom: float = 42.0
    width: float = 480.0

    @property
    def across(self) -> float:
        """How wide the plot is."""
        return self.width - self.left - self.right

    @property
    def down(self) -> float:
        """How high the plot is."""
        return self.height - self.top - self.bottom


def chart(layers: Iterable[Layer], frame: Frame, **encoding: Spec) -> Spec:
    """A whole spec: layers, the lowest first, and the encoding that all of them share."""
    return {
        "$schema": SCHEMA,
        "autosize": "none",
        "background": None,
        "width": frame.across,
        "height": frame.down,
        "padding": {"left": frame.left, "right": frame.right, "top": frame.top, "bottom": frame.bottom},
        "config": CONFIG,
        "encoding": encoding,
        "layer": [one | {"name": f"{one['name']}_{index}"} for index, one in enumerate(layers)],
    }


def layer(name: str, rows: Rows, mark: str, encoding: Spec | None = None, **look: Any) -> Layer:
    """A layer: `name`, in small letters, is its class in the page; `look` are properties of its mark."""
    return {"name": name, "data": {"values": rows}, "mark": {"type": mark, **look}, "encoding": encoding or {}}


def texts(name: str, rows: Rows, encoding: Spec | None = None, **look: Any) -> Layer:
    """The field `text` of each row, on a line by its baseline where nothing else is said."""
    usual = {"baseline": "alphabetic", "align": "left"}
    return layer(name, rows, "text", {"text": field("text", "nominal"), **(encoding or {})}, **(usual | look))


def spread(name: str, rows: Rows, way: Literal["x", "y"] = "y", **look: Any) -> Layer:
    """Intervals from `low` to `high`, as thin lines."""
    return layer(name, rows, "rule", {way: field("low"), f"{way}2": {"field": "high"}}, **look)


def field(name: str, kind: Type = "quantitative", **more: Any) -> Spec:
    """An encoding by a field; `name` is ours, never one from outside."""
    return {"field": name, "type": kind, **more}


def at(**places: float) -> Spec:
    """An encoding of places in the plot, such as `x=0, x2=10`."""
    return {channel: {"value": round(place, 2)} for channel, place in places.items()}


def upright(name: str, title: str, scale: Scale, frame: Frame, lift: float = 13) -> Spec:
    """The upright axis: level lines, and its title level above it, by `lift`: nobody has to turn the head."""
    axis = {"grid": True, "titleAngle": 0, "titleAlign": "left", "titleX": -frame.left, "titleY": -lift}
    return field(name, scale=fixed(scale), axis=_axis(title, scale) | axis)


def level(name: str, title: str, scale: Scale, frame: Frame, **axis: Any) -> Spec:
    """The level axis: a line with ticks, its title below its right end."""
    ticks = {"domain": True, "ticks": True, "tickSize": 4, "labelPadding": 4}
    place = {"titleAlign": "right", "titleX": frame.across, "titleY": 33}
    return field(name, scale=fixed(scale), axis=_axis(title, scale) | ticks | place | axis)


def fixed(scale: Scale) -> Spec:
    """A scale that ends where it should, however the data lie."""
    kind = {"type": "log"} if scale.log else {"zero": False}
    return {"domain": [scale.low, scale.high], "nice": False, **kind}


def _axis(title: str, scale: Scale) -> Spec:
    ticks = {"values": list(scale.ticks), "format": ".6~g"}
    return {"title": title, "titleAnchor": None, "titleBaseline": "alphabetic", **ticks}


def look(index: int) -> dict[str, Any]:
    """How one of several lines is drawn."""
    role, dashes = SERIES[index]
    return {"color": COLOURS[role]} | ({"strokeDash": list(dashes)} if dashes else {})


def key(entries: Sequence[tuple[str, dict[str, Any]]], right: float, top: float) -> Iterator[Layer]:
    """Names of lines with a piece of each, ending at `right`, the first at `top`; for a corner that is empty."""
    for index, (name, looks) in enumerate(entries):
        y = top + _ENTRY * index
        row = [{"text": name}]
        yield layer("key", row, "rule", at(x=right - _PIECE, x2=right, y=y), **{"strokeWidth": 1.8, **looks})
        yield texts("direct", row, at(x=right - _PIECE - 6, y=y), align="right", baseline="middle")
