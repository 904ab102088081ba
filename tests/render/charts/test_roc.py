"""The curves of membership inference: the table's numbers on log scales, and tables that are none."""

from __future__ import annotations

import pytest

from efficiency360.records import Series
from efficiency360.render.charts import roc


def series(**changed):
    columns = {
        "attack": ["loss", "loss", "loss", "calibrated", "calibrated"],
        "fpr": [0.002, 0.01, 1.0, 0.002, 1.0],
        "tpr": [0.0, 0.1, 1.0, 0.02, 1.0],
    }
    return Series(name="privacy.roc", title="Members found", columns=columns | changed)


def test_the_table_is_drawn_on_log_scales_and_nothing_found_lies_on_the_floor(words, data_of, domain_of):
    spec = roc.spec(roc.read(series()), words)
    for channel in ("x", "y"):
        assert spec["encoding"][channel]["scale"]["type"] == "log"
        assert domain_of(spec, channel) == (0.1, 100)
        assert spec["encoding"][channel]["axis"]["values"] == [0.1, 1, 10, 100]
    drawn = [(row["accused"], row["found"]) for row in data_of(spec, "line")]
    assert drawn == [pytest.approx(place) for place in ((0.2, 0.1), (1, 10), (100, 100), (0.2, 2), (100, 100))]


def test_lines_differ_without_colour_and_the_key_names_them_and_chance(words, data_of):
    spec = roc.spec(roc.read(series()), words)
    dashes = [tuple(one["mark"].get("strokeDash", ())) for one in spec["layer"] if one["name"].startswith("line")]
    assert len(set(dashes)) == 2
    assert [row["text"] for row in data_of(spec, "direct")] == ["loss", "calibrated", words["charts"]["roc"]["chance"]]
    keys = [tuple(one["mark"].get("strokeDash", ())) for one in spec["layer"] if one["name"].startswith("key")]
    assert keys[:2] == dashes
    assert {(row["accused"], row["found"]) for row in data_of(spec, "chance")} == {(0.1, 0.1), (100, 100)}


def test_a_reader_who_does_not_see_it_is_told_the_rates_that_the_data_resolve():
    curves = roc.read(series()).curves
    assert curves[0].told == ((0.01, 0.1), (0.1, 0.1))
    assert curves[1].told == ((0.01, 0.02), (0.1, 0.02))


@pytest.mark.parametrize(
    "changed",
    [
        {"fpr": [0.01, 0.002, 1.0, 0.002, 1.0]},
        {"tpr": [0.2, 0.1, 1.0, 0.02, 1.0]},
        {"fpr": [0.0, 0.01, 1.0, 0.002, 1.0]},
        {"tpr": ["a", 0.1, 1.0, 0.02, 1.0]},
        {"tpr": [True, 0.1, 1.0, 0.02, 1.0]},
        {"tpr": [0.0, 0.1, 1.5, 0.02, 1.0]},
        {"attack": [None, "loss", "loss", "a", "a"]},
        {"attack": ["a", "b", "c", "d", "e"]},
        {"attack": [], "fpr": [], "tpr": []},
    ],
)
def test_a_table_that_is_no_curve_is_not_drawn(changed):
    assert roc.read(series(**changed)) is None
