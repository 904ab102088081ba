"""What models are good for against what they cost: dots with both intervals, and the front that none beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from efficiency360.render.charts.labels import LINE, Box, Label, Mark, place
from efficiency360.render.charts.scales import Scale, percent, rounded
from efficiency360.render.charts.theme import (
    COLOURS,
    TICK,
    Frame,
    Layer,
    Rows,
    Spec,
    at,
    chart,
    layer,
    level,
    spread,
    texts,
    upright,
)
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.records import Measurement

LETTERS = 28
"""How much of a name fits into a figure."""
_FRAME = Frame(310.0, right=14.0)
PLOT = Box(0.0, 0.0, _FRAME.across, _FRAME.down)
Corner = Literal["top", "bottom"]
_CORNERS: dict[Corner, Box] = {"top": Box(0, 0, 180, 20), "bottom": Box(0, PLOT.bottom - 20, 180, PLOT.bottom)}
"""The best corner, where the figure says which way is better."""


@dataclass(frozen=True)
class Spot:
    """A model: what it costs, from 0 up; what it is good for, as a proportion; its name, and the number of its machine.

    `host` is None where all ran on one; `standing` is whether the model is on the front.
    """

    cost: Measurement
    quality: Measurement
    name: str
    host: int | None = None
    standing: bool = True


@dataclass(frozen=True)
class Scatter:
    """What is drawn of at least one model, none with a negative cost.

    `unit` is how much of the cost is 1 on the axis, such as a million; `corner` is the one on the left that is best.
    `front` says whether to draw the line of those that no other beats.
    """

    spots: tuple[Spot, ...]
    unit: float = 1.0
    corner: Corner = "top"
    front: bool = False

    @property
    def cost(self) -> Scale:
        """The axis of the cost, in `unit`."""
        return rounded(0.0, max(_ends(spot.cost)[1] for spot in self.spots) / self.unit)

    @property
    def quality(self) -> Scale:
        """The axis of the quality, in percent; it need not begin at 0."""
        return percent([end for spot in self.spots for end in _ends(spot.quality)])


def _ends(measurement: Measurement) -> tuple[float, float]:
    """The least and the most that is drawn of a measurement."""
    drawn = [measurement.value]
    if interval := measurement.interval:
        drawn += [interval.low, interval.high]
    return max(0.0, min(drawn)), max(drawn)


def spec(drawn: Scatter, words: Mapping[str, str]) -> Spec:
    """The chart; `words` are the titles of the axes, what the best corner says, and how a machine is called."""
    x, y = drawn.cost, drawn.quality
    rows = [_row(spot, drawn.unit) for spot in drawn.spots]
    crosses = [row for row in rows if "low" in row]
    levels = [{"quality": row["quality"], "low": row["left"], "high": row["right"]} for row in rows if "left" in row]
    solid: dict[str, Any] = {"stroke": COLOURS["paper"], "strokeWidth": 1}
    hollow: dict[str, Any] = {"color": COLOURS["paper"], "stroke": COLOURS["accent"], "strokeWidth": 1.8}
    best = at(x=7, y=9 if drawn.corner == "top" else PLOT.bottom - 9)
    return chart(
        [
            *([layer("front", _front(drawn, x, y), "line", **_STEPS)] if drawn.front else []),
            texts("corner", [{"text": words["corner"]}], best, baseline="middle", **_QUIET),
            spread("spread", crosses, opacity=0.6),
            spread("spread", levels, "x", opacity=0.6),
            layer("dots", [row for row in rows if row["standing"]], "point", size=64, **solid),
            layer("hollow", [row for row in rows if not row["standing"]], "point", size=56, **hollow),
            *_names(drawn, words),
        ],
        _FRAME,
        x=level("cost", words["x"], x, _FRAME),
        y=upright("quality", words["y"], y, _FRAME),
    )


_STEPS: dict[str, Any] = {"color": COLOURS["quiet"], "strokeWidth": 1.2, "strokeDash": [4, 3]}
_QUIET: dict[str, Any] = {"color": COLOURS["quiet"], "fontSize": TICK}


def _row(spot: Spot, unit: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": middle(spot.name, LETTERS),
        "cost": spot.cost.value / unit,
        "quality": 100 * spot.quality.value,
    }
    if spot.cost.interval:
        left, right = _ends(spot.cost)
        row |= {"left": left / unit, "right": right / unit}
    if spot.quality.interval:
        low, high = _ends(spot.quality)
        row |= {"low": 100 * low, "high": 100 * high}
    return row | {"standing": spot.standing}


def _front(drawn: Scatter, x: Scale, y: Scale) -> Rows:
    """The front in steps: up from the cheapest, level until a dearer one is better, and on to the edge."""
    best = sorted({(spot.cost.value / drawn.unit, 100 * spot.quality.value) for spot in drawn.spots if spot.standing})
    level = y.low if drawn.corner == "top" else y.high
    corners = []
    for cost, quality in best:
        corners += [(cost, level), (cost, quality)]
        level = quality
    return [{"cost": cost, "quality": quality} for cost, quality in (*corners, (x.high, level))]


def placed(drawn: Scatter, words: Mapping[str, str]) -> tuple[list[Mark], list[Label]]:
    """The dots and the labels in units of the plot."""
    x, y = drawn.cost, drawn.quality

    def place_of(value: float) -> float:
        return PLOT.right * (value / drawn.unit - x.low) / (x.high - x.low)

    def height_of(share: float) -> float:
        return PLOT.bottom * (y.high - 100 * share) / (y.high - y.low)

    marks = []
    for spot in drawn.spots:
        (left, right), (low, high) = _ends(spot.cost), _ends(spot.quality)
        across = (place_of(left), place_of(right)) if spot.cost.interval else None
        down = (height_of(high), height_of(low)) if spot.quality.interval else None
        marks.append(Mark(place_of(spot.cost.value), height_of(spot.quality.value), across, down, _text(spot, words)))
    return marks, place(marks, PLOT, _CORNERS[drawn.corner])


def _text(spot: Spot, words: Mapping[str, str]) -> tuple[str, ...]:
    """What stands beside the dot."""
    host = [words["host"].format(n=spot.host)] if spot.host is not None else []
    return (middle(spot.name, LETTERS), *host)


def _names(drawn: Scatter, words: Mapping[str, str]) -> Iterator[Layer]:
    """The labels, back from the plot's units to the axes'."""
    x, y = drawn.cost, drawn.quality
    marks, labels = placed(drawn, words)
    for anchor in ("left", "center", "right"):
        names: Rows = []
        notes: Rows = []
        for label in labels:
            for index, baseline in label.texts if label.anchor == anchor else ():
                for line, text in enumerate(marks[index].text):
                    cost = x.low + (x.high - x.low) * label.x / PLOT.right
                    quality = y.high - (y.high - y.low) * (baseline + LINE * line) / PLOT.bottom
                    (notes if line else names).append({"cost": cost, "quality": quality, "text": text})
        yield texts("name", names, fontWeight=600, align=anchor)
        yield texts("tick", notes, align=anchor, **_QUIET)
