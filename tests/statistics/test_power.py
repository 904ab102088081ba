"""Sample sizes against exact binomial power, simulation and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.power import TTestPower

from efficiency360.statistics.differences import tango
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.paired import decide
from efficiency360.statistics.power import (
    images_for_limit,
    images_for_margin,
    images_for_mean,
    more_by_width,
    power_of_margin,
)

REPEATS = 1000


def power_of_limit(p, limit, n):
    """The exact chance that Wilson's interval of n images leaves out the limit on the side where p is."""
    sides = [wilson(k, n) for k in range(n + 1)]
    out = [i.low > limit if p > limit else i.high < limit for i in sides]
    return float(binom.pmf(np.arange(n + 1), n, p)[out].sum())


@pytest.mark.parametrize(
    ("p", "limit"),
    [(0.8, 0.75), (0.75, 0.8), (0.93, 0.9), (0.5, 0.6), (0.03, 0.0), (0.97, 1.0), (1.0, 0.9), (0.0, 0.1)],
)
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_as_many_images_leave_out_the_limit_as_often_as_asked(p, limit, power):
    n = images_for_limit(p, limit, power=power)
    assert n is not None
    assert power - 0.015 <= power_of_limit(p, limit, n)
    assert power_of_limit(p, limit, math.floor(0.85 * n)) < power


@pytest.mark.parametrize(
    ("drop", "discordance", "margin"), [(0.03, 0.12, 0.0), (0.0, 0.12, 0.02), (0.01, 0.05, 0.03), (-0.01, 0.3, 0.03)]
)
def test_as_many_pairs_settle_the_margin_as_often_as_asked(drop, discordance, margin):
    n = images_for_margin(drop, discordance, margin)
    assert n is not None
    shares = (discordance + drop) / 2, (discordance - drop) / 2, 1 - discordance
    found = np.random.default_rng(0).multinomial(n, shares, size=REPEATS)
    outcome = "fail" if drop > margin else "pass"
    settled = sum(decide(tango(a, b, n), margin) == outcome for a, b, _ in found.tolist())
    assert binom.ppf(0.001, REPEATS, 0.78) <= settled <= binom.ppf(0.999, REPEATS, 0.82)
    assert power_of_margin(drop, discordance, margin, n) == pytest.approx(0.8, abs=0.005)


def test_power_of_a_margin_is_what_happens():
    found = np.random.default_rng(0).multinomial(800, (0.075, 0.045, 0.88), size=REPEATS)
    settled = sum(decide(tango(a, b, 800), 0.0) == "fail" for a, b, _ in found.tolist())
    assert settled / REPEATS == pytest.approx(power_of_margin(0.03, 0.12, 0.0, 800), abs=0.05)


def test_a_truth_on_the_limit_is_never_settled():
    assert images_for_limit(0.8, 0.8) is None
    assert images_for_margin(0.01, 0.1, 0.01) is None
    assert images_for_mean(0.0, 1.0) is None
    assert more_by_width(0.1, 100, 0.0) is None
    assert power_of_margin(0.01, 0.1, 0.01, 10_000) == pytest.approx(0.025, abs=0.001)


def test_more_than_a_billion_images_are_none():
    assert images_for_limit(0.8, 0.8 + 1e-6) is None
    assert images_for_margin(1e-6, 0.2, 0.0) is None
    assert images_for_mean(1e-6, 1.0) is None
    assert more_by_width(0.1, 100, 1e-6) is None


def test_models_that_never_differed_still_need_images():
    n = images_for_margin(0.0, 0.0, 0.01)
    assert n == 381
    assert decide(tango(0, 0, n), 0.01) == "pass"
    assert decide(tango(0, 0, n - 1), 0.01) == "inconclusive"
    assert power_of_margin(0.0, 0.0, 0.01, n) == 1
    assert power_of_margin(0.0, 0.0, 0.01, n - 1) == 0


def test_discordance_is_at_least_the_drop():
    assert images_for_margin(0.05, 0.0, 0.01) == images_for_margin(0.05, 0.05, 0.01)


@pytest.mark.parametrize(("effect", "sd"), [(0.5, 1.0), (-0.2, 1.0), (3.0, 10.0)])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_images_for_a_mean_are_statsmodels(effect, sd, power):
    theirs = TTestPower().solve_power(effect_size=abs(effect) / sd, alpha=0.05, power=power)
    assert images_for_mean(effect, sd, power=power) == pytest.approx(theirs, abs=1.01)


def test_a_mean_of_equal_values_needs_two():
    assert images_for_mean(1.0, 0.0) == 2


def test_images_by_width_are_those_for_a_mean():
    half = 1.959964 * 1.0 / math.sqrt(1000)
    by_width, by_mean = more_by_width(half, 1000, 0.02), images_for_mean(0.02, 1.0)
    assert by_width == pytest.approx(by_mean, abs=3)


def test_a_half_width_equal_to_the_distance_takes_twice_the_images():
    assert more_by_width(0.02, 1000, 0.02) == pytest.approx(2043, abs=1)  # (1 + 0.8416 / 1.9600) ** 2


@pytest.mark.parametrize("bad", [math.nan, math.inf, -2.0])
def test_numbers_out_of_range_are_refused(bad):
    for call in (
        lambda: images_for_limit(bad, 0.5),
        lambda: images_for_margin(0.1, 0.2, bad),
        lambda: images_for_margin(bad, 0.2, 0.0),
        lambda: power_of_margin(0.1, bad, 0.0, 100),
        lambda: images_for_mean(0.1, bad),
        lambda: more_by_width(bad, 100, 0.1),
    ):
        with pytest.raises(ValueError, match="has to be a number"):
            call()
    with pytest.raises(ValueError, match="at least one image"):
        power_of_margin(0.1, 0.1, 0.0, 0)
