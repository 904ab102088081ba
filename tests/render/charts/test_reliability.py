"""Confidence and accuracy: the table's bins about the diagonal, with Wilson's intervals."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint

from efficiency360.records import Series
from efficiency360.render.charts import reliability

COLUMNS = {"confidence": [0.9, 0.2, 0.6], "accuracy": [0.95, 0.3, 0.55], "images": [20, 30, 40]}


def table(**changed):
    return Series.model_validate({"name": "uncertainty.reliability", "title": "R", "columns": COLUMNS | changed})


def test_dots_are_the_bins_and_lines_wilsons_intervals(words, data_of):
    rows = data_of(reliability.spec(reliability.read(table()), words), "dots")
    assert [(row["confidence"], row["accuracy"], row["images"]) for row in rows] == [
        pytest.approx(row) for row in ((20, 30, 30), (60, 55, 40), (90, 95, 20))
    ]
    for row in rows:
        low, high = proportion_confint(row["accuracy"] * row["images"] / 100, row["images"], method="wilson")
        assert (row["low"], row["high"]) == pytest.approx((100 * low, 100 * high), abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "start"),
    [({}, 0), ({"confidence": [0.95, 0.99, 0.97], "accuracy": [0.95, 1.0, 1.0], "images": [400] * 3}, 90)],
)
def test_both_axes_are_the_same_and_hold_all_that_is_drawn(words, data_of, domain_of, changed, start):
    spec = reliability.spec(reliability.read(table(**changed)), words)
    assert domain_of(spec, "x") == domain_of(spec, "y") == (start, 100)
    assert [(row["confidence"], row["accuracy"]) for row in data_of(spec, "chance")] == [(start, start), (100, 100)]
    assert min(row["low"] for row in data_of(spec, "spread")) >= start


@pytest.mark.parametrize(
    "changed",
    [
        {"confidence": [0.1, 1.2, 0.3]},
        {"accuracy": [0.1, None, 0.3]},
        {"images": [1, 0, 1]},
        {"images": [1, 2.5, 1]},
        {"images": ["many", 1, 1]},
        {"confidence": [], "accuracy": [], "images": []},
    ],
)
def test_a_table_that_is_none_is_not_drawn(changed):
    assert reliability.read(table(**changed)) is None
