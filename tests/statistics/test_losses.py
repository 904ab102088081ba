"""Privacy losses of noisy sums: against closed forms and an independent accountant."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from efficiency360.statistics import losses

GRID = Path(__file__).parents[1] / "numerics/private/dp_accounting.csv"
ROWS = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(GRID.read_text().splitlines())]


def gaussian(mu, epsilon):
    """Balle and Wang 2018, theorem 8, for a shift of mu standard deviations."""
    return stats.norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * stats.norm.cdf(-mu / 2 - epsilon / mu)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(f"{row[key]:g}" for key in ("rate", "sigma", "steps")))
def test_epsilon_is_that_of_dp_accounting_and_never_less(row):
    found = losses.epsilon(row["rate"], row["sigma"], int(row["steps"]), row["delta"])
    assert row["pld"] * (1 - 1e-4) <= found <= row["pld"] * 1.001


@pytest.mark.parametrize(("sigma", "steps"), [(0.7, 1), (3.0, 1), (2.0, 5), (30.0, 400)])
def test_without_sampling_every_delta_is_that_of_one_gaussian(sigma, steps):
    mu = np.sqrt(steps) / sigma
    epsilons = np.linspace(0, 4 * mu + mu**2 / 2, 50)
    found, expected = losses.deltas(1.0, sigma, steps, epsilons), gaussian(mu, epsilons)
    assert (found >= expected - 1e-10).all()
    assert found == pytest.approx(expected, rel=0.02, abs=1e-9)


def test_one_sampled_step_is_worth_what_the_two_densities_say():
    rate, sigma = 0.2, 1.1
    grid, width = np.linspace(-20, 21, 400_001, retstep=True)
    without = stats.norm.pdf(grid, 0, sigma)
    mixed = (1 - rate) * without + rate * stats.norm.pdf(grid, 1, sigma)
    for epsilon in (0.0, 0.1, 0.5, 1.0):
        expected = max((a - np.exp(epsilon) * b).clip(0).sum() * width for a, b in ((mixed, without), (without, mixed)))
        found = losses.deltas(rate, sigma, 1, np.array([epsilon]))[0]
        assert found == pytest.approx(expected, rel=0.01, abs=1e-7)
        assert found >= expected - 1e-6


def test_chances_add_up_and_more_noise_hides_more():
    for one in losses.of_training(0.3, 2.0, 40):
        assert one.p.sum() == pytest.approx(1)
    spent = [losses.epsilon(0.3, sigma, 40, 1e-5) for sigma in (1.0, 2.0, 4.0, 8.0)]
    assert spent == sorted(spent, reverse=True)
    assert losses.epsilon(0.3, 2.0, 80, 1e-5) > spent[1]
