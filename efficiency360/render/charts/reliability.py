"""How often the model is right against how sure it is: the uncertainty axis's table -> dots about a diagonal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import numbers
from efficiency360.render.charts.scales import Scale, rounded
from efficiency360.render.charts.theme import COLOURS, Frame, Spec, at, chart, layer, level, spread, texts, upright
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Series

AXIS, SERIES = "uncertainty", "uncertainty.reliability"
_COLUMNS = ("confidence", "accuracy", "images")
_FRAME = Frame(326.0, width=316.0)
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

    @property
    def scale(self) -> Scale:
        """Both axes, in percent: from the whole tenth below all that is drawn."""
        least = min(min(one.confidence, one.low) for one in self.bins)
        return rounded(10.0 * min(9, math.floor(10 * least)), 100.0)


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
    scale = drawn.scale
    even = [{"confidence": end, "accuracy": end} for end in (scale.low, scale.high)]
    below = at(x=_FRAME.across - 12, y=_FRAME.down - 14)
    quiet: dict[str, Any] = {"color": COLOURS["quiet"], "baseline": "middle"}
    return chart(
        [
            layer("chance", even, "line", color=COLOURS["quiet"], strokeWidth=1.2, strokeDash=[5, 3]),
            texts("direct", [{"text": said["modest"]}], at(x=12, y=14), **quiet),
            texts("direct", [{"text": said["bold"]}], below, align="right", **quiet),
            spread("spread", rows),
            layer("line", rows, "line", strokeWidth=1, opacity=0.5),
            layer("dots", rows, "point"),
        ],
        _FRAME,
        x=level("confidence", said["x"], scale, _FRAME),
        y=upright("accuracy", said["y"], scale, _FRAME),
    )
