"""Differences of proportions against published examples, a numerical maximum of the likelihood, and simulation."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep

from efficiency360.records import Interval
from efficiency360.statistics.differences import (
    mover_p,
    newcombe,
    newcombe_paired,
    score_variance,
    square_and_add,
    tango,
    tango_p,
)
from efficiency360.statistics.intervals import wilson

SIMULATIONS = 2000
BAND = binom.ppf(0.001, SIMULATIONS, 0.05), binom.ppf(0.999, SIMULATIONS, 0.05)  # 70 to 131 misses
proven = settings(derandomize=True, deadline=None, max_examples=80)
cached_tango = cache(tango)


@st.composite
def discordant(draw):
    n = draw(st.integers(1, 5000))
    only_a = draw(st.integers(0, n))
    return only_a, draw(st.integers(0, n - only_a)), n


def ends(interval):
    return interval.low, interval.high


class TestTango:
    @pytest.mark.parametrize(
        ("counts", "level", "published"),
        [
            ((9, 3, 32), 0.95, (-0.027, 0.390)),  # Tango 1998, table II
            ((0, 1, 44), 0.90, (-0.096, 0.037)),  # Tango 1998, table III
            ((16, 8, 86), 0.95, (-0.020, 0.207)),  # Agresti and Min 2005
            ((1, 7, 21), 0.95, (-0.517, -0.026)),  # Fagerland, Lydersen and Laake 2014
            ((6, 16, 161), 0.95, (-0.1240, -0.0054)),  # the same; R package contingencytables
            ((28, 25, 618), 0.90, (-0.0148, 0.0247)),  # R package PropCIs, scoreci.mp(25, 28, 618)
        ],
    )
    def test_it_gives_the_published_intervals(self, counts, level, published):
        digits = max(len(str(number).split(".")[1]) for number in published)
        assert ends(tango(*counts, level)) == pytest.approx(published, abs=0.51 * 10**-digits)

    @pytest.mark.parametrize(("only_a", "only_b", "n"), [(9, 3, 32), (0, 4, 50), (20, 0, 30), (3, 2, 5)])
    @pytest.mark.parametrize("difference", [-0.4, -0.01, 0.0, 0.2, 0.7])
    def test_its_variance_is_that_at_the_maximum_of_the_likelihood(self, only_a, only_b, n, difference):
        def against(share_b):
            shares = np.array([share_b + difference, share_b, 1 - 2 * share_b - difference])
            counts = np.array([only_a, only_b, n - only_a - only_b])
            return -np.sum(counts[counts > 0] * np.log(np.maximum(shares, 1e-300)[counts > 0]))

        bounds = max(0.0, -difference), (1 - difference) / 2
        share_b = minimize_scalar(against, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        ours = score_variance(only_a, only_b, n, difference)
        assert ours == pytest.approx(2 * share_b + difference - difference**2, abs=2e-6)

    @proven
    @given(discordant(), st.floats(0.5, 0.999))
    def test_it_holds_the_estimate_within_bounds_and_is_never_certain(self, counts, level):
        only_a, only_b, n = counts
        interval = tango(only_a, only_b, n, level)
        assert -1 <= interval.low <= (only_a - only_b) / n <= interval.high <= 1
        assert interval.high > interval.low
        assert (interval.level, interval.method) == (level, "tango")

    @proven
    @given(discordant())
    def test_swapping_the_models_mirrors_it(self, counts):
        only_a, only_b, n = counts
        low, high = ends(tango(only_a, only_b, n))
        assert ends(tango(only_b, only_a, n)) == (-high, -low)

    @proven
    @given(discordant())
    def test_it_grows_with_the_level(self, counts):
        narrow, wide = tango(*counts, 0.8), tango(*counts, 0.99)
        assert wide.low < narrow.low or narrow.low == -1
        assert wide.high > narrow.high or narrow.high == 1

    @pytest.mark.parametrize("n", [1, 30, 2000])
    def test_two_that_never_differed_may_differ_as_wilson_allows(self, n):
        assert ends(tango(0, 0, n)) == pytest.approx((-wilson(0, n).high, wilson(0, n).high))

    @pytest.mark.parametrize("n", [1, 30, 2000])
    def test_one_that_was_always_better_may_be_so_always(self, n):
        interval, z2 = tango(n, 0, n), norm.ppf(0.975) ** 2
        assert interval.high == 1
        assert interval.low == pytest.approx((n - z2) / (n + z2))  # n (1 - d) ** 2 = z2 (1 - d ** 2), solved for d

    @pytest.mark.parametrize("counts", [(1, 0, 0), (-1, 2, 5), (3, 3, 5), (math.nan, 0, 5), (0, 0, math.nan)])
    def test_impossible_counts_are_refused(self, counts):
        with pytest.raises(ValueError, match="paired counts"):
            tango(*counts)
        with pytest.raises(ValueError, match="paired counts"):
            tango_p(*counts, 0.0)

    @pytest.mark.parametrize(("n", "discordance", "drop"), [
        (30, 0.3, 0.0), (30, 0.4, 0.2), (100, 0.12, 0.0), (100, 0.2, 0.05), (500, 0.05, 0.01), (500, 0.2, 0.0),
    ])  # fmt: skip
    def test_it_misses_no_more_than_it_says(self, n, discordance, drop):
        rng = np.random.default_rng(n)
        shares = (discordance + drop) / 2, (discordance - drop) / 2, 1 - discordance
        found = rng.multinomial(n, shares, size=SIMULATIONS)
        intervals = [cached_tango(a, b, n) for a, b, _ in found.tolist()]
        misses = sum(not i.low <= drop <= i.high for i in intervals)
        assert BAND[0] <= misses <= BAND[1]


class TestTangoP:
    @proven
    @given(discordant(), st.floats(-1, 1), st.sampled_from([0.8, 0.95, 0.99]))
    def test_it_is_small_exactly_where_the_interval_is_above(self, counts, difference, level):
        low, tail = tango(*counts, level).low, (1 - level) / 2
        if abs(low - difference) > 1e-9:
            assert (tango_p(*counts, difference) < tail) == (low > difference)

    @proven
    @given(discordant())
    def test_it_grows_with_the_difference_that_is_allowed(self, counts):
        p = [tango_p(*counts, difference) for difference in np.linspace(-1.2, 1.2, 49)]
        assert all(np.diff(p) >= -1e-12)
        assert (p[0], p[-1]) == (0, 1)

    @pytest.mark.parametrize(("only_a", "only_b"), [(9, 3), (40, 41), (3, 30)])
    def test_against_no_difference_it_is_mcnemars(self, only_a, only_b):
        theirs = mcnemar([[50, only_a], [only_b, 60]], exact=False, correction=False).pvalue
        ours = tango_p(only_a, only_b, 110 + only_a + only_b, 0.0)
        assert 2 * min(ours, 1 - ours) == pytest.approx(theirs)

    def test_no_difference_at_all_is_as_likely_above_as_below(self):
        assert tango_p(0, 0, 100, 0.0) == 0.5
        assert tango_p(0, 0, 100, 0.05) > 0.5 > tango_p(0, 0, 100, -0.05)

    @pytest.mark.parametrize("difference", [math.nan, math.inf])
    def test_no_number_is_refused(self, difference):
        with pytest.raises(ValueError, match="finite"):
            tango_p(1, 2, 10, difference)


class TestNewcombe:
    @pytest.mark.parametrize(
        ("counts", "published"),  # Newcombe 1998, table II, method 10
        [
            ((56, 70, 48, 80), (0.0524, 0.3339)),
            ((9, 10, 3, 10), (0.1705, 0.8090)),
            ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ],
    )
    def test_it_gives_the_published_intervals(self, counts, published):
        assert ends(newcombe(*counts)) == pytest.approx(published, abs=6e-5)

    @proven
    @given(st.integers(1, 500), st.integers(1, 500), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.8, 0.95]))
    def test_it_agrees_with_statsmodels(self, n_a, n_b, share_a, share_b, level):
        a, b = round(share_a * n_a), round(share_b * n_b)
        theirs = confint_proportions_2indep(a, n_a, b, n_b, method="newcomb", compare="diff", alpha=1 - level)
        assert ends(newcombe(a, n_a, b, n_b, level)) == pytest.approx(theirs, abs=1e-9)

    def test_it_misses_no_more_than_it_says(self):
        rng = np.random.default_rng(0)
        p_a, p_b = rng.uniform(0.1, 0.9, (2, SIMULATIONS))  # over many pairs: for a single one coverage oscillates
        found = zip(rng.binomial(80, p_a).tolist(), rng.binomial(120, p_b).tolist(), strict=True)
        intervals = [newcombe(a, 80, b, 120) for a, b in found]
        misses = sum(not i.low <= truth <= i.high for i, truth in zip(intervals, p_a - p_b, strict=True))
        assert BAND[0] <= misses <= BAND[1]


class TestNewcombePaired:
    @pytest.mark.parametrize(
        ("counts", "published"),
        [
            ((1, 7, 1, 12), (-0.507, -0.026)),  # Fagerland, Lydersen and Laake 2014
            ((6, 16, 59, 80), (-0.1186, -0.0046)),  # the same; R package contingencytables
        ],
    )
    def test_it_gives_the_published_intervals(self, counts, published):
        digits = max(len(str(number).split(".")[1]) for number in published)
        assert ends(newcombe_paired(*counts)) == pytest.approx(published, abs=0.51 * 10**-digits)

    @proven
    @given(st.tuples(*[st.integers(0, 300)] * 4).filter(sum))
    def test_it_holds_the_estimate_within_bounds_and_mirrors(self, counts):
        only_a, only_b, both, neither = counts
        interval, mirrored = newcombe_paired(*counts), newcombe_paired(only_b, only_a, both, neither)
        estimate = (only_a - only_b) / sum(counts)
        assert -1 <= interval.low <= estimate + 1e-12
        assert estimate - 1e-12 <= interval.high <= 1
        assert ends(mirrored) == pytest.approx((-interval.high, -interval.low))

    def test_what_pairs_have_in_common_narrows_it(self):
        alike, unrelated = newcombe_paired(5, 5, 495, 495), newcombe_paired(250, 250, 250, 250)
        assert alike.high - alike.low < 0.2 * (unrelated.high - unrelated.low)

    def test_no_image_is_refused(self):
        with pytest.raises(ValueError, match="paired counts"):
            newcombe_paired(0, 0, 0, 0)


class TestSquareAndAdd:
    def test_it_is_newcombes_for_wilsons_intervals(self):
        found = square_and_add(0.7, wilson(56, 80), 0.6, wilson(30, 50))
        assert ends(found) == pytest.approx(ends(newcombe(56, 80, 30, 50)))
        assert found.method == "square-and-add"

    def test_it_is_the_usual_one_for_symmetric_intervals(self):
        a, b = (Interval(low=m - 3 * k, high=m + 3 * k, level=0.9, method="x") for m, k in ((5, 1), (2, 4 / 3)))
        assert ends(square_and_add(5, a, 2, b)) == pytest.approx((-2, 8))

    def test_intervals_of_different_levels_are_refused(self):
        with pytest.raises(ValueError, match="one level"):
            square_and_add(0.7, wilson(56, 80), 0.6, wilson(30, 50, 0.9))

    @proven
    @given(st.integers(0, 80), st.integers(0, 50), st.floats(-1.2, 1.2))
    def test_its_p_is_small_exactly_where_it_lies_above(self, a, b, difference):
        pair = a / 80, wilson(a, 80), b / 50, wilson(b, 50)
        low = square_and_add(*pair).low
        if abs(low - difference) > 1e-9:
            assert (mover_p(*pair, difference) < 0.025) == (low > difference)

    def test_its_p_takes_the_error_of_the_side_it_looks_at(self):
        lopsided = Interval(low=-1, high=10, level=0.95, method="x")
        exact = Interval(low=0, high=0, level=0.95, method="x")
        assert mover_p(0, lopsided, 0, exact, -1) == pytest.approx(0.025)
        assert mover_p(0, lopsided, 0, exact, 10) == pytest.approx(0.975)
        assert mover_p(0, exact, 0, exact, -0.1) == 0
        assert mover_p(0, exact, 0, exact, 0.1) == 1
