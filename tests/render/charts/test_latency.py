"""How long single images took: the table's bins, the stated quantiles, and what lies beyond the figure."""

from __future__ import annotations

from itertools import pairwise

import pytest

from efficiency360.records import AxisRecord, Interval, Measurement, Series
from efficiency360.render.charts import latency

COLUMNS = {"from_ms": [10.0, 11.0, 12.0], "to_ms": [11.0, 12.0, 40.0], "runs": [50, 30, 20]}


def table(**changed):
    return Series.model_validate({"name": "speed.latency_distribution", "title": "L", "columns": COLUMNS | changed})


def quantile(stat, value, batch=1):
    reach = Interval(low=value - 0.5, high=value + 0.5, level=0.95, method="order statistics")
    params = {"stat": stat, "batch": batch}
    return Measurement(name="speed.latency_ms", value=value, unit="ms", n=100, interval=reach, params=params)


def record(*numbers):
    return AxisRecord(id="speed", version=1, status="measured", measurements=numbers)


AXIS = record(quantile("p50", 5.0, batch=8), quantile("p50", 10.8), quantile("p95", 12.2), quantile("p99", 30.0))


def test_bars_are_the_bins_and_the_last_one_is_as_wide_as_the_others(words, data_of, domain_of):
    drawn = latency.read(table(), AXIS)
    spec = latency.spec(drawn, words)
    assert [(row["from"], row["to"], row["runs"]) for row in data_of(spec, "bars")] == [(10, 11, 50), (11, 12, 30)]
    assert [(row["from"], row["to"], row["runs"]) for row in data_of(spec, "more")] == [(12, 13, 20)]
    assert domain_of(spec, "x") == (10, 13)
    assert domain_of(spec, "y") == (0, 50)
    assert (drawn.open, drawn.runs) == (True, 100)


def test_a_last_bin_that_holds_nothing_longer_is_a_bar_like_the_others(words, data_of):
    spec = latency.spec(latency.read(table(to_ms=[11.0, 12.0, 13.0]), AXIS), words)
    assert len(data_of(spec, "bars")) == 3
    assert not data_of(spec, "more")


def test_quantiles_of_single_images_are_marked_with_their_intervals(words, data_of):
    spec = latency.spec(latency.read(table(), AXIS), words)
    marks = data_of(spec, "quantile")
    assert [(row["value"], row["at"]) for row in marks] == [(10.8, 10.8), (12.2, 12.2), (30.0, 13.0)]
    assert [(row["low"], row["high"]) for row in data_of(spec, "reach")] == [
        pytest.approx(ends) for ends in ((10.3, 11.3), (11.7, 12.7), (13.0, 13.0))
    ]
    assert [row["text"] for row in data_of(spec, "direct")] == ["p50: 10.8 ms", "p95: 12.2 ms", "p99: 30 ms"]


@pytest.mark.parametrize(("high", "place"), [(11.2, ("high", "left")), (12.9, ("low", "right"))])
def test_a_label_stands_on_the_side_of_its_interval_where_there_is_room(words, high, place):
    wide = quantile("p99", 11.0)
    wide = wide.model_copy(update={"interval": wide.interval.model_copy(update={"high": high})})
    spec = latency.spec(latency.read(table(), record(wide)), words)
    (label,) = (one for one in spec["layer"] if one["name"].startswith("direct"))
    assert (label["encoding"]["x"]["field"], label["mark"].get("align", "left")) == place


def test_labels_of_quantiles_never_share_a_line(words):
    spec = latency.spec(latency.read(table(), record(*(quantile(stat, 11.0) for stat in ("p50", "p95", "p99")))), words)
    heights = [one["encoding"]["y"]["value"] for one in spec["layer"] if one["name"].startswith("direct")]
    assert sorted({b - a for a, b in pairwise(heights)}) == [16]


def test_without_quantiles_the_bins_are_drawn_alone(words, data_of):
    spec = latency.spec(latency.read(table(), record(quantile("p50", 5.0, batch=8))), words)
    assert not data_of(spec, "quantile")
    assert data_of(spec, "bars")


@pytest.mark.parametrize(
    "changed",
    [
        {"from_ms": [10.0, 11.5, 12.0]},
        {"to_ms": [11.0, 12.0, 11.0]},
        {"from_ms": [-1.0, 11.0, 12.0]},
        {"to_ms": [11.0, 12.0, 1e300]},
        {"runs": [1, -1, 1]},
        {"runs": [0, 0, 0]},
        {"runs": [1, "a", 1]},
        {"from_ms": [10.0], "to_ms": [11.0], "runs": [5]},
        {"from_ms": [], "to_ms": [], "runs": []},
    ],
)
def test_a_table_that_is_no_histogram_is_not_drawn(changed):
    assert latency.read(table(**changed), AXIS) is None
