"""How long single images took: the speed axis's table -> a histogram, with the quantiles that the audit states."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import numbers
from efficiency360.render.charts.scales import Scale, rounded
from efficiency360.render.charts.theme import (
    COLOURS,
    Frame,
    Layer,
    Spec,
    at,
    chart,
    field,
    layer,
    level,
    texts,
    upright,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from efficiency360.records import AxisRecord, Measurement, Series

AXIS, SERIES = "speed", "speed.latency_distribution"
_NAME = "speed.latency_ms"
_COLUMNS = ("from_ms", "to_ms", "runs")
_FRAME = Frame(226.0, left=44.0, top=68.0)
_STATS = ("p50", "p95", "p99")
_SLOWEST_MS = 1e9
_FEWEST, _MOST = 3, 1000


@dataclass(frozen=True)
class Bin:
    """Runs between two times in ms."""

    start: float
    end: float
    runs: int


@dataclass(frozen=True)
class Latency:
    """What is drawn: bins of equal width, but for the last, which holds all that took longer; and quantiles."""

    bins: tuple[Bin, ...]
    quantiles: tuple[Measurement, ...]

    @property
    def end(self) -> float:
        """Where the last bin would end if it were as wide as the others."""
        last = self.bins[-1]
        return min(last.end, last.start + (self.bins[0].end - self.bins[0].start))

    @property
    def open(self) -> bool:
        """Whether runs in the last bin took longer than the figure shows."""
        return self.bins[-1].end > self.end * (1 + 1e-3)

    @property
    def runs(self) -> int:
        """All of them."""
        return sum(one.runs for one in self.bins)


def read(series: Series, record: AxisRecord) -> Latency | None:
    """What can be drawn; None where the table is no histogram.

    Args:
        series: the axis's table.
        record: the axis, whose quantiles of single images are marked.
    """
    rows = numbers(series, _COLUMNS)
    if rows is None or not _FEWEST <= len(rows) <= _MOST:
        return None
    joined = all(first[1] == second[0] for first, second in pairwise(rows))
    sound = all(0 <= start < end <= _SLOWEST_MS and runs >= 0 and runs == int(runs) for start, end, runs in rows)
    if not (joined and sound and any(row[2] for row in rows)):
        return None
    return Latency(tuple(Bin(start, end, int(runs)) for start, end, runs in rows), tuple(_quantiles(record)))


def _quantiles(record: AxisRecord) -> Iterator[Measurement]:
    for stat in _STATS:
        same = (
            one
            for one in record.measurements
            if one.name == _NAME and one.unit == "ms" and one.params.items() >= {"stat": stat, "batch": 1}.items()
        )
        if found := next(same, None):
            yield found


def spec(drawn: Latency, words: Mapping[str, Any]) -> Spec:
    """The chart; `words` are all the page's. Quantiles beyond its end are named there."""
    said = words["charts"]["latency"]
    start, end = drawn.bins[0].start, drawn.end
    scale = Scale(start, end, tuple(tick for tick in rounded(start, end, narrowest=0.0).ticks if start <= tick <= end))
    rows = [{"from": one.start, "to": min(one.end, end), "runs": one.runs} for one in drawn.bins]
    whole, last = (rows[:-1], rows[-1:]) if drawn.open else (rows, [])
    bars = {"x": field("from"), "x2": {"field": "to"}, "y": field("runs"), "y2": {"datum": 0}}
    most = rounded(0.0, max(one.runs for one in drawn.bins))
    hollow = {"color": COLOURS["paper"], "stroke": COLOURS["accent"], "strokeWidth": 1}
    return chart(
        [
            layer("bars", whole, "rect", bars, stroke=COLOURS["paper"], strokeWidth=0.8),
            layer("more", [row for row in last if row["runs"]], "rect", bars, **hollow),
            *_marks(drawn.quantiles, scale, said),
        ],
        _FRAME,
        x=level("from", said["x"], scale, _FRAME),
        y=upright("runs", said["y"], most, _FRAME, lift=9),
    )


def _marks(quantiles: Sequence[Measurement], scale: Scale, words: Mapping[str, str]) -> Iterator[Layer]:
    """A line for each quantile from its label down, each label on a line of its own, and its interval as a bar."""
    for index, one in enumerate(quantiles):
        y = -20.0 - 16 * (len(quantiles) - 1 - index)
        row = _quantile(one, scale, words)
        yield layer("quantile", [row], "rule", at(y=y, y2=_FRAME.down) | {"x": field("at")}, **_THIN)
        ends = {"x": field("low"), "x2": {"field": "high"}}
        yield layer("reach", [row], "rule", at(y=y) | ends, color=COLOURS["quiet"], strokeWidth=4, opacity=0.35)
        # to the right of an interval that ends late there is no room, however early its middle is
        late = row["at"] > (scale.low + 2 * scale.high) / 3 or row["high"] > (scale.low + 5 * scale.high) / 6
        side: dict[str, Any] = {"align": "right", "dx": -6} if late else {"dx": 6}
        yield texts("direct", [row], at(y=y) | {"x": field("low" if late else "high")}, baseline="middle", **side)


_THIN: dict[str, Any] = {"color": COLOURS["ink"], "strokeWidth": 1}


def _quantile(one: Measurement, scale: Scale, words: Mapping[str, str]) -> dict[str, Any]:
    """A quantile and the ends of its interval, where they lie within the figure."""
    ends = (one.interval.low, one.interval.high) if one.interval else (one.value, one.value)
    at, low, high = (min(max(place, scale.low), scale.high) for place in (one.value, *ends))
    text = words["quantile"].format(stat=one.params["stat"], ms=_ms(one.value))
    return {"at": at, "low": low, "high": high, "value": one.value, "text": text}


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004 - without an exponent
