"""Where the figure of models puts what it shows."""

from __future__ import annotations

import pytest

from efficiency360.records import Interval, Measurement
from efficiency360.render.scatter import PLOT, Box, Spot, scatter


def spot(ms, top1, ms_reach=0.0, top1_reach=0.0, letters=6):
    def measured(name, value, unit, reach):
        interval = Interval(low=value - reach, high=value + reach, level=0.95, method="m") if reach else None
        return Measurement(name=name, value=value, unit=unit, interval=interval)

    latency = measured("speed.latency_ms", ms, "ms", ms_reach)
    return Spot(latency, measured("accuracy.top1", top1, "proportion", top1_reach), letters)


def test_known_values_stand_where_they_should():
    drawn = scatter([spot(10, 0.5, ms_reach=1, top1_reach=0.1), spot(20, 0.7)])
    first, second = drawn.points
    assert (drawn.x.low, drawn.x.high) == (0, 20)
    assert drawn.x.ticks == (0, 5, 10, 15, 20)
    assert drawn.y.ticks == pytest.approx((40, 50, 60, 70))
    across, down = PLOT.right - PLOT.left, PLOT.bottom - PLOT.top
    assert first.x == pytest.approx(PLOT.left + across / 2)
    assert first.y == pytest.approx(PLOT.bottom - down / 3)
    assert first.across == pytest.approx((PLOT.left + across * 9 / 20, PLOT.left + across * 11 / 20))
    assert first.down == pytest.approx((PLOT.bottom - down * 2 / 3, PLOT.bottom))
    assert (second.x, second.y) == pytest.approx((PLOT.right, PLOT.top))
    assert second.across is None
    assert second.down is None


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
def test_everything_lies_within_the_plot(spots):
    drawn = scatter(spots)
    assert drawn.x.low == 0
    assert 0 <= drawn.y.low < drawn.y.high <= 100 + 1e-9
    assert 2 <= len(drawn.x.ticks) <= 8
    assert 2 <= len(drawn.y.ticks) <= 8
    slack = Box(PLOT.left - 1e-6, PLOT.top - 1e-6, PLOT.right + 1e-6, PLOT.bottom + 1e-6)
    for point in drawn.points:
        left, right = point.across or (point.x, point.x)
        top, bottom = point.down or (point.y, point.y)
        assert Box(left, top, right, bottom).within(slack)
        assert point.label.box.within(PLOT)


def test_labels_keep_off_each_other_and_off_the_dots():
    points = scatter([spot(10 + step, 0.8 + step / 50, 0.5, 0.04, letters=18) for step in range(4)]).points
    for point in points:
        dot = Box(point.x - 2, point.y - 2, point.x + 2, point.y + 2)
        assert not [other for other in points if other.label.box.meets(dot)]
        assert not [other for other in points if other is not point and other.label.box.meets(point.label.box)]


def test_dots_on_one_place_share_a_label_that_names_all_of_them_from_the_top_down():
    points = scatter([spot(10, 0.8, letters=9), spot(10, 0.8001, letters=12), spot(10, 0.5, letters=6)]).points
    assert [[index for index, _ in point.texts] for point in points] == [[], [1, 0], [2]]
    shared = points[1].label.box
    assert shared.right - shared.left > points[2].label.box.right - points[2].label.box.left
    (_, first), (_, second) = points[1].texts
    assert shared.top < first < second < shared.bottom
    assert not shared.meets(points[2].label.box)


def test_where_costs_are_equal_a_name_stands_beside_its_dot_and_not_on_the_line_to_another():
    for point in scatter(
        [spot(10, 0.99, top1_reach=0.01, letters=20), spot(10, 0.93, top1_reach=0.02, letters=16)]
    ).points:
        assert point.label.anchor != "middle"
