"""The heat map of corruptions: the table's numbers, the worst first, the darker the more is lost."""

from __future__ import annotations

import re

import pytest

from efficiency360.records import Series
from efficiency360.render.charts import corruptions
from efficiency360.render.charts.heat import ROWS
from efficiency360.render.charts.kinds import chart

ROWS_OF = {"fog": (0.85, 0.7, 0.5), "gaussian_noise": (0.6, 0.3, 0.1), "jpeg": (0.9, 0.89, 0.88)}


def table(rows=ROWS_OF, clean=0.9, **changed):
    """As the axis makes it."""
    shares = list(zip(*rows.values(), strict=True))
    columns = {"corruption": list(rows), "clean": [clean] * len(rows)}
    columns |= {f"severity_{2 * index + 1}": list(column) for index, column in enumerate(shares)}
    columns["mean"] = [round(sum(row) / max(len(row), 1), 4) for row in rows.values()]
    return Series.model_validate({"name": "robustness.corruptions", "title": "C", "columns": columns | changed})


def test_cells_are_the_series_numbers_the_worst_first(words, data_of):
    spec = corruptions.spec(corruptions.read(table()), words)
    cells = {(row["line"], row["column"]): row["percent"] for row in data_of(spec, "number")}
    expected = [(60, 30, 10, 33.33), (85, 70, 50, 68.33), (90, 89, 88, 89)]
    assert cells == {
        (line, column): pytest.approx(percent)
        for line, row in enumerate(expected)
        for column, percent in enumerate(row)
    }
    assert [row["text"] for row in sorted(data_of(spec, "names"), key=lambda row: row["line"])] == [
        "gaussian noise", "fog", "jpeg",
    ]  # fmt: skip
    assert [row["text"] for row in data_of(spec, "tick")] == ["1", "3", "5", words["robustness"]["heat"]["mean"]]


def test_a_cell_is_the_darker_the_more_of_the_clean_accuracy_is_lost(words, data_of):
    shares = [0.9, 0.85, 0.75, 0.6, 0.4, 0.2, 0.0]
    spec = corruptions.spec(corruptions.read(table({"fog": shares})), words)
    shades = {row["column"]: row["shade"] for row in data_of(spec, "number")}
    assert [shades[column] for column in range(7)] == [0, 1, 2, 3, 4, 5, 5]
    assert {row["column"] for row in data_of(spec, "cells")} == {1, 2, 3, 4, 5, 6, 7}


def test_a_model_that_is_never_right_has_nothing_to_lose(words, data_of):
    spec = corruptions.spec(corruptions.read(table({"fog": [0.0, 0.1]}, clean=0.0)), words)
    assert {row["shade"] for row in data_of(spec, "number")} == {0}


@pytest.mark.parametrize(("rows", "bold"), [(ROWS_OF, ["gaussian noise"]), ({"fog": (0.5,)}, [])])
def test_the_worst_stands_out_where_there_are_others(words, data_of, rows, bold):
    spec = corruptions.spec(corruptions.read(table(rows)), words)
    assert [row["text"] for row in data_of(spec, "names") if row["strong"]] == bold


def test_what_there_is_no_room_for_is_left_to_the_table(words, data_of):
    drawn = corruptions.read(table({f"c{index}": (index / 100,) for index in range(60)}))
    spec = corruptions.spec(drawn, words)
    assert len(drawn.lines) == 60
    assert len(data_of(spec, "names")) == ROWS
    assert max(row["percent"] for row in data_of(spec, "number")) == 39


@pytest.mark.parametrize(
    "series",
    [table({}), table({"fog": (0.5, 1.5)}), table({"fog": ()}), table({"fog": (0.5,) * 12}), table(mean=[0, "a", 1])],
    ids=["none", "no share", "no severity", "too many", "no number"],
)  # fmt: skip
def test_a_table_that_is_no_heat_map_is_not_drawn(series):
    assert corruptions.read(series) is None


def test_names_are_said_in_the_language_of_the_page(words):
    known = {"gaussian_noise": "ガウス雑音", "fog": "霧"}
    drawn = str(chart("corruptions", corruptions.read(table()), words, "", "", told=lambda name: known.get(name, name)))
    assert re.findall(">(ガウス雑音|霧|jpeg|fog|gaussian noise)<", drawn) == ["霧", "jpeg", "ガウス雑音"]
