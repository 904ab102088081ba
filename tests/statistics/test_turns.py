"""Turns: drift and bursts cancel, the interval covers whatever the luck of processes, and a planted 5 % is found."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom

from efficiency360.statistics.turns import compare, differences, generations_for, typical_interval

PAIRS = 5


def simulated(rng, ratios, *, luck=0.015, drift=0.0, mirrored=True):
    """Turns (G, K, T): a process has luck for its life, a turn as much noise, and the machine slows down by `drift`."""
    models = len(ratios)
    shape = (generations_for(models - 1), models, 2 * PAIRS)
    logs = np.log(ratios)[None, :, None] + rng.normal(0, luck, shape[:2])[:, :, None] + rng.normal(0, luck, shape)
    when = np.empty(shape)
    for generation, pair in np.ndindex(shape[0], PAIRS):
        order = rng.permutation(models)
        places = np.stack([np.argsort(order), models + np.argsort(order[::-1] if mirrored else order)], axis=1)
        when[generation, :, 2 * pair : 2 * pair + 2] = 2 * models * (generation * PAIRS + pair) + places
    return 10 * np.exp(logs + drift * when / when.max())


def share_found(ratios, verdicts, *, times=300, seed=0, **options):
    """How many of simulated comparisons come to one of these verdicts on any model."""
    rng = np.random.default_rng(seed)
    labels = "abcdef"[: len(ratios)]
    found = (compare(simulated(rng, ratios, **options), labels) for _ in range(times))
    return sum(any(one.verdict in verdicts for one in comparisons) for comparisons in found)


def at_most(times, p):
    """How often something of probability p happens in so many times, but for one series in a thousand."""
    return int(binom.ppf(0.999, times, p))


def test_a_steady_drift_cancels_exactly_in_mirrored_turns_and_in_no_others():
    rng = np.random.default_rng(0)
    still = {"luck": 0, "drift": 0.5}
    assert np.abs(differences(simulated(rng, [1.0, 1.0], **still))).max() < 1e-12
    assert np.abs(differences(simulated(rng, [1.0, 1.0], **still, mirrored=False))).max() > 1e-3


def test_a_burst_during_less_than_half_of_the_pairs_changes_nothing():
    ms = np.full((8, 2, 2 * PAIRS), 10.0)
    ms[:, 1] *= 1.05
    ms[:, 0, :4] *= 30
    assert differences(ms) == pytest.approx(np.log(1.05), abs=1e-12)


def test_the_interval_lies_between_means_of_subsets():
    values = np.array([3.0, -1.0, 0.5, 2.0, 7.0, 1.0])
    means = sorted(
        float(np.mean(subset)) for size in range(1, 7) for subset in itertools.combinations(values.tolist(), size)
    )
    assert typical_interval(values, 1 - 2 / 64) == pytest.approx((means[0], means[-1]))
    assert typical_interval(values, 1 - 10 / 64) == pytest.approx((means[4], means[-5]))


@pytest.mark.parametrize("kind", ["normal", "heavy", "lucky or not", "unlike"])
def test_the_interval_covers_the_centre_whatever_the_luck_of_processes_looks_like(kind):
    rng = np.random.default_rng(3)
    shape = (2000, 8)
    draw = {
        "normal": lambda: rng.normal(0, 1, shape),
        "heavy": lambda: rng.standard_t(1.5, shape),
        "lucky or not": lambda: rng.binomial(1, 0.3, shape) + rng.normal(0, 0.1, shape),
        "unlike": lambda: rng.normal(0, 1, shape) * np.exp(2 * rng.normal(0, 1, shape)),
    }[kind]
    missed = sum(not low <= 0 <= high for low, high in (typical_interval(row, 0.95) for row in draw() - draw()))
    assert binom.ppf(0.001, 2000, 12 / 256) <= missed <= at_most(2000, 12 / 256)


def test_too_few_values_for_a_level_are_refused():
    with pytest.raises(ValueError, match=r"5 values give no interval at level 0\.95"):
        typical_interval(np.arange(5.0), 0.95)


@pytest.mark.parametrize(("comparisons", "generations"), [(1, 8), (2, 9), (3, 10), (6, 11)])
def test_more_comparisons_take_more_generations_so_that_six_means_stay_outside_each_end(comparisons, generations):
    assert generations_for(comparisons) == generations
    beyond = [2**n * 0.05 / comparisons / 2 for n in (generations - 1, generations)]
    assert beyond[0] < 6 <= beyond[1] + 1e-9


def test_a_model_and_itself_seldom_differ():
    assert share_found([1.0, 1.0], {"faster", "slower"}, drift=0.3) <= at_most(300, 0.05)


def test_of_several_equal_models_any_seldom_differs():
    assert share_found([1.0] * 4, {"faster", "slower"}) <= at_most(300, 0.05)


@pytest.mark.parametrize(("ratio", "verdict"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_five_percent_of_work_is_found_though_processes_differ_by_as_much(ratio, verdict):
    """With 2 % of luck each, one in thirteen pairs of processes of one model differs by 5 % or more."""
    assert share_found([1.0, ratio], {verdict}, luck=0.02, drift=0.3) >= 0.9 * 300


def test_the_ratio_and_what_could_be_shown_are_those_of_the_interval():
    comparison = compare(simulated(np.random.default_rng(5), [1.0, 1.1]), ["old", "new"])[0]
    low, high = comparison.interval.low, comparison.interval.high
    assert (comparison.label, comparison.against) == ("new", "old")
    assert low <= comparison.ratio <= high
    assert low <= 1.1 <= high
    assert comparison.could_show == pytest.approx((high / low) ** 0.5 - 1)


def test_one_process_a_model_would_call_its_luck_a_difference():
    """Why processes are started anew: turns of one pair of processes never average their luck out."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        ms = simulated(rng, [1.0, 1.0])[:1].reshape(1, 2, PAIRS, 2).mean(axis=3)
        low, high = typical_interval(np.log(ms[0, 1] / ms[0, 0]), 1 - 2 / 2**PAIRS)
        wrong += not low <= 0 <= high
    assert wrong > 60
