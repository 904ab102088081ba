"""How long single images took: the speed axis's table -> a histogram, with the quantiles that the audit states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import numbers
from efficiency360.render.charts.scales import rounded
from efficiency360.render.charts.theme import COLOURS, Layer, Spec, across, chart, field, fixed, layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from efficiency360.records import AxisRecord, Measurement, Series

AXIS, SERIES = "speed", "speed.latency_distribution"
_NAME = "speed.latency_ms"
_COLUMNS = ("from_ms", "to_ms", "runs")
HEIGHT = 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 12.0, 18.0, 62.0, 44.0
_ACROSS = 480 - _LEFT - _RIGHT
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
    joined = all(first[1] == second[0] for first, second in zip(rows, rows[1:], strict=False))
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
    scale = rounded(drawn.bins[0].start, drawn.end, narrowest=0.0)
    domain = (drawn.bins[0].start, drawn.end)
    rows = [
        {"from": one.start, "to": min(one.end, drawn.end), "runs": one.runs, "open": index == len(drawn.bins) - 1}
        for index, one in enumerate(drawn.bins)
    ]
    most = max(one.runs for one in drawn.bins)
    bars = {"x": field("from"), "x2": {"field": "to"}, "y": field("runs"), "y2": {"datum": 0}}
    last = [row for row in rows if row["open"] and drawn.open and row["runs"]]
    more = said["more"].format(n=f"{drawn.bins[-1].runs:,}", most=_ms(drawn.bins[-1].end))
    return chart(
        [
            layer("bars", [row for row in rows if row not in last], "rect", bars, stroke=COLOURS["paper"], strokeWidth=0.8),
            layer("more", last, "rect", bars, stroke=COLOURS["accent"], strokeWidth=1, color=COLOURS["paper"]),
            layer("direct", [row | {"text": more} for row in last], "text", {"x": field("to"), "text": field("text", "nominal")}, align="right", baseline="alphabetic", dy=-6, color=COLOURS["quiet"]),
            *_marks(drawn.quantiles, domain, said),
        ],
        HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        x=across("from", said["x"], domain, [tick for tick in scale.ticks if domain[0] <= tick <= domain[1]], end=_ACROSS),
        y=field("runs", scale=fixed((0, most)), axis=None),
    )  # fmt: skip


def _marks(quantiles: Sequence[Measurement], domain: tuple[float, float], words: Mapping[str, str]) -> Iterator[Layer]:
    """A line for each quantile from its label down, each label on a line of its own, and its interval as a bar."""
    for index, one in enumerate(quantiles):
        y = -14.0 - 16 * (len(quantiles) - 1 - index)
        at = min(one.value, domain[1])
        text = words["quantile"].format(stat=one.params["stat"], ms=_ms(one.value))
        row: dict[str, Any] = {"at": at, "value": one.value, "text": text}
        if one.interval:
            row |= {"low": max(domain[0], min(one.interval.low, domain[1])), "high": min(one.interval.high, domain[1])}
        place = {"x": field("at"), "y": {"value": y}}
        yield layer("quantile", [row], "rule", place | {"y2": {"value": "height"}}, color=COLOURS["ink"], strokeWidth=1)
        if one.interval and row["low"] < row["high"]:
            ends = {"x": field("low"), "x2": {"field": "high"}, "y": {"value": y}}
            yield layer("reach", [row], "rule", ends, color=COLOURS["quiet"], strokeWidth=4, opacity=0.35)
        late = at > (domain[0] + 2 * domain[1]) / 3
        side: dict[str, Any] = {"align": "right", "dx": -5} if late else {"align": "left", "dx": 5}
        yield layer("direct", [row], "text", place | {"text": field("text", "nominal")}, baseline="middle", **side)


def _ms(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"  # noqa: PLR2004 - without an exponent
