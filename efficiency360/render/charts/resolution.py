"""What other input sizes cost and bring: the what-if's numbers -> a line through sizes, latency against accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.scales import percent, rounded
from efficiency360.render.charts.theme import Frame, Layer, Spec, chart, field, layer, level, spread, texts, upright

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from efficiency360.records import AxisRecord, Measurement

AXIS, SERIES = "resolution", "resolution.curve"
_QUALITY, _COST = "resolution.top1", "resolution.latency_ms"
_FRAME = Frame(270.0, right=48.0)
_SLOWEST_MS = 1e9
_FEWEST, _MOST = 2, 12


@dataclass(frozen=True)
class Size:
    """An input size in pixels with its latency in ms and its accuracy as a proportion."""

    size: int
    latency: Measurement
    top1: Measurement


@dataclass(frozen=True)
class Resolution:
    """What is drawn, by growing size."""

    sizes: tuple[Size, ...]


def read(record: AxisRecord) -> Resolution | None:
    """What can be drawn; None where fewer than two sizes have both numbers, or too many."""
    found = {name: _by_size(record, name) for name in (_QUALITY, _COST)}
    both = sorted(found[_QUALITY].keys() & found[_COST].keys())
    sizes = [Size(size, found[_COST][size], found[_QUALITY][size]) for size in both]
    return Resolution(tuple(sizes)) if _FEWEST <= len(sizes) <= _MOST and all(map(_sound, sizes)) else None


def _by_size(record: AxisRecord, name: str) -> dict[int, Measurement]:
    sizes = ((one.params.get("size"), one) for one in record.measurements if one.name == name)
    return {size: one for size, one in sizes if isinstance(size, int) and not isinstance(size, bool)}


def _sound(one: Size) -> bool:
    latency, top1 = _ends(one.latency), _ends(one.top1)
    units = (one.latency.unit, one.top1.unit) == ("ms", "proportion")
    return units and min(latency) >= 0 and max(latency) <= _SLOWEST_MS and min(top1) >= 0 and max(top1) <= 1


def _ends(one: Measurement) -> tuple[float, float, float]:
    interval = one.interval
    return (interval.low, one.value, interval.high) if interval else (one.value, one.value, one.value)


def spec(drawn: Resolution, words: Mapping[str, Any]) -> Spec:
    """The chart, in ms and percent; `words` are all the page's."""
    said = words["charts"]["resolution"]
    rows = list(_rows(drawn, said["size"]))
    times = [{"top1": row["top1"], "low": row["fast"], "high": row["slow"]} for row in rows]
    x = rounded(0.0, max(max(_ends(one.latency)) for one in drawn.sizes))
    y = percent([end for one in drawn.sizes for end in _ends(one.top1)])
    return chart(
        [
            spread("spread", rows, opacity=0.55),
            spread("spread", times, "x", opacity=0.55),
            layer("line", rows, "line", {"order": field("size")}, strokeWidth=1.2),
            layer("dots", rows, "point", size=44),
            *_names(rows),
        ],
        _FRAME,
        x=level("latency", said["x"], x, _FRAME),
        y=upright("top1", said["y"], y, _FRAME),
    )


def _rows(drawn: Resolution, label: str) -> Iterator[dict[str, Any]]:
    for one in drawn.sizes:
        (fast, latency, slow), (low, top1, high) = _ends(one.latency), _ends(one.top1)
        share = {"top1": 100 * top1, "low": 100 * low, "high": 100 * high}
        yield {
            "size": one.size,
            "text": label.format(n=one.size),
            "latency": latency,
            "fast": fast,
            "slow": slow,
        } | share


def _names(rows: Sequence[dict[str, Any]]) -> Iterator[Layer]:
    """The sizes, on that side of the right of each dot where the line to the next does not go."""
    falls = [after["top1"] < row["top1"] for row, after in pairwise(rows)]
    for row, lift in zip(rows, [*(-7 if fall else 14 for fall in falls), 14], strict=True):
        yield texts("name", [row], dx=7, dy=lift, fontWeight=600)
