"""Accuracy against epsilon in the report: it agrees with the table, and draws nothing from a table that is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from efficiency360.records import AxisRecord, Measurement, Series
from efficiency360.render import html
from efficiency360.render.charts import tradeoff
from efficiency360.render.charts.tradeoff import read
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


def test_it_draws_the_tables_numbers_epsilon_on_a_log_scale(words, data_of, domain_of) -> None:
    spec = tradeoff.spec(read(table()), words)
    dots = data_of(spec, "dots")
    assert [row["epsilon"] for row in dots] == [1.0, 3.0, 8.0]
    for name in ("accuracy", "low", "high"):
        assert [row[name] for row in dots] == pytest.approx([100 * cell for cell in table().columns[name][:-1]])
    assert data_of(spec, "spread") == dots
    assert spec["encoding"]["x"]["scale"]["type"] == "log"
    low, high = domain_of(spec, "x")
    assert low < 1
    assert high > 8
    assert domain_of(spec, "y") == (50, 100)


def test_training_without_privacy_is_a_line_with_its_interval_and_its_name(words, data_of) -> None:
    spec = tradeoff.spec(read(table()), words)
    (line,), (band,), (label,) = (data_of(spec, name) for name in ("bound", "band", "direct"))
    assert line["accuracy"] == pytest.approx(90.0)
    assert (band["low"], band["high"]) == pytest.approx([100 * table().columns[name][-1] for name in ("low", "high")])
    assert "90.0 %" in label["text"]
    assert "privacy" in label["text"]


def test_labels_of_epsilons_keep_apart(words) -> None:
    columns = {"epsilon": [1.0, 1.05, 1.1, 8.0, None], **dict.fromkeys(("accuracy", "low", "high"), [0.5] * 5)}
    spec = tradeoff.spec(read(table(**columns)), words)
    assert spec["encoding"]["x"]["axis"]["values"] == [1.0, 8.0]


def test_the_report_draws_it_says_it_and_keeps_the_table(card_of: Callable[..., Scorecard]) -> None:
    number = Measurement(name="privacy.nonprivate_accuracy", value=0.9, unit="proportion", n=N, interval=wilson(180, N))
    record = AxisRecord(id="privacy", version=1, status="measured", measurements=(number,), series=(table(),))
    page = html.render(card_of((record,)))
    figure = re.search(r'<svg class="chart tradeoff".*?</svg>', page, re.DOTALL)
    assert figure is not None
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
    assert read(table(**changed)) is None


def test_one_epsilon_is_enough() -> None:
    columns = {"epsilon": [1.0, None], "accuracy": [0.6, 0.9], "low": [0.5, 0.8], "high": [0.7, 0.95]}
    drawn = read(Series.model_validate({"name": "privacy.tradeoff", "title": "t", "columns": columns}))
    assert drawn is not None
    assert len(drawn.points) == 1
