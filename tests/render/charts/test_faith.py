"""Deletion and insertion: the table's curves in two charts that tell their lines apart without colour."""

from __future__ import annotations

import pytest

from efficiency360.records import Series
from efficiency360.render.charts import faith

COLUMNS = {
    "changed": [0.0, 0.5, 1.0],
    "deletion_grad_cam": [0.9, 0.2, 0.1],
    "deletion_random": [0.9, 0.5, 0.1],
    "insertion_grad_cam": [0.1, 0.8, 0.9],
    "insertion_random": [0.1, 0.5, 0.9],
}


def table(**changed):
    return Series.model_validate({"name": "transparency.curves", "title": "t", "columns": {**COLUMNS, **changed}})


def test_lines_are_the_tables_numbers_in_percent_random_last(words, data_of):
    drawn = faith.read(table())
    assert [panel.kind for panel in drawn.panels] == ["deletion", "insertion"]
    for panel in drawn.panels:
        spec = faith.spec(panel, words)
        places = [(row["changed"], row["probability"]) for row in data_of(spec, "line")]
        columns = [COLUMNS[f"{panel.kind}_{method}"] for method in ("grad_cam", "random")]
        expected = [(100 * a, 100 * b) for column in columns for a, b in zip(COLUMNS["changed"], column, strict=True)]
        assert places == [pytest.approx(place) for place in expected]
        assert [row["text"] for row in data_of(spec, "direct")] == ["grad cam", words["transparency"]["random"]]
        lines = [one["mark"].get("strokeDash") for one in spec["layer"] if one["name"].startswith("line")]
        assert len(set(map(str, lines))) == len(lines)


@pytest.mark.parametrize(
    "changed",
    [
        {"changed": [0.0, 0.0, 1.0]},
        {"changed": [0.0, None, 1.0]},
        {"deletion_grad_cam": [0.9, 1.2, 0.1]},
        {"deletion_grad_cam": ["a", "b", "c"]},
        {"deletion_other": [0.9, 0.2, 0.1]},
        {f"{kind}_{n}": [0.9, 0.2, 0.1] for kind in ("deletion", "insertion") for n in range(5)},
    ],
)
def test_what_is_no_curve_is_not_drawn(changed):
    assert faith.read(table(**changed)) is None
