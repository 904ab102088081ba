"""Radii as people write and read them."""

from __future__ import annotations

import pytest

from efficiency360.radii import levels, listed, radius, told


@pytest.mark.parametrize("n", range(1, 256))
def test_every_step_of_a_byte_is_read_back_from_what_a_scorecard_keeps(n):
    kept = round(radius(f"{n}/255"), 6)
    assert told(kept) == (f"{n}/255" if n not in {51, 102, 153, 204, 255} else f"{kept:g}")


@pytest.mark.parametrize(
    ("eps", "said"), [(0, "0"), (0.3, "0.3"), (0.031, "0.031"), (1, "1"), (0.25 / 255, "0.000980392")]
)
def test_other_radii_stay_numbers(eps, said):
    assert levels(eps) is None
    assert told(eps) == said


def test_only_radii_are_read_so():
    assert listed({"eps": 0.015686, "attack": "quick", "other": 0.015686}) == "attack=quick, eps=4/255, other=0.015686"


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "4/255", None])
def test_what_is_no_number_is_shown_as_it_is(value):
    assert told(value) == str(value)
