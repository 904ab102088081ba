"""Numbers as a reader wants them: differences of proportions in points, wherever they are said."""

from __future__ import annotations

import pytest

from efficiency360.records import Interval, Measurement
from efficiency360.units import POINTS, margin, quantity, shown, spread


@pytest.mark.parametrize(
    ("value", "said"), [(0.012, "1.2 points"), (-0.006, "-0.6 points"), (0.01, "1 point"), (0, "0 points")]
)
def test_a_difference_of_proportions_is_said_in_points_with_its_sign(value: float, said: str) -> None:
    assert quantity(value, POINTS) == said


def test_an_interval_in_points_says_so_once() -> None:
    assert spread(Interval(low=-0.0244, high=0.0393, level=0.95, method="newcombe"), POINTS) == "-2.44 to 3.93 points"


def test_a_margin_in_points_is_that_of_a_proportion() -> None:
    assert margin(0.02, POINTS, relative=False) == margin(0.02, "proportion", relative=False) == "2 points"


def test_points_are_for_differences_in_shares_only() -> None:
    def unit(name: str, its_own: str) -> str:
        return shown(Measurement(name=name, value=0.5, unit=its_own))

    assert unit("privacy.dp_cost", "") == unit("fairness.accuracy_gap", "proportion") == POINTS
    assert unit("accuracy.top1", "proportion") == "proportion"
    assert unit("privacy.mia_auc", "") == ""
    assert unit("privacy.dp_cost", "ms") == "ms"
