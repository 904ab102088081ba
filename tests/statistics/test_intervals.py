"""Intervals against scipy and scikit-learn, and how often they miss, against the binomial quantile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sklearn.metrics import balanced_accuracy_score

from efficiency360.statistics.intervals import mean_recall, wilson

REPEATS = 600
MOST_MISSES = int(binom.ppf(0.999, REPEATS, 0.05))
proven = settings(derandomize=True, deadline=None, max_examples=80)


@st.composite
def counts(draw):
    """Right answers and images of each class, at least one image in all."""
    k = draw(st.integers(1, 12))
    total = draw(st.lists(st.integers(0, 30), min_size=k, max_size=k))
    assume(sum(total))
    correct = [draw(st.integers(0, n)) for n in total]
    return np.array(correct), np.array(total)


class TestWilson:
    @proven
    @given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0.5, 0.999))
    def test_it_agrees_with_scipy(self, n, share, level):
        successes = round(share * n)
        ours = wilson(successes, n, level)
        theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
        assert (ours.level, ours.method) == (level, "wilson")

    @proven
    @given(st.integers(1, 10**6), st.floats(0, 1))
    def test_it_holds_the_proportion_and_stays_between_zero_and_one(self, n, share):
        successes = round(share * n)
        interval = wilson(successes, n)
        assert 0 <= interval.low <= successes / n <= interval.high <= 1

    def test_no_error_among_few_is_no_proof_of_perfection(self):
        assert wilson(10, 10).high == 1
        assert wilson(10, 10).low < 0.75
        assert wilson(0, 10).low == 0
        assert wilson(0, 10).high > 0.25

    @pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 10), (11, 10), (0, -3)])
    def test_impossible_counts_are_refused(self, successes, n):
        with pytest.raises(ValueError, match="wilson needs"):
            wilson(successes, n)

    def test_it_misses_no_more_than_it_says(self):
        rng = np.random.default_rng(0)
        truths = rng.uniform(0.05, 0.95, 2000)  # over many proportions: for a single one Wilson's coverage oscillates
        intervals = [wilson(int(hits), 100) for hits in rng.binomial(100, truths)]
        misses = sum(not i.low <= truth <= i.high for i, truth in zip(intervals, truths, strict=True))
        assert binom.ppf(0.001, 2000, 0.05) <= misses <= binom.ppf(0.999, 2000, 0.05)


class TestMeanRecall:
    @proven
    @given(counts())
    def test_it_holds_the_mean_recall_and_stays_between_zero_and_one(self, data):
        correct, total = data
        present = total > 0
        interval = mean_recall(correct, total)
        assert 0 <= interval.low <= np.mean(correct[present] / total[present]) <= interval.high <= 1

    def test_what_it_holds_is_the_balanced_accuracy_of_scikit_learn(self):
        truth = np.repeat([0, 1, 2], [500, 40, 8])
        answers = np.where(np.arange(548) % 7 == 0, (truth + 1) % 3, truth)
        total = np.bincount(truth)
        interval = mean_recall(np.bincount(truth[answers == truth]), total)
        assert interval.low < balanced_accuracy_score(truth, answers) < interval.high

    @proven
    @given(st.integers(1, 500), st.floats(0, 1))
    def test_for_one_class_it_is_no_narrower_than_wilsons(self, n, share):
        successes = round(share * n)
        ours, wilsons = mean_recall(np.array([successes]), np.array([n])), wilson(successes, n)
        assert ours.low <= wilsons.low + 1e-12
        assert ours.high >= wilsons.high - 1e-12
        assert ours.high - ours.low <= 1.4 * (wilsons.high - wilsons.low)

    @proven
    @given(counts(), st.randoms(use_true_random=False))
    def test_the_order_of_classes_and_classes_without_images_do_not_matter(self, data, random):
        correct, total = data
        order = random.sample(range(len(total)), len(total))
        shuffled = mean_recall(np.append(correct[order], 0), np.append(total[order], 0))
        interval = mean_recall(correct, total)
        assert (shuffled.low, shuffled.high) == pytest.approx((interval.low, interval.high), abs=1e-9)

    @proven
    @given(counts())
    def test_more_confidence_needs_a_wider_interval(self, data):
        narrow, wide = mean_recall(*data, level=0.8), mean_recall(*data, level=0.99)
        assert wide.low <= narrow.low
        assert narrow.high <= wide.high

    @proven
    @given(counts())
    def test_without_an_error_its_high_end_is_exactly_one_and_its_low_end_is_not(self, data):
        total = data[1]
        assert mean_recall(total, total).high == 1
        assert mean_recall(total, total).low < 1
        assert mean_recall(0 * total, total).low == 0
        assert mean_recall(0 * total, total).high > 0

    def test_four_times_the_images_make_it_half_as_wide(self):
        few = mean_recall(np.array([80, 70, 60]), np.array([100, 100, 100]))
        many = mean_recall(np.array([320, 280, 240]), np.array([400, 400, 400]))
        assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.5, abs=0.02)

    def test_a_rare_class_is_not_drowned_by_a_common_one(self):
        both_common = mean_recall(np.array([500, 500]), np.array([1000, 1000]))
        one_rare = mean_recall(np.array([995, 5]), np.array([1990, 10]))
        assert one_rare.high - one_rare.low > 3 * (both_common.high - both_common.low)

    @pytest.mark.parametrize(
        ("recall", "images"),
        [
            pytest.param([0.8] * 10, [50] * 10, id="balanced"),
            pytest.param([0.7] * 20, [3] * 20, id="three images a class"),
            pytest.param([0.6] * 50, [1] * 50, id="one image a class"),
            pytest.param([0.9, 0.5], [950, 50], id="a rare class"),
            pytest.param([0.95, 0.2], [990, 10], id="a rare class that fails"),
            pytest.param([0.5, 0.8], [1000, 10], id="a rare class that does well"),
            pytest.param([0.5, 0.5], [200, 3], id="a class of three images"),
            pytest.param([0.5, 0.5, 0.9], [500, 500, 20], id="a rare class among three"),
            pytest.param([0.9] + [0.5] * 9, [500] + [2] * 9, id="one common class"),
            pytest.param([0.99] * 10, [20] * 10, id="nearly perfect"),
            pytest.param(list(np.linspace(0, 1, 40)), [2] * 40, id="from hopeless to perfect"),
            pytest.param(list(np.linspace(0.1, 1, 10)), [10] * 10, id="ten images a class"),
        ],
    )
    def test_it_misses_no_more_than_it_says(self, recall, images):
        truth = float(np.mean(recall))
        drawn = np.random.default_rng(1).binomial(images, recall, size=(REPEATS, len(images)))
        intervals = [mean_recall(correct, np.array(images)) for correct in drawn]
        misses = sum(not i.low <= truth <= i.high for i in intervals)
        assert misses <= MOST_MISSES

    def test_it_is_not_merely_wide(self):
        drawn = np.random.default_rng(2).binomial(50, 0.8, size=(REPEATS, 10))
        intervals = [mean_recall(correct, np.full(10, 50)) for correct in drawn]
        misses = sum(not i.low <= 0.8 <= i.high for i in intervals)
        assert misses >= binom.ppf(0.001, REPEATS, 0.03)
