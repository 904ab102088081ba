"""What canaries prove: against chances counted one by one, and mechanisms whose epsilon is known."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import optimize, stats

from efficiency360.statistics import canaries


def by_counting(m, guesses, right, epsilon, delta):
    """Theorem 5.2 spelt out: every outcome of every guess of randomised response."""
    chance = np.exp(epsilon) / (1 + np.exp(epsilon))
    counts = np.zeros(guesses + 1)
    for outcome in product((0, 1), repeat=guesses):
        hits = sum(outcome)
        counts[hits] += chance**hits * (1 - chance) ** (guesses - hits)
    tail = [counts[v:].sum() for v in range(guesses + 1)]
    extra = max(((tail[right - i] - tail[right]) / i for i in range(1, right + 1)), default=0.0)
    return min(1.0, tail[right] + 2 * m * delta * extra)


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("delta", [0.0, 1e-3, 0.05])
def test_the_p_value_is_that_of_counting_every_outcome(epsilon, delta):
    for guesses in (1, 2, 5, 9):
        for right in range(guesses + 1):
            found = canaries.p_value(20, guesses, right, epsilon, delta)
            assert found == pytest.approx(by_counting(20, guesses, right, epsilon, delta), abs=1e-12)


def test_without_delta_the_bound_is_clopper_and_pearsons():
    for guesses, right in ((50, 50), (200, 180), (1000, 700)):
        low = stats.binomtest(right, guesses).proportion_ci(0.90, "exact").low
        expected = np.log(low / (1 - low))
        assert canaries.epsilon_bound(5000, guesses, right, 0.0) == pytest.approx(expected, abs=1e-9)


def test_more_right_guesses_prove_more_and_a_larger_delta_or_confidence_less():
    bounds = [canaries.epsilon_bound(1000, 100, right, 1e-5) for right in range(50, 101)]
    assert all(a <= b for a, b in pairwise(bounds))
    assert bounds[0] == 0 < bounds[-1]
    for delta in (1e-6, 1e-5, 1e-4, 1e-3):
        assert canaries.epsilon_bound(1000, 100, 98, 10 * delta) < canaries.epsilon_bound(1000, 100, 98, delta)
    assert canaries.epsilon_bound(1000, 100, 98, 1e-5, 0.99) < canaries.epsilon_bound(1000, 100, 98, 1e-5, 0.9)
    assert canaries.p_value(1000, 100, 98, 3.0, 1e-5) < canaries.p_value(1000, 100, 98, 4.0, 1e-5)


def test_ten_thousand_guesses_do_not_overflow():
    assert 6 < canaries.epsilon_bound(20_000, 10_000, 10_000, 0.0) < 9
    assert canaries.p_value(20_000, 10_000, 9_000, 20.0, 1e-6) == pytest.approx(1.0)


def test_the_surest_are_guessed_and_their_number_does_not_depend_on_what_is_seen():
    scores, included = np.array([5.0, 4, 3, 2, 1, 0]), np.array([True, False, True, False, True, False])
    assert canaries.right_guesses(scores, included, 1) == 2
    assert canaries.right_guesses(scores, included, 2) == 2
    assert canaries.right_guesses(scores, included, 3) == 4
    assert canaries.guesses_each_way(5000) == 141
    assert [canaries.guesses_each_way(m) for m in (1, 2, 4)] == [1, 1, 2]
    with pytest.raises(ValueError, match="NaN"):
        canaries.right_guesses(np.array([np.nan, 1, 2, 3]), included[:4], 1)


@pytest.mark.parametrize("bad", [(10, 11, 5, 1.0, 0.0), (10, 5, 6, 1.0, 0.0), (10, 5, 3, -1.0, 0.0), (10, 5, 3, 1, 2)])
def test_impossible_counts_are_refused(bad):
    with pytest.raises(ValueError, match="audit"):
        canaries.p_value(*bad)


def bound_of(noise, seed, delta, m=5000):
    """The bound for canaries that a mechanism adds `noise` to."""
    rng = np.random.default_rng(seed)
    included = rng.integers(0, 2, m).astype(bool)
    scores = included + noise(rng, m)
    each_way = canaries.guesses_each_way(m)
    return canaries.epsilon_bound(m, 2 * each_way, canaries.right_guesses(scores, included, each_way), delta)


def laplace(scale):
    return lambda rng, m: rng.laplace(0, scale, m)


def gaussian(sigma):
    return lambda rng, m: rng.normal(0, sigma, m)


def gaussian_delta(sigma, epsilon):
    """Balle and Wang 2018, theorem 8, sensitivity 1."""
    first, second = 1 / (2 * sigma) - epsilon * sigma, -1 / (2 * sigma) - epsilon * sigma
    return stats.norm.cdf(first) - np.exp(epsilon) * stats.norm.cdf(second)


def test_a_mechanism_with_half_the_noise_it_claims_is_caught_and_an_honest_one_is_not():
    caught = sum(bound_of(laplace(1 / 3 / 2), seed, 0.0) > 3 for seed in range(20))
    accused = sum(bound_of(laplace(1 / 3), seed, 0.0) > 3 for seed in range(20))
    assert caught >= 18
    assert accused <= 3


def test_the_bound_is_above_the_true_epsilon_in_one_of_twenty_audits_at_most():
    """Laplace noise has nothing to spare: its guesses are as right as epsilon allows."""
    wrong = sum(bound_of(laplace(1.0), seed, 0.0, m=1000) > 1 for seed in range(500))
    assert 5 <= wrong <= 35


def test_gaussian_noise_proves_less_than_its_epsilon_but_half_of_it_more_than_is_claimed():
    sigma = optimize.brentq(lambda s: gaussian_delta(s, 3.0) - 1e-5, 0.3, 5)
    honest = [bound_of(gaussian(sigma), seed, 1e-5) for seed in range(100)]
    halved = [bound_of(gaussian(sigma / 2), seed, 1e-5) for seed in range(100)]
    assert max(honest) < 3
    assert sum(bound > 3 for bound in halved) > 50
