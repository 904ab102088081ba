"""Groups in the report: what is drawn agrees with the table, small groups are grey, markup stays text."""

from __future__ import annotations

import pytest

from efficiency360.records import AxisRecord, Measurement, Series
from efficiency360.render import html
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


def test_a_dot_lies_within_its_interval_on_the_scale():
    panel = groups([record()], ()).panels[0]
    low, high = panel.scale
    for one in panel.groups:
        figure = one.figure(panel.scale)
        assert 0 <= figure.low <= figure.value <= figure.high <= 100
        assert low + figure.value / 100 * (high - low) == pytest.approx(one.accuracy)


def test_an_intersection_is_a_map_with_gaps_where_there_are_no_images():
    found = groups([record()], ()).maps[0]
    assert found.columns == ("0-9", "10-19")
    (_, first), (_, second) = found.lines
    assert [(cell[0].accuracy, cell[1] > 0) for cell in first] == [(0.6, True), (0.96, False)]
    assert second[0] is None
    assert second[1][1] == 0


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
