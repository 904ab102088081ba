"""What guesses prove of a training's noise: against linear programming, and mechanisms whose noise is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from efficiency360.statistics import canaries, losses, noise_audit
from efficiency360.statistics.noise_audit import Mechanism, too_unlikely

M, DELTA = 5000, 1e-5
ONCE = Mechanism(1.0, 1)


def likeliest(epsilons, deltas, m, guesses, right):
    """The largest chance of `right` or more that the inequalities of theorem 3.2 leave, by linear programming."""
    counts = np.arange(guesses + 1)
    rows, limits = [], []
    for c in range(1, guesses + 1):
        for epsilon, delta in zip(epsilons, deltas, strict=True):
            rows.append((counts >= c) * counts / m - np.exp(epsilon) * (counts >= c - 1) * (guesses - counts) / m)
            limits.append(delta)
    total = np.ones((1, guesses + 1))
    return -optimize.linprog(-(counts >= right).astype(float), rows, limits, total, [1.0]).fun


@pytest.mark.parametrize("right", [7, 9, 11, 12])
def test_what_is_too_unlikely_is_so_by_linear_programming(right):
    epsilons = np.array([0.0, 0.3, 0.8, 1.5])
    deltas = np.array([0.2, 0.08, 0.01, 0.0005])
    most = likeliest(epsilons, deltas, 40, 12, right)
    assert too_unlikely(epsilons, deltas, 40, 12, right, most * 1.001)
    assert not too_unlikely(epsilons, deltas, 40, 12, right, most * 0.999)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 2.5])
def test_randomised_response_is_never_refuted_as_what_it_is(epsilon):
    for right in range(30, 61):
        chance = stats.binom.sf(right - 1, 60, np.exp(epsilon) / (1 + np.exp(epsilon)))
        assert not too_unlikely(np.array([epsilon]), np.array([0.0]), 200, 60, right, chance * 0.999)


def sigma_for(epsilon):
    return optimize.brentq(lambda sigma: losses.epsilon(1.0, sigma, 1, DELTA) - epsilon, 0.3, 20)


def proven(sigma, seed, mechanism=ONCE, m=M):
    """The bound for canaries, each on its own, in a training with so much noise."""
    rng = np.random.default_rng(seed)
    included = rng.integers(0, 2, m).astype(bool)
    taken = np.where(included, rng.binomial(mechanism.steps, mechanism.rate, m), 0)
    scores = taken + rng.normal(0, sigma * np.sqrt(mechanism.steps), m)
    each_way = canaries.guesses_each_way(m)
    right = canaries.right_guesses(scores, included, each_way)
    return noise_audit.epsilon_bound(mechanism, sigma, m, 2 * each_way, right, DELTA)


@pytest.mark.parametrize("claimed", [1.0, 3.0])
def test_half_the_noise_is_caught_in_at_least_18_of_20_runs_and_the_honest_one_in_at_most_3(claimed):
    sigma = sigma_for(claimed)
    assert sum(proven(sigma / 2, seed) > claimed for seed in range(20)) >= 18
    assert sum(proven(sigma, seed) > claimed for seed in range(20)) <= 3


def test_half_the_noise_of_a_training_in_steps_is_caught_and_the_honest_one_is_not():
    mechanism = Mechanism(0.5, 100)
    sigma = optimize.brentq(lambda some: losses.epsilon(0.5, some, 100, DELTA) - 3, 2, 50, xtol=1e-3)
    assert sum(proven(sigma / 2, seed, mechanism) > 3 for seed in range(20)) >= 18
    assert sum(proven(sigma, seed, mechanism) > 3 for seed in range(20)) <= 3


def test_the_bound_is_below_the_true_epsilon_and_not_far_below():
    for sigma in (0.5, 1.0, 2.0):
        true = losses.epsilon(1.0, sigma, 1, DELTA)
        bounds = [proven(sigma, seed) for seed in range(10)]
        assert max(bounds) < true
        assert min(bounds) > 0.3 * true


def test_where_the_search_begins_does_not_matter():
    bounds = [noise_audit.epsilon_bound(Mechanism(0.5, 100), start, 500, 90, 75, 1e-4) for start in (0.5, 5.0, 400.0)]
    assert bounds == pytest.approx([bounds[0]] * 3, rel=0.01)


def test_no_more_right_than_wrong_proves_nothing_and_all_right_proves_something_finite():
    assert noise_audit.epsilon_bound(ONCE, 1.0, 500, 90, 45, 1e-4) == 0
    assert 4 < noise_audit.epsilon_bound(ONCE, 1.0, 500, 90, 90, 1e-4) < 12
