"""Groups in the report: what is drawn agrees with the table, small groups are grey, markup stays text."""

from __future__ import annotations

import pytest

from efficiency360.records import AxisRecord, Measurement, Series
from efficiency360.render import html
from efficiency360.render.charts import groups as charts
from efficiency360.render.groups import groups
from efficiency360.statistics.intervals import wilson

HOSTILE = "\"'><script>alert(1)</script>{{ 7 * 7 }}"


def table(rows):
    """The axis's table of (attribute, group, hits, n, judged)."""
    ends = [wilson(hits, n) for _, _, hits, n, _ in rows]
    columns = {
        "attribute": [row[0] for row in rows],
        "group": [row[1] for row in rows],
        "n": [row[3] for row in rows],
        "judged": [row[4] for row in rows],
        "accuracy": [row[2] / row[3] for row in rows],
        "low": [one.low for one in ends],
        "high": [one.high for one in ends],
    }
    return Series.model_validate({"name": "fairness.groups", "title": "Groups", "columns": columns})


ROWS = [
    ("race", "A", 90, 100, True),
    ("race", HOSTILE, 60, 100, True),
    ("race", "C", 1, 3, False),
    ("race x age", f"A{' x '}0-9", 30, 50, True),
    ("race x age", "A x 10-19", 48, 50, True),
    ("race x age", "B x 10-19", 2, 4, False),
]


def record(rows=ROWS, series=None):
    number = Measurement(name="fairness.accuracy_gap", value=0.3, unit="proportion", params={"attribute": "race"})
    return AxisRecord(
        id="fairness", version=1, status="measured", measurements=(number,), series=(series or table(rows),)
    )


def test_the_worst_judged_group_is_marked_and_no_small_one():
    panel = groups([record()], ()).panels[0]
    assert [(one.name, one.worst, one.judged) for one in panel.groups] == [
        ("A", False, True), (HOSTILE, True, True), ("C", False, False),
    ]  # fmt: skip


def test_the_figure_has_a_row_a_group_with_the_tables_numbers_and_marks_the_worst_and_the_small(words, data_of):
    spec = charts.rows(groups([record()], ()).panels[0], words)
    rows = {name: data_of(spec, name) for name in ("dots", "hollow", "spread")}
    assert [(row["row"], row["accuracy"], row["worst"]) for row in rows["dots"]] == [(0, 90, False), (1, 60, True)]
    assert [row["row"] for row in rows["hollow"]] == [2]
    shapes = [one["mark"].get("shape") for one in spec["layer"] if one["name"].startswith("dots")]
    assert shapes == [None, "diamond"]
    ends = {row["row"]: (row["low"], row["high"]) for row in rows["spread"]}
    for row, (_, _, hits, n, _) in enumerate(ROWS[:3]):
        interval = wilson(hits, n)
        assert ends[row] == pytest.approx((100 * interval.low, 100 * interval.high))
    low, high = spec["encoding"]["x"]["scale"]["domain"]
    assert low <= min(ends.values())[0]
    assert high == 100
    assert "n 3" in [row["text"] for row in data_of(spec, "tick")]


def test_limits_are_marked_on_the_rows_of_their_groups(result_of, words, data_of):
    params = {"attribute": "race", "group": "A"}
    rules = [
        result_of("a", measurement="fairness.group_accuracy", limit=0.8, params=params),
        result_of("all", measurement="fairness.worst_group_accuracy", limit=0.7, params={"attribute": "race"}),
        result_of("other", measurement="fairness.group_accuracy", limit=0.9, params={"attribute": "age"}),
    ]
    spec = charts.rows(groups([record()], rules).panels[0], words)
    marks = [((row["from"] + row["to"]) / 2, row["accuracy"]) for row in data_of(spec, "bound")]
    assert sorted(marks) == [pytest.approx(mark) for mark in ((0, 70), (0, 80), (1, 70))]


def test_an_intersection_is_a_map_with_gaps_where_there_are_no_images(words, data_of):
    found = groups([record()], ()).maps[0]
    assert found.columns == ("0-9", "10-19")
    spec = charts.crossed(found, words)
    shades = [(row["line"], row["column"], row["percent"], row["shade"]) for row in data_of(spec, "number")]
    assert [row[:3] for row in shades] == [(0, 0, 60), (0, 1, 96)]
    assert shades[0][3] > shades[1][3] == 0
    unjudged = [(row["line"], row["column"], row["text"]) for row in data_of(spec, "unjudged")]
    assert sorted(unjudged) == [(1, 0, "\N{EN DASH}"), (1, 1, "50.0"), (1, 1, "n 4")]
    assert {row["text"] for row in data_of(spec, "note")} == {"n 50"}


def test_an_intersection_with_too_many_groups_stays_a_table(card_of, words):
    rows = [("race x age", f"A x {age}", 30, 50, True) for age in range(20)]
    found = groups([record(rows)], ()).maps[0]
    assert charts.crossed(found, words) is None
    page = html.render(card_of((record(rows),)))
    assert 'class="chart crossed"' not in page
    assert '<table class="heat groups">' in page


def test_no_table_or_one_that_makes_no_sense_draws_nothing():
    assert groups([], ()) is None
    columns = {"attribute": ["race"], "group": ["A"], "n": [3], "accuracy": ["high"], "low": [0.1], "high": [2.0]}
    odd = Series.model_validate({"name": "fairness.groups", "title": "Groups", "columns": columns})
    assert groups([record(series=odd)], ()) is None


def test_the_page_shows_the_groups_and_believes_no_markup(card_of):
    page = html.render(card_of((record(),)))
    assert "Accuracy by race" in page
    assert "too few images: shown, not judged" in page
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
