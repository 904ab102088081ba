"""How often the model is right against how sure it is: the uncertainty axis's table -> dots about a diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import numbers
from efficiency360.render.charts.theme import COLOURS, Spec, across, chart, field, layer, spread, upright
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Series

AXIS, SERIES = "uncertainty", "uncertainty.reliability"
_COLUMNS = ("confidence", "accuracy", "images")
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 18.0, 26.0, 44.0
_SIDE = 262.0
_TICKS = (0, 20, 40, 60, 80, 100)
_MOST = 1000


@dataclass(frozen=True)
class Bin:
    """Images of like confidence: their mean confidence, accuracy and its interval, as proportions, and their number."""

    confidence: float
    accuracy: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class Reliability:
    """What is drawn, by growing confidence."""

    bins: tuple[Bin, ...]


def read(series: Series) -> Reliability | None:
    """What can be drawn; None where the table holds no proportions or no numbers of images.

    Intervals are Wilson's, taken for images that the bin does not sort by what came out: it sorts by confidence only.
    """
    rows = numbers(series, _COLUMNS)
    if not rows or len(rows) > _MOST or not all(_sound(*row) for row in rows):
        return None
    return Reliability(tuple(sorted((_bin(*row) for row in rows), key=lambda one: one.confidence)))


def _sound(confidence: float, accuracy: float, images: float) -> bool:
    return 0 <= confidence <= 1 and 0 <= accuracy <= 1 and images >= 1 and images == int(images)


def _bin(confidence: float, accuracy: float, images: float) -> Bin:
    interval = wilson(accuracy * images, images)
    return Bin(confidence, accuracy, interval.low, interval.high, int(images))


def spec(drawn: Reliability, words: Mapping[str, Any]) -> Spec:
    """The chart, in percent; on the diagonal the model is right as often as it is sure. `words` are all the page's."""
    said = words["charts"]["reliability"]
    rows = [
        {"confidence": 100 * one.confidence, "accuracy": 100 * one.accuracy, "images": one.images}
        | {"low": 100 * one.low, "high": 100 * one.high}
        for one in drawn.bins
    ]
    sides = [
        {"confidence": 4, "accuracy": 94, "text": said["modest"], "side": "left"},
        {"confidence": 96, "accuracy": 6, "text": said["bold"], "side": "right"},
    ]
    quiet = {"color": COLOURS["quiet"], "fontStyle": "italic", "baseline": "middle"}
    return chart(
        [
            layer("chance", [{"confidence": end, "accuracy": end} for end in (0, 100)], "line", color=COLOURS["quiet"], strokeWidth=1.2, strokeDash=[5, 3]),
            *(
                layer("direct", [one], "text", {"text": field("text", "nominal")}, align=one["side"], **quiet)
                for one in sides
            ),
            spread("spread", rows),
            layer("line", rows, "line", strokeWidth=1, opacity=0.5),
            layer("dots", rows, "point"),
        ],
        _SIDE + _TOP + _BOTTOM,
        width=_SIDE + _LEFT + _RIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        x=across("confidence", said["x"], (0, 100), _TICKS, end=_SIDE),
        y=upright("accuracy", said["y"], (0, 100), _TICKS),
    )  # fmt: skip
