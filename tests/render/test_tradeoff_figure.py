"""Accuracy against epsilon in the report: it agrees with the table, and draws nothing from a table that is none."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from efficiency360.records import AxisRecord, Measurement, Series
from efficiency360.render import html
from efficiency360.render.tradeoff import tradeoff
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from efficiency360.records import Scorecard

N = 200


def table(**changed: list[Any]) -> Series:
    """As the axis makes it: three epsilons and none."""
    ends = [wilson(hits, N) for hits in (120, 150, 170, 180)]
    columns = {
        "epsilon": [1.0, 3.0, 8.0, None],
        "accuracy": [hits / N for hits in (120, 150, 170, 180)],
        "low": [round(one.low, 4) for one in ends],
        "high": [round(one.high, 4) for one in ends],
    }
    return Series.model_validate(
        {"name": "privacy.tradeoff", "title": "Accuracy against epsilon", "columns": {**columns, **changed}}
    )


def test_epsilons_lie_on_a_log_axis_and_accuracies_on_a_straight_one() -> None:
    drawn = tradeoff(table())
    assert drawn is not None
    first, second, third = drawn.points
    assert (second.x - first.x) / (third.x - first.x) == pytest.approx(math.log(3) / math.log(8))
    assert (first.y - second.y) / (second.y - third.y) == pytest.approx(0.15 / 0.10)
    assert first.top < first.y < first.bottom
    assert drawn.without.x > drawn.right > third.x
    assert drawn.y.low == 0.5


def test_the_report_draws_it_says_it_and_keeps_the_table(card_of: Callable[..., Scorecard]) -> None:
    number = Measurement(name="privacy.nonprivate_accuracy", value=0.9, unit="proportion", n=N, interval=wilson(180, N))
    record = AxisRecord(id="privacy", version=1, status="measured", measurements=(number,), series=(table(),))
    page = html.render(card_of((record,)))
    figure = re.search(r'<svg class="curve".*?</svg>', page, re.DOTALL)
    assert figure is not None
    assert figure[0].count("<circle") == 4
    assert "At epsilon 1 60.0 % (" in figure[0]
    assert "without privacy 90.0 % (" in figure[0]
    assert "Accuracy against epsilon, as" in page or "privacy.tradeoff" in page


@pytest.mark.parametrize(
    "changed",
    [
        {"epsilon": [1.0, 3.0, 8.0, 9.0]},
        {"epsilon": [3.0, 1.0, 8.0, None]},
        {"epsilon": [0.0, 1.0, 8.0, None]},
        {"epsilon": ["1", 3.0, 8.0, None]},
        {"accuracy": [0.6, 0.7, None, 0.9]},
        {"accuracy": [0.6, 0.7, 0.8, 1.9]},
        {"high": [0.5, 0.5, 0.5, 0.5]},
    ],
)
def test_a_table_that_is_none_is_not_drawn(changed: dict[str, list[Any]]) -> None:
    assert tradeoff(table(**changed)) is None


def test_one_epsilon_is_enough() -> None:
    columns = {"epsilon": [1.0, None], "accuracy": [0.6, 0.9], "low": [0.5, 0.8], "high": [0.7, 0.95]}
    drawn = tradeoff(Series.model_validate({"name": "privacy.tradeoff", "title": "t", "columns": columns}))
    assert drawn is not None
    assert len(drawn.points) == 1
