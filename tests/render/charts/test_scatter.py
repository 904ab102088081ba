"""The figure of models: it draws their numbers and the front, and labels cover as little as they can."""

from __future__ import annotations

import pytest

from efficiency360.records import Interval, Measurement
from efficiency360.render.charts import scatter
from efficiency360.render.charts.labels import Box
from efficiency360.render.charts.scatter import PLOT, Scatter, Spot, placed

WORDS = {"x": "Latency (ms)", "y": "Top-1 (%)", "corner": "better", "host": "machine {n}"}


def spot(ms, top1, ms_reach=0.0, top1_reach=0.0, letters=6, **more):
    def measured(name, value, unit, reach):
        interval = Interval(low=value - reach, high=value + reach, level=0.95, method="m") if reach else None
        return Measurement(name=name, value=value, unit=unit, interval=interval)

    latency = measured("speed.latency_ms", ms, "ms", ms_reach)
    return Spot(latency, measured("accuracy.top1", top1, "proportion", top1_reach), "m" * letters, **more)


def test_it_draws_numbers_and_intervals_in_percent_and_in_the_unit_of_the_axis(data_of, domain_of):
    drawn = Scatter((spot(10, 0.5, ms_reach=1, top1_reach=0.1), spot(20, 0.7)), unit=2.0)
    spec = scatter.spec(drawn, WORDS)
    assert [(row["cost"], row["quality"]) for row in data_of(spec, "dots")] == [(5, 50), (10, pytest.approx(70))]
    upright, across = data_of(spec, "spread")
    assert (upright["low"], upright["high"]) == pytest.approx((40, 60))
    assert (across["low"], across["high"]) == pytest.approx((4.5, 5.5))
    assert domain_of(spec, "x") == (0, 10)
    assert spec["encoding"]["x"]["axis"]["values"] == [0, 2, 4, 6, 8, 10]
    assert domain_of(spec, "y") == (40, 70)


@pytest.mark.parametrize(("corner", "start", "end"), [("top", 50, 90), ("bottom", 90, 50)])
def test_the_front_is_a_step_line_from_the_cheapest_to_the_edge(data_of, corner, start, end):
    qualities = (0.6, 0.55, 0.9) if corner == "top" else (0.8, 0.85, 0.5)
    costs = (1, 2, 3)
    spots = [spot(cost, good, standing=cost != 2) for cost, good in zip(costs, qualities, strict=True)]
    spec = scatter.spec(Scatter(tuple(spots), corner=corner, front=True), WORDS)
    first = 100 * qualities[0]
    path = [(row["cost"], row["quality"]) for row in data_of(spec, "front")]
    assert path == [pytest.approx(place) for place in ((1, start), (1, first), (3, first), (3, end), (3, end))]
    assert [row["cost"] for row in data_of(spec, "hollow")] == [2]


@pytest.mark.parametrize(
    "spots",
    [
        [spot(18.2, 0.87, 0.4, 0.03), spot(26.9, 0.888, 0.5, 0.028), spot(36.4, 0.898, 0.6, 0.027)],
        [spot(0.0, 0.0), spot(0.0, 0.0)],
        [spot(0.05, 1.0), spot(0.06, 1.0)],
        [spot(1e9, 0.5, 1e8), spot(3.0, 0.5)],
        [spot(5.0, 0.001, 9.0), spot(5.0, 0.999)],
        [spot(3.0, 0.9012), spot(3.0, 0.9013)],
    ],
)
def test_everything_lies_within_the_plot(spots, data_of):
    drawn = Scatter(tuple(spots))
    spec = scatter.spec(drawn, WORDS)
    x, y = drawn.cost, drawn.quality
    assert x.low == 0
    assert 0 <= y.low < y.high <= 100 + 1e-9
    assert 2 <= len(x.ticks) <= 8
    assert 2 <= len(y.ticks) <= 8
    for row in data_of(spec, "dots"):
        assert x.low <= row.get("left", row["cost"]) <= row.get("right", row["cost"]) <= x.high + 1e-9
        assert y.low - 1e-9 <= row.get("low", row["quality"]) <= row.get("high", row["quality"]) <= y.high + 1e-9
    _, labels = placed(drawn, WORDS)
    assert all(label.box.within(PLOT) for label in labels)
    for row in data_of(spec, "name"):
        assert x.low <= row["cost"] <= x.high
        assert y.low <= row["quality"] <= y.high


def test_labels_keep_off_each_other_and_off_the_dots():
    marks, labels = placed(Scatter(tuple(spot(10 + i, 0.8 + i / 50, 0.5, 0.04, letters=18) for i in range(4))), WORDS)
    for mark in marks:
        dot = Box(mark.x - 2, mark.y - 2, mark.x + 2, mark.y + 2)
        assert not [label for label in labels if label.box.meets(dot)]
    for label in labels:
        assert not [other for other in labels if other is not label and other.box.meets(label.box)]


def test_dots_on_one_place_share_a_label_that_names_all_of_them_from_the_top_down():
    spots = (spot(10, 0.8, letters=9), spot(10, 0.8001, letters=12), spot(10, 0.5, letters=6))
    _, labels = placed(Scatter(spots), WORDS)
    assert [[index for index, _ in label.texts] for label in labels] == [[1, 0], [2]]
    shared, alone = labels
    assert shared.box.right - shared.box.left > alone.box.right - alone.box.left
    (_, first), (_, second) = shared.texts
    assert shared.box.top < first < second < shared.box.bottom
    assert not shared.box.meets(alone.box)


def test_a_machine_stands_on_a_line_below_the_name(data_of):
    spots = (spot(10, 0.8, host=1), spot(20, 0.9, host=2))
    spec = scatter.spec(Scatter(spots), WORDS)
    assert [row["text"] for row in data_of(spec, "tick")] == ["machine 1", "machine 2"]
    for name, note in zip(data_of(spec, "name"), data_of(spec, "tick"), strict=True):
        assert name["cost"] == note["cost"]
        assert note["quality"] < name["quality"]


def test_where_costs_are_equal_a_name_stands_beside_its_dot_and_not_on_the_line_to_another():
    spots = (spot(10, 0.99, top1_reach=0.01, letters=20), spot(10, 0.93, top1_reach=0.02, letters=16))
    _, labels = placed(Scatter(spots), WORDS)
    assert all(label.anchor != "center" for label in labels)
