"""Adjusted p-values against statsmodels, and how often simultaneous intervals miss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm, studentized_range
from statsmodels.stats.multitest import multipletests

from efficiency360.statistics.multiplicity import gap_draws, holm, largest_gap, max_t

SIMULATIONS = 2000
MOST_MISSES = binom.ppf(0.999, SIMULATIONS, 0.05)
FEWEST_MISSES = binom.ppf(0.001, SIMULATIONS, 0.05)
few = settings(derandomize=True, deadline=None, max_examples=20)


class TestHolm:
    @few
    @given(st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.02, 0.04]), min_size=1, max_size=30))
    def test_it_agrees_with_statsmodels(self, p):
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)

    def test_the_order_is_kept(self):
        assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])

    def test_nothing_adjusts_to_nothing(self):
        assert holm([]).shape == (0,)

    @pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.1])
    def test_what_is_no_probability_is_refused(self, bad):
        with pytest.raises(ValueError, match="p-values"):
            holm([0.5, bad])


class TestMaxT:
    def test_independent_estimates_get_sidaks_intervals(self):
        draws = np.random.default_rng(0).normal([1, 2, 3], [1, 10, 0.1], size=(40_000, 3))
        half = norm.ppf((1 + 0.95 ** (1 / 3)) / 2)
        for interval, value, error in zip(max_t([1, 2, 3], draws), (1, 2, 3), (1, 10, 0.1), strict=True):
            assert interval.high - value == pytest.approx(half * error, rel=0.03)
            assert value - interval.low == pytest.approx(half * error, rel=0.03)

    def test_one_estimate_thrice_costs_nothing(self):
        one = np.random.default_rng(0).normal(size=(40_000, 1))
        alone, thrice = max_t([0], one)[0], max_t([0, 0, 0], np.repeat(one, 3, axis=1))
        assert thrice == [alone] * 3

    def test_an_estimate_that_never_varied_is_as_uncertain_as_the_worst(self):
        draws = np.random.default_rng(0).normal(0, [1, 3, 0], size=(1000, 3))
        intervals = max_t([0, 0, 0], draws)
        assert intervals[2] == intervals[1]
        assert intervals[2].high > intervals[0].high

    def test_draws_that_tell_nothing_are_refused(self):
        with pytest.raises(ValueError, match="tell nothing"):
            max_t([1, 2], np.ones((100, 2)) * [1, 2])

    @pytest.mark.parametrize("shape", [(100, 3), (100,)])
    def test_draws_of_another_shape_are_refused(self, shape):
        with pytest.raises(ValueError, match="columns"):
            max_t([1, 2], np.ones(shape))

    def test_no_estimates_have_no_intervals(self):
        assert max_t([], np.ones((100, 0))) == []


class TestLargestGap:
    def test_for_equal_groups_it_is_tukeys(self):
        groups = np.repeat(np.arange(4), 500)
        values = np.random.default_rng(0).normal(groups, 1.0)
        values -= (values.reshape(4, 500).mean(axis=1) - [0, 1, 2, 3])[groups]
        interval = largest_gap(values, groups, rng=np.random.default_rng(1), resamples=40_000)
        error = np.sqrt(values.reshape(4, 500).var(axis=1).max() / 500)
        half = studentized_range.ppf(0.95, 4, 1996) * error
        assert interval.low == pytest.approx(3 - half, abs=0.1 * half)
        assert interval.high == pytest.approx(3 + half, abs=0.1 * half)

    @pytest.mark.parametrize(
        ("sizes", "p"),
        [([100] * 4, [0.8] * 4), ([500, 100, 50, 20], [0.97] * 4), ([60, 60, 60], [0.8, 0.8, 0.5]), ([9, 90], [1, 1])],
    )
    def test_it_misses_no_more_than_it_says(self, sizes, p):
        rng, groups = np.random.default_rng(len(sizes)), np.repeat(np.arange(len(sizes)), sizes)
        right = rng.random((SIMULATIONS, len(groups))) < np.repeat(p, sizes)
        intervals = [largest_gap(row, groups, rng=rng, resamples=200) for row in right]
        misses = sum(not i.low <= np.ptp(p) <= i.high for i in intervals)
        assert misses <= MOST_MISSES

    def test_it_is_not_wider_than_it_has_to_be_for_two_groups(self):
        rng, groups = np.random.default_rng(0), np.repeat([0, 1], 400)
        right = rng.random((SIMULATIONS, 800)) < 0.8
        above = sum(largest_gap(row, groups, rng=rng, resamples=400).low > 0 for row in right)
        assert FEWEST_MISSES <= above <= MOST_MISSES

    def test_a_clear_gap_is_found_clear_of_zero(self):
        rng, groups = np.random.default_rng(0), np.repeat(np.arange(3), 300)
        interval = largest_gap(rng.random(900) < np.array([0.9, 0.9, 0.6])[groups], groups, rng=rng)
        assert 0.15 < interval.low < 0.3 < interval.high < 0.45

    def test_groups_without_an_error_or_of_one_image_are_not_certain(self):
        rng = np.random.default_rng(0)
        perfect = largest_gap(np.ones(40), np.repeat([0, 1], 20), rng=rng)
        assert (perfect.low, perfect.high > 0.05) == (0, True)
        single = largest_gap(np.array([*np.tile([1, 1, 0], 30), 0]), np.repeat([0, 1], [90, 1]), rng=rng)
        assert (single.low, single.high > 1) == (0, True)

    def test_one_group_has_no_gap(self):
        interval = largest_gap(np.arange(5), np.zeros(5, dtype=np.int64), rng=np.random.default_rng(0))
        assert (interval.low, interval.high) == (0, 0)


class TestGapDraws:
    def test_it_is_never_inside_the_percentiles_of_the_plain_bootstrap(self):
        rng = np.random.default_rng(0)
        means = np.array([0.8, 0.75, 0.7]), np.array([0.8, 0.8, 0.8])
        drawn = tuple(rng.normal(m, 0.03, size=(1000, 3)) for m in means)
        draws = gap_draws(means, drawn)
        plain = np.sort(np.ptp(drawn[0], axis=1) - np.ptp(drawn[1], axis=1))
        assert (draws[:500] <= plain[:500]).all()
        assert (draws[500:] >= plain[500:]).all()

    def test_extremes_that_stand_out_are_taken_for_who_they_are(self):
        rng = np.random.default_rng(0)
        means = np.array([0.9, 0.5]), np.array([0.9, 0.6])
        drawn = tuple(rng.normal(m, 0.01, size=(20_000, 2)) for m in means)
        assert np.quantile(gap_draws(means, drawn), [0.025, 0.975]) == pytest.approx(
            [0.1 - 0.0392, 0.1 + 0.0392], abs=0.002
        )

    def test_a_model_compared_with_itself_has_the_same_gap(self):
        rng = np.random.default_rng(0)
        means = np.array([0.8, 0.79, 0.78])
        drawn = rng.normal(means, 0.05, size=(1000, 3))
        assert gap_draws((means, means), (drawn, drawn)) == pytest.approx(np.zeros(1000))
