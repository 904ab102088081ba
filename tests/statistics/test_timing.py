"""Intervals of timings against scipy, and their coverage in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from efficiency360.statistics import timing


def stretches(n, count):
    return np.repeat(np.arange(count), -(-n // count))[:n]


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 10, 39, 200])
@pytest.mark.parametrize("p", [0.75, 0.95, 0.975, 0.999])
def test_students_quantiles_are_scipys(freedom, p):
    assert timing.t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9)


@pytest.mark.parametrize(("q", "n"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_the_fewest_runs_that_bound_a_quantile(q, n):
    values, apart = np.arange(n, dtype=float), np.zeros(n, int)
    assert timing.runs_needed(q) == n
    assert timing.quantile_interval(values, apart, q) is not None
    assert timing.quantile_interval(values[1:], apart[1:], q) is None


@pytest.mark.parametrize(("n", "q"), [(100, 0.5), (500, 0.95), (1000, 0.99), (37, 0.5)])
def test_ranks_are_those_of_the_binomial(n, q):
    values = np.arange(1, n + 1, dtype=float)
    interval = timing.quantile_interval(values, np.zeros(n, int), q)
    low, high = int(interval.low), int(interval.high)
    assert stats.binom.cdf(low - 1, n, q) <= 0.025 < stats.binom.cdf(low, n, q)
    assert stats.binom.sf(high - 1, n, q) <= 0.025 < stats.binom.sf(high - 2, n, q)


@pytest.mark.parametrize("n", [1, 2, 9, 40, 41, 1000])
@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_quantile_is_numpys_inverted_distribution_function(n, q):
    values = np.random.default_rng(n).lognormal(size=n)
    assert timing.quantile(values, q) == np.quantile(values, q, method="inverted_cdf")


def coverage(draw, interval, truth, runs=400):
    rng = np.random.default_rng(0)
    found = [interval(*draw(rng)) for _ in range(runs)]
    assert None not in found
    return sum(one.low <= truth <= one.high for one in found)


TOO_FEW = int(stats.binom.ppf(0.001, 400, 0.95))


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_independent_runs_are_covered(q):
    def draw(rng):
        return rng.exponential(size=2000), stretches(2000, 10)

    assert coverage(draw, lambda v, s: timing.quantile_interval(v, s, q), -np.log(1 - q)) >= TOO_FEW


def drifting(rng, n=1000, count=10):
    """Stretches that differ by as much as the runs within them."""
    of = stretches(n, count)
    return rng.normal(size=n) + rng.normal(size=count)[of], of


def test_runs_of_drifting_stretches_are_covered_where_counting_them_as_independent_would_not_be():
    covered = coverage(drifting, lambda v, s: timing.quantile_interval(v, s, 0.5), 0.0)
    naive = coverage(drifting, lambda v, s: timing.quantile_interval(v, np.zeros_like(s), 0.5), 0.0)
    assert covered >= TOO_FEW
    assert naive < 200


def test_a_median_of_few_and_very_different_stretches_still_has_an_interval_that_covers():
    def draw(rng):
        of = stretches(100, 5)
        return 10 + 0.01 * rng.normal(size=100) + rng.normal(size=5)[of], of

    values, of = draw(np.random.default_rng(5))
    assert timing.quantile_interval(values, of, 0.5) is None
    assert timing.median_interval(values, of).method == "medians of stretches"
    assert coverage(draw, timing.median_interval, 10.0) >= TOO_FEW
    assert timing.median_interval(values[:5], of[:5]) is None


@pytest.mark.parametrize(("q", "least"), [(0.95, 365), (0.99, 330)])
def test_a_tail_is_covered_though_stretches_drift(q, least):
    """Between 0.8 and 0.95: with twenty stretches the far tail of their drift is mostly unseen."""

    def draw(rng):
        of = stretches(740, 20)
        return np.exp(0.05 * rng.normal(size=740) + 0.1 * rng.normal(size=20)[of]), of

    truth = float(np.exp(np.hypot(0.05, 0.1) * stats.norm.ppf(q)))
    assert coverage(draw, lambda v, s: timing.tail_interval(v, s, q), truth) >= least


@pytest.mark.parametrize("q", [0.95, 0.99])
def test_a_tail_of_independent_runs_is_that_of_order_statistics(q):
    values, of = np.random.default_rng(0).exponential(size=2000), stretches(2000, 20)
    assert timing.tail_interval(values, of, q) == timing.quantile_interval(values, of, q)
    assert timing.tail_interval(values[:30], of[:30], q) is None


def test_tolerance_factors_are_near_the_exact_ones():
    """Exact factors from the noncentral t distribution (NIST handbook 7.2.6.3)."""
    for n in (10, 20, 50):
        exact = stats.nct.ppf(0.975, n - 1, stats.norm.ppf(0.95) * np.sqrt(n)) / np.sqrt(n)
        assert timing._tolerance(n, 0.95, 0.975) == pytest.approx(exact, rel=0.06)


def test_the_mean_of_drifting_stretches_is_covered():
    assert coverage(drifting, timing.mean_interval, 0.0) >= TOO_FEW


def test_one_stretch_is_cut_into_parts_and_one_value_has_no_interval():
    values = np.random.default_rng(0).normal(10, 1, 1000)
    interval = timing.mean_interval(values, np.zeros(1000, int))
    assert interval.low < values.mean() < interval.high
    assert interval.high - interval.low < 0.3
    assert timing.mean_interval(values[:1], np.zeros(1, int)) is None


def test_five_or_more_stretches_give_students_interval_of_their_means():
    values, of = drifting(np.random.default_rng(1))
    means = values.reshape(10, -1).mean(axis=1)
    low, high = stats.t.interval(0.95, 9, means.mean(), stats.sem(means))
    interval = timing.mean_interval(values, of)
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))


def test_kendalls_tau_is_scipys_and_a_trend_is_seen():
    values = np.random.default_rng(2).normal(size=30)
    tau, p = timing.trend(values)
    reference = stats.kendalltau(np.arange(30), values, method="asymptotic")
    assert tau == pytest.approx(reference.statistic)
    assert p == pytest.approx(reference.pvalue, abs=0.02)
    assert timing.trend(np.arange(10.0))[1] < 0.001
    assert timing.trend(np.ones(10)) == (0.0, 1.0)
    assert timing.trend(np.arange(3.0)) == (0.0, 1.0)
