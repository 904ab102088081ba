"""Accuracy under attack: the table's numbers at their radii, limits over theirs, and tables that are none."""

from __future__ import annotations

import numpy as np
import pytest

from efficiency360.radii import levels
from efficiency360.records import Series
from efficiency360.render.charts import robustness
from efficiency360.statistics.intervals import wilson

N = 200
EPS = (1 / 255, 4 / 255, 0.1)
RIGHT = (180, 150, 61, 7)


def table(eps=EPS, right=RIGHT):
    """As the axis makes it."""
    ends = [wilson(hits, N) for hits in right]
    columns = {
        "eps": [0.0, *(round(radius, 6) for radius in eps)],
        "accuracy": [round(hits / N, 4) for hits in right],
        "low": [round(one.low, 4) for one in ends],
        "high": [round(one.high, 4) for one in ends],
    }
    return Series.model_validate({"name": "robustness.curve", "title": "Accuracy under attack", "columns": columns})


def test_dots_and_intervals_are_the_tables_numbers_in_percent(words, data_of, domain_of):
    series = table()
    spec = robustness.spec(robustness.read(series, ()), words)
    for name in ("dots", "line", "spread"):
        rows = data_of(spec, name)
        assert [row["eps"] for row in rows] == series.columns["eps"]
        for column in ("accuracy", "low", "high"):
            assert [row[column] for row in rows] == pytest.approx([100 * cell for cell in series.columns[column]])
    assert domain_of(spec, "x") == (0, 0.1)
    assert domain_of(spec, "y") == (0, 100)
    assert [row["text"] for row in data_of(spec, "value")] == ["90.0", "75.0", "30.5", "3.5"]


@pytest.mark.parametrize(
    ("eps", "n"), [(4 / 255, 4), (round(1 / 255, 6), 1), (0.2, None), (0.3, None), (0.0157, None), (0.0, None)]
)
def test_a_radius_in_255ths_is_named_so_and_a_short_decimal_is_not(eps, n):
    assert levels(eps) == n


def test_labels_of_many_radii_stand_apart_and_the_last_is_there(words, data_of):
    eps = [index / 255 for index in range(1, 41)]
    spec = robustness.spec(robustness.read(table(eps, [180 - index for index in range(41)]), ()), words)
    assert len(data_of(spec, "dots")) == 41
    assert not data_of(spec, "value")
    told = data_of(spec, "tick")
    radii = [row["eps"] for row in told if "/" not in row["text"]]
    assert min(np.diff(radii)) * spec["width"] / radii[-1] >= 39
    assert "40/255" in [row["text"] for row in told]


def test_limits_lie_at_their_height_over_their_radii(result_of, words, data_of):
    limit = {"measurement": "robustness.adversarial_accuracy", "limit": 0.25}
    rules = [result_of("robust", **limit, params={"eps": round(radius, 6)}) for radius in EPS[:2]]
    other = result_of("no-drop", **{**limit, "limit": 0.01}, bound="no_worse_than_baseline", params={"eps": 0.1})
    drawn = robustness.read(table(), [*rules, other, result_of("top1", limit=0.5)])
    (line,) = data_of(robustness.spec(drawn, words), "bound")
    assert line["accuracy"] == 25
    assert line["from"] < EPS[0] < EPS[1] < line["to"] < EPS[2]
    assert line["text"] == "at least 25.0 %"


@pytest.mark.parametrize(
    "columns",
    [
        {"eps": [0.0]},
        {"eps": [0.0, 0.0]},
        {"eps": [0.1, 0.2]},
        {"eps": [0.0, "far"]},
        {"eps": [0.0, None]},
        {"eps": [0.0, True]},
        {"accuracy": [0.9, 1.2]},
        {"low": [0.95, 0.2]},
        {"other": [1, 2]},
    ],
    ids=str,
)
def test_a_table_that_is_no_curve_is_not_drawn(columns):
    sound = {"eps": [0.0, 0.1], "accuracy": [0.9, 0.5], "low": [0.8, 0.4], "high": [1.0, 0.6]}
    rows = len(next(iter(columns.values())))
    broken = {name: (columns.get(name) or cells)[:rows] for name, cells in sound.items()}
    if "other" in columns:
        del broken["low"]
    series = Series.model_validate({"name": "robustness.curve", "title": "Odd", "columns": broken})
    assert robustness.read(series, ()) is None
