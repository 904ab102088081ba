"""Rank tests against scipy, shifts against all pairs written out, and how often intervals miss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from efficiency360.statistics import ranks
from efficiency360.statistics.ranks import centre, centre_interval, mann_whitney, shift, shift_interval, signed_rank

SIMULATIONS = 2000
BAND = stats.binom.ppf(0.001, SIMULATIONS, 0.04), stats.binom.ppf(0.999, SIMULATIONS, 0.05)  # exact: seldom just 0.05
proven = settings(derandomize=True, deadline=None, max_examples=80)
few_values = st.lists(st.integers(-6, 6), min_size=1, max_size=25).map(lambda x: np.array(x, dtype=np.float64))


def samples(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 1, n), rng.normal(0, 1, m)


class TestMannWhitney:
    @pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 4), (8, 20), (30, 31), (2, 300)])
    def test_few_values_are_scipys_exact_test(self, n, m):
        a, b = samples(n, m)
        assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)

    @pytest.mark.parametrize("decimals", [0, 1, 8])
    def test_many_values_are_scipys_approximation_with_and_without_ties(self, decimals):
        a, b = (x.round(decimals) for x in samples(150, 90, seed=1))
        theirs = stats.mannwhitneyu(a, b, method="asymptotic").pvalue
        assert mann_whitney(a, b) == pytest.approx(theirs, rel=1e-9)

    def test_few_tied_values_are_exact_over_all_permutations(self):
        a, b = np.array([1.0, 1, 2, 3]), np.array([1.0, 3, 3, 4, 5])
        theirs = stats.permutation_test(
            (a, b), lambda x, y: stats.mannwhitneyu(x, y).statistic, permutation_type="independent", n_resamples=10**4
        )
        assert mann_whitney(a, b) == pytest.approx(theirs.pvalue)

    def test_exact_and_approximate_meet_where_they_change_over(self):
        a, b = samples(38, 40, seed=3)
        exact = mann_whitney(a, b)
        assert 38 * 78 <= ranks._EXACT_PRODUCT < 39 * 80
        assert exact == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue, rel=0.1)

    def test_samples_of_one_value_are_alike(self):
        assert mann_whitney(np.ones(300), np.ones(200)) == 1
        assert mann_whitney(np.ones(3), np.ones(2)) == 1

    @pytest.mark.parametrize("bad", [np.array([]), np.array([1.0, np.nan])])
    def test_nothing_and_nan_are_refused(self, bad):
        for call in (mann_whitney, shift, shift_interval):
            with pytest.raises(ValueError, match="rank statistics"):
                call(np.ones(3), bad)
        for call in (signed_rank, centre, centre_interval):
            with pytest.raises(ValueError, match="rank statistics"):
                call(bad)


class TestSignedRank:
    @pytest.mark.parametrize("n", [1, 5, 20, 50])
    def test_few_values_are_scipys_exact_test(self, n):
        d = samples(n, 1)[0]
        assert signed_rank(d) == pytest.approx(stats.wilcoxon(d, method="exact").pvalue)

    @pytest.mark.parametrize("decimals", [0, 1, 8])
    def test_many_values_are_scipys_approximation_with_and_without_ties(self, decimals):
        d = samples(300, 1, seed=2)[0].round(decimals) - 0.4
        theirs = stats.wilcoxon(d, correction=True, method="asymptotic").pvalue
        assert signed_rank(d) == pytest.approx(theirs, rel=1e-9)

    def test_few_tied_values_are_exact_over_all_signs(self):
        d = np.array([1.0, 1, -1, 2, 2, -3, 4, 4])
        theirs = stats.permutation_test(
            (d,), lambda x: stats.rankdata(abs(x))[x > 0].sum(), permutation_type="samples", n_resamples=10**4
        )
        assert signed_rank(d) == pytest.approx(theirs.pvalue)

    def test_zeros_are_dropped(self):
        d = np.array([0.3, -0.1, 0.5, 0.7, 0.9])
        assert signed_rank(np.concatenate([d, np.zeros(9)])) == signed_rank(d)
        assert signed_rank(np.zeros(5)) == 1


class TestShift:
    @proven
    @given(few_values, few_values)
    def test_it_is_the_median_of_all_differences(self, a, b):
        assert shift(a, b) == pytest.approx(np.median(np.subtract.outer(a, b)))

    @proven
    @given(few_values)
    def test_the_centre_is_the_median_of_all_walsh_averages(self, d):
        means = (np.add.outer(d, d) / 2)[np.triu_indices(len(d))]
        assert centre(d) == pytest.approx(np.median(means))

    @pytest.mark.parametrize(("n", "m"), [(4, 4), (12, 9), (80, 90)])
    @pytest.mark.parametrize("level", [0.8, 0.95])
    def test_the_interval_is_what_the_test_does_not_refuse(self, n, m, level):
        a, b = samples(n, m, seed=n)
        interval = shift_interval(a, b, level)
        assert interval is not None
        for end, inwards in ((interval.low, 1e-6), (interval.high, -1e-6)):
            assert mann_whitney(a - end - inwards, b) > 1 - level
            assert mann_whitney(a - end + inwards, b) <= 1 - level + 1e-12

    @pytest.mark.parametrize("n", [6, 20, 200])
    def test_the_interval_of_the_centre_is_what_the_test_does_not_refuse(self, n):
        d = samples(n, 1, seed=n)[0]
        interval = centre_interval(d)
        assert interval is not None
        assert interval.low <= centre(d) <= interval.high
        for end, inwards in ((interval.low, 1e-6), (interval.high, -1e-6)):
            assert signed_rank(d - end - inwards) > 0.05
            assert signed_rank(d - end + inwards) <= 0.05 + 1e-12

    def test_too_few_values_for_the_level_give_none(self):
        three, four = np.arange(3.0), np.arange(4.0)
        assert shift_interval(three, three) is None
        assert shift_interval(four, four) is not None
        assert shift_interval(three, three, 0.9) is not None
        assert centre_interval(np.arange(5.0)) is None
        assert centre_interval(np.arange(6.0)) is not None

    def test_the_ends_are_differences_that_occur(self):
        a, b = (np.round(1000 * x) for x in samples(400, 300))
        interval = shift_interval(a, b)
        assert interval is not None
        differences = np.subtract.outer(a, b)
        assert {interval.low, interval.high} <= set(differences.ravel().tolist())

    def test_thousands_of_values_need_no_table_of_pairs(self):
        a, b = samples(200_000, 150_000)
        interval = shift_interval(a, b)
        assert interval is not None
        assert interval.low < 0.5 < interval.high
        assert interval.high - interval.low < 0.03

    @pytest.mark.parametrize(("n", "m"), [(15, 15), (60, 40)])
    def test_it_misses_no_more_than_it_says(self, n, m):
        rng = np.random.default_rng(n)
        a, b = rng.exponential(size=(SIMULATIONS, n)) + 0.3, rng.exponential(size=(SIMULATIONS, m))
        intervals = [shift_interval(x, y) for x, y in zip(a, b, strict=True)]
        misses = sum(not i.low <= 0.3 <= i.high for i in intervals)
        assert BAND[0] <= misses <= BAND[1]
