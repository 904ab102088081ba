"""Gaps and lowest groups of two models on the same images: intervals hold the truth although extremes are chosen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from efficiency360.statistics.paired_gaps import (
    group_gap_difference,
    larger_gap_difference,
    lowest_group_difference,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def most(share, repeats):
    """The 99.9 % quantile of how often something of this chance happens."""
    return binom.ppf(0.999, repeats, share)


def pair(generator, sizes, p_old, p_new):
    """Right or not of an old and a new model that agree more often than chance, by groups."""
    draw = generator.random(sum(sizes))
    other = np.where(generator.random(len(draw)) < 0.7, draw, generator.random(len(draw)))
    return draw < np.repeat(p_old, sizes), other < np.repeat(p_new, sizes)


class TestGroupGapDifference:
    def test_its_value_is_the_difference_of_gaps(self):
        groups = np.repeat([0, 1, 2], 4)
        a = np.array([1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0])
        b = np.array([1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 0])
        assert group_gap_difference(a, b, groups, rng=rng()).value == 0.75 - 0.25

    @pytest.mark.parametrize(
        ("sizes", "p_old", "p_new"),
        [
            ([100] * 4, [0.8] * 4, [0.8] * 4),
            ([100] * 4, [0.8] * 4, [0.8, 0.8, 0.8, 0.65]),
            ([100] * 4, [0.8, 0.8, 0.8, 0.65], [0.65, 0.8, 0.8, 0.8]),
            ([100] * 10, [0.8] * 10, [0.8] * 9 + [0.6]),
            ([500, 50], [0.8, 0.6], [0.8, 0.7]),
        ],
    )
    def test_it_misses_no_more_than_it_says(self, sizes, p_old, p_new):
        generator, groups = rng(len(sizes)), np.repeat(np.arange(len(sizes)), sizes)
        truth, misses = np.ptp(p_old) - np.ptp(p_new), 0
        for _ in range(200):
            old, new = pair(generator, sizes, p_old, p_new)
            interval = group_gap_difference(old, new, groups, rng=generator, resamples=300).interval()
            misses += not interval.low <= truth <= interval.high
        assert misses <= most(0.06, 200)

    def test_a_gap_that_clearly_opened_is_found(self):
        groups = np.repeat([0, 1], 1000)
        old, new = np.ones((2, 2000), dtype=bool)
        old[:100] = new[:100] = old[1000:1100] = new[1000:1250] = False
        boot = group_gap_difference(new, old, groups, rng=rng())
        assert boot.value == pytest.approx(0.15)
        assert boot.interval().low > 0.08
        assert boot.p(0.0) < 0.001

    @pytest.mark.parametrize("sizes", [[1, 1], [1, 50], [200, 200]], ids=str)
    def test_a_model_against_itself_is_not_certain(self, sizes):
        groups = np.repeat([0, 1], sizes)
        same = rng(1).random(len(groups)) < 0.8
        interval = group_gap_difference(same, same, groups, rng=rng()).interval()
        assert interval.low < 0 < interval.high

    def test_groups_of_many_distinct_numbers_vary_as_resampling_does(self):
        groups = np.repeat([0, 1], 3000)
        a, b = rng(1).exponential(size=(2, 6000)) + np.stack([groups, 2 * groups])
        boot = group_gap_difference(a, b, groups, rng=rng())
        error = math.sqrt(sum((a - b)[groups == g].var() / 3000 for g in (0, 1)))
        interval = boot.interval()
        assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.1)


class TestLowestGroupDifference:
    def test_its_value_is_the_difference_of_the_lowest_means_whichever_groups_they_are_of(self):
        groups = np.repeat([0, 1], 4)
        a, b = np.array([1, 0, 0, 0, 1, 1, 1, 0]), np.array([1, 1, 1, 1, 1, 1, 0, 0])
        assert lowest_group_difference(a, b, groups, rng=rng()).value == 0.25 - 0.5

    @pytest.mark.parametrize(
        ("sizes", "p_old", "p_new"),
        [
            ([100] * 4, [0.8] * 4, [0.8] * 4),
            ([100] * 4, [0.8] * 4, [0.8, 0.8, 0.8, 0.65]),
            ([100] * 4, [0.8, 0.8, 0.8, 0.65], [0.65, 0.8, 0.8, 0.8]),
            ([500, 50], [0.8, 0.6], [0.8, 0.7]),
            ([200] * 3, [0.99] * 3, [0.99, 0.99, 0.95]),
        ],
    )
    def test_it_misses_no_more_than_it_says(self, sizes, p_old, p_new):
        generator, groups = rng(len(sizes)), np.repeat(np.arange(len(sizes)), sizes)
        truth, misses = min(p_old) - min(p_new), 0
        for _ in range(200):
            old, new = pair(generator, sizes, p_old, p_new)
            interval = lowest_group_difference(old, new, groups, rng=generator, resamples=300).interval()
            misses += not interval.low <= truth <= interval.high
        assert misses <= most(0.06, 200)

    def test_a_group_that_clearly_fell_is_found_and_one_that_had_room_to_fall_is_not(self):
        groups = np.repeat([0, 1], 1000)
        old, new = np.ones((2, 2000), dtype=bool)
        old[:300] = new[:300] = new[1000:1200] = False
        assert lowest_group_difference(old, new, groups, rng=rng()).interval().low <= 0
        new[1000:1500] = False
        assert lowest_group_difference(old, new, groups, rng=rng()).interval().low > 0.1

    def test_a_model_against_itself_is_not_certain(self):
        same = rng(1).random(400) < 0.8
        interval = lowest_group_difference(same, same, np.repeat([0, 1], 200), rng=rng()).interval()
        assert interval.low < 0 < interval.high


class TestLargerGapDifference:
    """Of two kinds of images, such as positives and negatives."""

    @staticmethod
    def groups(sizes):
        return np.concatenate([2 * np.repeat(np.arange(len(one)), one) + kind for kind, one in enumerate(sizes)])

    def test_its_value_is_the_difference_of_the_larger_gaps(self):
        groups = np.array([0, 0, 2, 2, 1, 1, 1, 1, 3, 3, 3, 3])
        a, b = np.array([1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0]), np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0])
        assert larger_gap_difference(a, b, groups, rng=rng()).value == 0.5 - 0.75

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (([0.8] * 4, [0.1] * 4), ([0.8] * 3 + [0.6], [0.1] * 4)),
            (([0.8] * 3 + [0.6], [0.1] * 4), ([0.8] * 4, [0.1] * 3 + [0.3])),
            (([0.8] * 3 + [0.7], [0.1] * 3 + [0.2]), ([0.8] * 3 + [0.6], [0.1] * 3 + [0.3])),
        ],
        ids=["one gap opens", "the other becomes the larger", "both grow alike"],
    )
    def test_it_misses_no_more_than_it_says(self, old, new):
        generator, sizes = rng(3), ([100] * 4, [100] * 4)
        groups, misses = self.groups(sizes), 0
        truth = max(map(np.ptp, old)) - max(map(np.ptp, new))
        for _ in range(200):
            parts = [pair(generator, *each) for each in zip(sizes, old, new, strict=True)]
            a, b = (np.concatenate(some) for some in zip(*parts, strict=True))
            interval = larger_gap_difference(a, b, groups, rng=generator, resamples=300).interval()
            misses += not interval.low <= truth <= interval.high
        assert misses <= most(0.06, 200)

    def test_a_gap_that_clearly_opened_in_one_kind_is_found(self):
        groups = self.groups(([800, 800], [800, 800]))
        old = np.zeros(3200, dtype=bool)
        new = old.copy()
        new[2400:2640] = True
        boot = larger_gap_difference(new, old, groups, rng=rng())
        assert boot.value == pytest.approx(0.3)
        assert boot.interval().low > 0.2

    def test_one_kind_alone_is_compared_as_a_gap_is(self):
        old, new = pair(rng(2), [300, 300], [0.8, 0.7], [0.8, 0.5])
        number = np.repeat([0, 1], 300)
        alone = larger_gap_difference(new, old, 2 * number + 1, rng=rng()).interval()
        plain = group_gap_difference(new, old, number, rng=rng()).interval()
        assert (alone.low, alone.high) == pytest.approx((plain.low, plain.high))

    def test_no_two_groups_have_no_gap(self):
        with pytest.raises(ValueError, match="two groups"):
            larger_gap_difference(np.ones(4), np.ones(4), np.array([0, 0, 3, 3]), rng=rng())
