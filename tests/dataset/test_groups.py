"""Columns become groups: missing values, numbers in bins, intersections; a column that makes none is said to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from efficiency360.dataset.groups import attribute, attributes_of
from efficiency360.errors import InputError


def counts(found):
    return dict(zip(found.groups, np.bincount(found.codes).tolist(), strict=True))


def test_text_is_grouped_as_it_stands_in_the_order_of_the_numbers_in_it():
    found = attribute("age", ["60+", "0-9", "10-19", "0-9 ", "teen"])
    assert counts(found) == {"0-9": 2, "10-19": 1, "60+": 1, "teen": 1}
    assert found.groups == ("0-9", "10-19", "60+", "teen")


def test_numbers_are_cut_at_their_quantiles_as_pandas_cuts_them():
    ages = np.random.default_rng(0).permutation(np.arange(100))
    found = attribute("age", list(map(str, ages)), bins=4)
    theirs = pd.qcut(ages, 4, labels=False)
    assert counts(found) == {"below 24": 24, "24 to 49": 25, "49 to 74": 25, "74 and up": 26}
    assert (np.abs(found.codes - theirs) <= 1).all()


def test_given_edges_cut_and_a_number_on_an_edge_belongs_above_it():
    found = attribute("age", ["17", "18", "64.9", "65", "nan"], edges=[18, 65])
    assert counts(found) == {"below 18": 1, "18 to 65": 2, "65 and up": 1, "missing": 1}


def test_few_different_numbers_are_categories():
    assert attribute("stars", ["1", "2", "3"] * 5).groups == ("1", "2", "3")


def test_a_number_is_one_group_however_it_is_written():
    assert counts(attribute("stars", ["1", "1.0", "01", "2.5", "nan"] * 2)) == {"1": 6, "2.5": 2, "missing": 2}
    assert counts(attribute("code", ["1", "1.0", "x"])) == {"1": 1, "1.0": 1, "x": 1}


def test_numbers_that_are_mostly_one_are_still_cut():
    found = attribute("income", ["0"] * 90 + [str(n) for n in range(1, 21)])
    assert counts(found) == {"below 1": 90, "1 and up": 20}


@pytest.mark.parametrize("gap", ["", "  ", "NaN", "NA", "n/a", "null", "None"])
def test_a_missing_value_is_a_group_of_its_own(gap):
    found = attribute("race", ["A", gap, "A"])
    assert counts(found) == {"A": 2, "missing": 1}
    assert found.missing == 1


def test_an_intersection_holds_the_pairs_that_occur():
    columns = {"race": ["A", "B", "A", "B"], "age": ["old", "old", "young", "old"]}
    found = attributes_of(["race x age"], columns)[0]
    assert counts(found) == {"A x old": 1, "A x young": 1, "B x old": 2}
    assert found.columns == ("race", "age")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["A"] * 40, "has one value only, 'A'"),
        (["", "nan"] * 20, "all 40 are missing"),
        ([f"person {n}" for n in range(40)], "40 different values for 40 images"),
    ],
)
def test_a_column_that_makes_no_groups_is_refused(values, said):
    with pytest.raises(InputError, match=said):
        attribute("race", values)


def test_an_unknown_column_suggests_the_nearest():
    with pytest.raises(InputError, match="no column 'age_grup' to group by; did you mean 'age_group'"):
        attributes_of(["age_grup"], {"age_group": ["a", "b"], "race": ["c", "d"]})


def test_edges_of_a_column_of_text_are_refused():
    with pytest.raises(InputError, match="does not hold numbers, such as 'B'"):
        attribute("race", ["1", "B"], edges=[2])
