"""Input sizes: latency against accuracy, with the intervals of both."""

from __future__ import annotations

import pytest

from efficiency360.records import AxisRecord, Interval, Measurement
from efficiency360.render.charts import resolution
from efficiency360.statistics.intervals import wilson

SIZES = {128: (9.8, 170), 224: (17.7, 220), 320: (29.1, 210)}
N = 256


def record(sizes=SIZES, unit="ms", left_out=None):
    numbers = []
    for size, (ms, right) in sizes.items():
        reach = Interval(low=ms - 1, high=ms + 2, level=0.95, method="order statistics")
        timed = {"name": "resolution.latency_ms", "value": ms, "unit": unit, "interval": reach}
        seen = {"name": "resolution.top1", "value": right / N, "unit": "proportion", "interval": wilson(right, N)}
        numbers += [Measurement(**one, n=N, params={"size": size}) for one in (timed, seen) if one["name"] != left_out]
    return AxisRecord(id="resolution", version=1, status="measured", measurements=tuple(numbers))


def test_every_size_stands_at_its_numbers_with_both_intervals(words, data_of, domain_of):
    spec = resolution.spec(resolution.read(record()), words)
    rows = data_of(spec, "dots")
    for row, (size, (ms, right)) in zip(rows, SIZES.items(), strict=True):
        interval = wilson(right, N)
        assert (row["size"], row["latency"], row["top1"]) == pytest.approx((size, ms, 100 * right / N))
        assert (row["fast"], row["slow"]) == pytest.approx((ms - 1, ms + 2))
        assert (row["low"], row["high"]) == pytest.approx((100 * interval.low, 100 * interval.high))
    assert [row["text"] for row in data_of(spec, "name")] == ["128 px", "224 px", "320 px"]
    assert domain_of(spec, "x")[0] == 0
    low, high = domain_of(spec, "y")
    assert low <= min(row["low"] for row in rows) < max(row["high"] for row in rows) <= high <= 100


def test_the_line_goes_from_size_to_size_whatever_the_order_in_the_scorecard(words, data_of):
    spec = resolution.spec(resolution.read(record(dict(reversed(SIZES.items())))), words)
    assert [row["size"] for row in data_of(spec, "line")] == sorted(SIZES)


@pytest.mark.parametrize(
    "axis",
    [
        record({224: (17.7, 220)}),
        record(unit="s"),
        record({128: (-3.0, 170), 224: (17.7, 220)}),
        record({128: (1e300, 170), 224: (17.7, 220)}),
        record(left_out="resolution.top1"),
        record(left_out="resolution.latency_ms"),
        record({size: (float(size), 1) for size in range(8, 200, 8)}),
    ],
    ids=["one", "unit", "negative", "huge", "no accuracy", "no latency", "many"],
)
def test_what_no_figure_can_hold_is_not_drawn(axis):
    assert resolution.read(axis) is None
