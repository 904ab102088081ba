"""The curves of membership inference: where they lie, and tables that are none."""

from __future__ import annotations

from itertools import pairwise

import pytest

from efficiency360.records import Series
from efficiency360.render.roc import roc


def series(**changed):
    columns = {
        "attack": ["loss", "loss", "loss", "calibrated", "calibrated"],
        "fpr": [0.002, 0.01, 1.0, 0.002, 1.0],
        "tpr": [0.0, 0.1, 1.0, 0.02, 1.0],
    }
    return Series(name="privacy.roc", title="Members found", columns=columns | changed)


def test_every_decade_is_as_wide_and_nothing_found_lies_on_the_floor():
    drawn = roc(series())
    assert drawn.x.ticks == (0.001, 0.01, 0.1, 1.0)
    places = [drawn.x.at(tick) for tick in drawn.x.ticks]
    assert [b - a for a, b in pairwise(places)] == pytest.approx([places[1] - places[0]] * 3)
    assert drawn.y.at(0.0) == drawn.y.start
    assert drawn.y.at(1.0) == drawn.y.end
    assert [line.attack for line in drawn.lines] == ["loss", "calibrated"]
    assert drawn.lines[0].dashes != drawn.lines[1].dashes


def test_a_reader_who_does_not_see_it_is_told_the_rates_that_the_data_resolve():
    lines = roc(series()).lines
    assert lines[0].told == ((0.01, 0.1), (0.1, 0.1))
    assert lines[1].told == ((0.01, 0.02), (0.1, 0.02))


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
    assert roc(series(**changed)) is None
