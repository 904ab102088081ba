"""The geometry of the wheel, against what a circle is."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest

from efficiency360.render.wheel import HUB, RIM, radius, wheel


def corners(path: str) -> list[tuple[float, float]]:
    """Degrees clockwise from the top and distance of a wedge's corners: inner start, outer start, outer end."""
    points = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)|1 (-?[\d.]+) (-?[\d.]+)L", path)
    pairs = [(float(a or c), float(b or d)) for a, b, c, d in points]
    return [(math.degrees(math.atan2(x, -y)) % 360, math.hypot(x, y)) for x, y in pairs]


def test_sectors_share_the_circle_equally_and_start_at_the_top() -> None:
    starts = [corners(sector.track)[1][0] for sector in wheel([None] * 12)]
    steps = [(after - before) % 360 for before, after in pairwise(starts)]
    assert steps == pytest.approx([30] * 11, abs=0.1)
    assert starts[0] == pytest.approx(360 - 15 + 0.8, abs=0.1)


@pytest.mark.parametrize("score", [1, 25, 50, 100])
def test_the_filled_radius_is_the_score(score: float) -> None:
    (fill,) = {sector.fill for sector in wheel([score] + [None] * 10) if sector.fill}
    distances = [distance for _, distance in corners(fill)]
    assert distances[0] == pytest.approx(HUB, abs=0.02)
    assert distances[1:3] == pytest.approx([HUB + (RIM - HUB) * score / 100] * 2, abs=0.02)


def test_no_score_fills_nothing_and_neither_does_zero() -> None:
    assert [sector.fill for sector in wheel([None, 0.0, 50.0])][:2] == [None, None]


def test_rings_lie_where_scores_end() -> None:
    assert (radius(0), radius(100)) == (HUB, RIM)
    assert radius(50) == (HUB + RIM) / 2


def test_labels_lean_away_from_the_wheel() -> None:
    top, right, bottom, left = wheel([None] * 4)
    assert [sector.anchor for sector in (top, right, bottom, left)] == ["middle", "start", "middle", "end"]
    assert float(right.x) > RIM
    assert float(left.x) < -RIM
    assert float(bottom.y) > RIM
    assert float(top.y) < -RIM


def test_numbers_are_short_and_have_no_negative_zero() -> None:
    for sector in wheel([10.0] * 11):
        for number in re.findall(r"-?[\d.]+", sector.track):
            assert number != "-0"
            assert len(number) <= 7
