"""Paired bootstraps: coverage, corners, agreement with scipy; and how often a rule with a margin is wrong."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binom

from efficiency360.records import Interval
from efficiency360.statistics.differences import tango, tango_p
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.paired import (
    Bootstrap,
    Floor,
    decide,
    group_means_difference,
    mean_difference,
    paired_bootstrap,
)
from efficiency360.statistics.resampling import means_of_resamples

SIMULATIONS = 2000
PAIRS = 500
cached_tango = cache(tango)


def rng(seed=0):
    return np.random.default_rng(seed)


def band(share_low, share_high, repeats):
    return binom.ppf(0.001, repeats, share_low), binom.ppf(0.999, repeats, share_high)


def answers(generator, n, discordance, drop=0.0, accuracy=0.8):
    """Right or not of an old and a new model, the new one worse by `drop`."""
    draw = generator.random(n)
    old, new = np.zeros((2, n), dtype=bool)
    lost, gained = (discordance + drop) / 2, (discordance - drop) / 2
    old[draw < lost], new[(draw >= lost) & (draw < lost + gained)] = True, True
    both = (draw >= discordance) & (draw < accuracy)
    return old | both, new | both


def outcomes(discordance, drop, margin, n=2000):
    shares = (discordance + drop) / 2, (discordance - drop) / 2, 1 - discordance
    found = rng(7).multinomial(n, shares, size=PAIRS).tolist()
    return [decide(cached_tango(a, b, n), margin) for a, b, _ in found]


class TestDecide:
    @pytest.mark.parametrize("discordance", [0.05, 0.12, 0.20])
    def test_equal_models_fail_in_no_more_than_seven_percent(self, discordance):
        assert outcomes(discordance, 0.0, 0.0).count("fail") <= 35

    def test_a_drop_of_three_points_fails_in_at_least_eighty_percent(self):
        assert outcomes(0.12, 0.03, 0.0).count("fail") >= 0.8 * PAIRS

    @pytest.mark.parametrize("discordance", [0.05, 0.12, 0.20])
    def test_a_margin_of_a_point_all_but_never_fails_equal_models(self, discordance):
        assert outcomes(discordance, 0.0, 0.01).count("fail") <= 5

    @pytest.mark.parametrize("discordance", [0.05, 0.12, 0.20])
    def test_a_drop_just_of_the_margin_passes_in_no_more_than_five_percent(self, discordance):
        assert outcomes(discordance, 0.01, 0.01).count("pass") <= 25

    @pytest.mark.parametrize(
        ("low", "high", "outcome"),
        [(-0.02, 0.01, "pass"), (0.01, 0.02, "inconclusive"), (0.0101, 0.02, "fail"), (-0.1, 0.1, "inconclusive")],
    )
    def test_the_margin_itself_is_still_allowed(self, low, high, outcome):
        assert decide(Interval(low=low, high=high, level=0.95, method="x"), 0.01) == outcome

    @pytest.mark.parametrize("margin", [-0.01, math.nan, math.inf])
    def test_no_margin_is_refused(self, margin):
        with pytest.raises(ValueError, match="margin"):
            decide(tango(1, 2, 10), margin)


class TestBootstrap:
    def test_the_interval_holds_the_value_and_the_middle_of_the_draws(self):
        draws = np.linspace(0, 1, 1001)
        inside = Bootstrap(0.5, draws).interval(0.9)
        assert (inside.low, inside.high) == pytest.approx((0.05, 0.95))
        assert Bootstrap(-1.0, draws).interval(0.9).low == -1
        assert Bootstrap(2.0, draws).interval(0.9).high == 2

    def test_p_is_never_zero_and_counts_draws_on_the_limit(self):
        boot = Bootstrap(1.0, np.array([0.0, 1.0, 2.0]))
        assert boot.p(-1) == 1 / 4
        assert boot.p(0) == 2 / 4
        assert boot.p(5) == 1

    def test_p_is_small_where_the_interval_is_above(self):
        for seed in range(30):
            old, new = answers(rng(seed), 400, 0.1, drop=0.03)
            boot = mean_difference(old, new, rng=rng(seed))
            low = boot.interval().low
            assert boot.p(low - 0.004) < 0.025 < boot.p(low + 0.004)

    def test_the_floor_is_tangos_in_units_of_the_span(self):
        floor = Floor.of(value=0.4, spread=0.8, n=50, span=2.0)
        interval = tango(15, 5, 50)
        assert floor.interval(0.95).low == pytest.approx(2 * interval.low)
        assert floor.p(0.2) == pytest.approx(tango_p(15, 5, 50, 0.1))


class TestPairedBootstrap:
    def test_it_agrees_with_scipys_paired_bootstrap(self):
        a, b = rng(1).exponential(size=(2, 200))

        def statistic(rows):
            return float(np.median(a[rows]) - np.median(b[rows]))

        ours = paired_bootstrap(statistic, 200, rng=rng(), resamples=4000, span=10.0).interval()
        theirs = stats.bootstrap(
            (a, b), lambda x, y: np.median(x) - np.median(y), paired=True, vectorized=False, method="percentile",
            n_resamples=4000, rng=rng(3),
        ).confidence_interval  # fmt: skip
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)

    @pytest.mark.parametrize("n", [1, 10, 1000])
    def test_resamples_that_are_all_alike_are_not_certainty(self, n):
        boot = paired_bootstrap(lambda _: 0.0, n, rng=rng(), resamples=50)
        assert boot.interval().high >= wilson(0, n).high - 1e-12
        assert boot.interval().low <= -wilson(0, n).high + 1e-12
        assert boot.p(0.0) >= 0.5

    def test_few_images_are_allowed_all_they_may_hide(self):
        d = np.array([0.1, 0.2, 0.15, 0.12, 0.18])
        boot = paired_bootstrap(lambda rows: float(d[rows].mean()), 5, rng=rng())
        assert boot.interval().low < -0.5
        assert boot.p(0.0) > 0.3


class TestMeanDifference:
    @pytest.mark.parametrize(
        ("n", "discordance", "drop", "fewest"), [(300, 0.2, 0.0, 0.04), (500, 0.12, 0.03, 0.04), (200, 0.03, 0.01, 0.0)]
    )
    def test_of_right_and_wrong_it_misses_no_more_than_it_says(self, n, discordance, drop, fewest):
        generator = rng(n)
        misses = 0
        for _ in range(SIMULATIONS):
            interval = mean_difference(
                *answers(generator, n, discordance, drop), rng=generator, resamples=300
            ).interval()
            misses += not interval.low <= drop <= interval.high
        lowest, highest = band(fewest, 0.06, SIMULATIONS)
        assert lowest <= misses <= highest  # 300 resamples cost about half a point

    def test_of_any_numbers_it_misses_no_more_than_it_says(self):
        generator = rng()
        misses = 0
        for _ in range(SIMULATIONS):
            a, b = generator.normal(0, 0.1, size=(2, 40))
            interval = mean_difference(a, b, rng=generator, resamples=300).interval()
            misses += not interval.low <= 0 <= interval.high
        lowest, highest = band(0.04, 0.06, SIMULATIONS)
        assert lowest <= misses <= highest

    def test_many_distinct_values_are_resampled_with_their_mean_and_variance(self):
        parts = rng().exponential(size=5000)
        draws = means_of_resamples(parts, rng(1), 4000)
        assert draws.mean() == pytest.approx(parts.mean(), abs=4 * parts.std() / math.sqrt(5000 * 4000))
        assert draws.std() == pytest.approx(parts.std() / math.sqrt(5000), rel=0.05)

    def test_one_outlier_does_not_hide_how_the_rest_varies(self):
        parts = np.append(rng().normal(size=4999), 1000.0)
        draws = means_of_resamples(parts, rng(1), 4000)
        assert draws.std() == pytest.approx(parts.std() / math.sqrt(5000), rel=0.05)

    def test_few_differing_images_get_tangos_interval(self):
        old, new = np.ones((2, 2000), dtype=bool)
        new[:3] = False
        interval, score = mean_difference(old, new, rng=rng()).interval(), tango(3, 0, 2000)
        assert interval.low <= score.low < 0  # three against none is no proof
        assert interval.high >= score.high

    @pytest.mark.parametrize("n", [1, 20, 2000])
    def test_a_model_against_itself_is_as_uncertain_as_tango_says(self, n):
        a = rng().random(n)
        interval = mean_difference(a, a, rng=rng()).interval()
        assert (interval.low, interval.high) == pytest.approx((-wilson(0, n).high, wilson(0, n).high))

    def test_swapping_the_models_mirrors_it(self):
        a, b = answers(rng(2), 500, 0.1, 0.02)
        there, back = mean_difference(a, b, rng=rng()), mean_difference(b, a, rng=rng())
        assert there.value == -back.value
        assert there.interval().low == pytest.approx(-back.interval().high, abs=0.005)


class TestGroupMeansDifference:
    def test_its_value_is_the_difference_of_balanced_accuracies(self):
        metrics = pytest.importorskip("sklearn.metrics")
        classes = rng().choice(4, 500, p=[0.5, 0.3, 0.15, 0.05])
        old, new = (np.where(right, classes, (classes + 1) % 4) for right in answers(rng(1), 500, 0.2, 0.05))
        theirs = metrics.balanced_accuracy_score(classes, old) - metrics.balanced_accuracy_score(classes, new)
        ours = group_means_difference(old == classes, new == classes, classes, rng=rng())
        assert ours.value == pytest.approx(theirs)

    def test_it_varies_as_resampling_within_groups_does(self):
        groups = np.repeat([0, 1, 2], [400, 100, 50])
        old, new = answers(rng(1), 550, 0.3)
        d = old.astype(float) - new
        boot = group_means_difference(old, new, groups, rng=rng())
        parts = [d[groups == g] for g in range(3)]
        plain = np.mean([rng(9).choice(part, (4000, len(part))).mean(axis=1) for part in parts], axis=0)
        assert boot.draws.std() == pytest.approx(plain.std(), rel=0.06)

    @pytest.mark.parametrize(
        "sizes",
        [[60] * 5, [5] * 60, [1] * 40 + [10] * 40, [100] * 9 + [1], [2, 3, 200]],
        ids=["alike", "many and small", "many of one", "one of one", "two small"],
    )
    def test_it_misses_no_more_than_it_says(self, sizes):
        generator, groups = rng(len(sizes)), np.repeat(np.arange(len(sizes)), sizes)
        misses = 0
        for _ in range(600):
            a, b = answers(generator, len(groups), 0.15)
            interval = group_means_difference(a, b, groups, rng=generator, resamples=300).interval()
            misses += not interval.low <= 0 <= interval.high
        assert misses <= band(0, 0.06, 600)[1]

    def test_groups_of_one_image_each_are_not_certain(self):
        same = np.ones(3, dtype=bool)
        interval = group_means_difference(same, same, np.arange(3), rng=rng()).interval()
        assert interval.high - interval.low > 0.5
