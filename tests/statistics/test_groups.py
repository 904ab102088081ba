"""Shares of groups: gaps that hold 0 where there is none, permutations that keep the margins, ratios that reach 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from efficiency360.statistics.groups import (
    Shares,
    lowest_share,
    p_value,
    resampled_rates,
    shuffled_tables,
    simultaneous_gap,
    smallest_ratio,
)
from efficiency360.statistics.multiplicity import largest_gap

SIZES = np.array([60, 90, 200, 40, 400])


def drawn(rng, truth, sizes=SIZES):
    return Shares(rng.binomial(sizes, truth), np.asarray(sizes))


def test_one_family_gives_the_interval_that_rows_give():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(5), SIZES)
    holds = rng.random(len(groups)) < np.array([0.9, 0.8, 0.7, 0.6, 0.9])[groups]
    by_rows = largest_gap(holds, groups, rng=np.random.default_rng(0), resamples=20_000)
    by_cells = simultaneous_gap([Shares.of(holds, groups, 5)], rng=np.random.default_rng(0), resamples=20_000)
    assert by_cells.low == pytest.approx(by_rows.low, abs=1e-9)
    assert by_cells.high == pytest.approx(by_rows.high, abs=1e-9)


def test_groups_that_are_alike_are_rarely_told_apart_in_any_of_several_families():
    rng = np.random.default_rng(2)
    found = [[drawn(rng, 0.8), drawn(rng, 0.2), drawn(rng, 0.5)] for _ in range(500)]
    above = sum(simultaneous_gap(families, rng=rng, resamples=400).low > 0 for families in found)
    assert above <= 35


def test_the_interval_holds_the_true_gap():
    rng, truth = np.random.default_rng(3), np.array([0.9, 0.85, 0.9, 0.6, 0.88])
    intervals = [simultaneous_gap([drawn(rng, truth)], rng=rng, resamples=400) for _ in range(500)]
    assert sum(not one.low <= 0.3 <= one.high for one in intervals) <= 35


def test_a_group_without_a_unit_is_left_out_and_not_counted_as_zero():
    shares = Shares(np.array([9, 0, 8]), np.array([10, 0, 10]))
    assert shares.gap == pytest.approx(0.1)
    assert (shares.lowest, shares.highest) == (2, 0)


def test_fewer_than_two_groups_have_no_gap():
    assert simultaneous_gap([Shares(np.array([3]), np.array([4]))], rng=np.random.default_rng(0)).high == 0


def test_shuffled_tables_keep_their_margins_and_vary_as_hypergeometric_counts_do():
    table = np.array([[20, 5, 7], [3, 30, 2], [9, 9, 9]])
    found = shuffled_tables(table, rng=np.random.default_rng(0), resamples=20_000)
    assert (found.sum(axis=2) == table.sum(axis=1)).all()
    assert (found.sum(axis=1) == table.sum(axis=0)).all()
    for row in range(3):
        for column in range(3):
            exact = stats.hypergeom(table.sum(), table[:, column].sum(), table[row].sum())
            assert found[:, row, column].mean() == pytest.approx(exact.mean(), abs=4 * exact.std() / 140)
            assert found[:, row, column].std() == pytest.approx(exact.std(), rel=0.03)


def test_the_p_value_of_two_groups_is_that_of_fishers_test():
    shares = Shares(np.array([30, 18]), np.array([40, 40]))
    table = np.stack([shares.hits, shares.n - shares.hits], axis=1)
    shuffled = shuffled_tables(table, rng=np.random.default_rng(0), resamples=50_000)[:, :, 0]
    assert p_value([shares], [shuffled]) == pytest.approx(stats.fisher_exact(table).pvalue, rel=0.1)


def test_a_small_group_by_chance_does_not_hide_a_large_one_that_differs():
    shares = Shares(np.array([4, 900, 700]), np.array([5, 1000, 1000]))
    table = np.stack([shares.hits, shares.n - shares.hits], axis=1)
    shuffled = shuffled_tables(table, rng=np.random.default_rng(0))[:, :, 0]
    assert p_value([shares], [shuffled]) == pytest.approx(1 / 1001)


def test_resampled_shares_vary_as_resampled_rows_do():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, 600)
    holds = rng.random(600) < np.array([0.9, 0.5, 0.7])[groups]
    rows = rng.integers(0, 600, (4000, 600))
    by_row = np.stack([[holds[row][groups[row] == g].mean() for row in rows] for g in range(3)], axis=1)
    by_cell = resampled_rates(Shares.of(holds, groups, 3), rng=rng, resamples=4000)
    for tail in (0.025, 0.5, 0.975):
        assert np.quantile(by_cell, tail, axis=0) == pytest.approx(np.quantile(by_row, tail, axis=0), abs=0.006)


def test_the_ratio_of_groups_that_are_alike_reaches_one_and_holds_the_true_ratio_otherwise():
    rng, truth = np.random.default_rng(5), np.array([0.5, 0.25, 0.4, 0.45, 0.5])
    alike = [smallest_ratio(drawn(rng, 0.4), rng=rng, resamples=400)[1] for _ in range(200)]
    apart = [smallest_ratio(drawn(rng, truth), rng=rng, resamples=400)[1] for _ in range(200)]
    assert sum(one.high < 1 for one in alike) <= 16
    assert sum(not one.low <= 0.5 <= one.high for one in apart) <= 16


def test_a_group_that_is_never_selected_has_the_ratio_zero_with_an_interval():
    value, interval = smallest_ratio(Shares(np.array([0, 30]), np.array([40, 40])), rng=np.random.default_rng(0))
    assert value == interval.low == 0
    assert 0 < interval.high < 0.5


def test_the_smallest_share_is_held_by_its_interval_though_it_was_chosen_for_being_small():
    rng = np.random.default_rng(6)
    intervals = [lowest_share(drawn(rng, 0.8)) for _ in range(500)]
    assert sum(not one.low <= 0.8 <= one.high for one in intervals) <= 35
