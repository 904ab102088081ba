"""Canaries in private fine-tuning: an honest training keeps its epsilon, one without its noise is caught."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

import efficiency360
from efficiency360.axes.privacy import canaries
from efficiency360.dataset import from_arrays
from efficiency360.errors import AxisError
from efficiency360.numerics.private import accountant, head
from efficiency360.numerics.private.recipe import Run
from efficiency360.statistics import losses
from efficiency360.statistics.noise_audit import Mechanism

SETTINGS = {"epsilons": [0.5, 2], "steps": 20, "attacks": [], "canaries": 400}


@pytest.fixture(autouse=True)
def quick_noise(monkeypatch):
    """The accountant has tests of its own; here a faster one solves for noise."""
    monkeypatch.setattr(accountant, "epsilon", losses.epsilon)
    monkeypatch.setattr(accountant, "noise_for", losses.noise_for)


def audited(**settings):
    images, labels = load_digits(return_X_y=True)
    data = from_arrays((images[:400] / 16).reshape(-1, 8, 8).astype(np.float32), labels[:400])
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
    given = {"settings": {"privacy": {**SETTINGS, **settings}}, "input": (1, 8, 8), "threads": 1}
    return efficiency360.audit(module, data, axes=["privacy"], **given).axis("privacy")


def test_what_is_proven_stands_below_the_epsilon_and_beside_what_could_be():
    record = audited()
    bounds, largest = (
        {m.params["epsilon"]: m.value for m in record.measurements if m.name == f"privacy.{name}"}
        for name in ("epsilon_lower_bound", "epsilon_provable")
    )
    assert set(bounds) == set(largest) == {0.5, 2}
    assert all(bounds[epsilon] <= epsilon for epsilon in bounds)
    assert min(largest.values()) > 2
    assert "lower bound" in " ".join(c.text for c in record.caveats if c.id == "privacy.canaries")


def test_a_training_that_forgets_its_noise_is_caught(monkeypatch):
    train = head.train

    def forgetful(x, y, classes, recipe, runs, **options):
        with_canaries = len(runs) == 1  # the measured trainings, which the trail would give away, are left alone
        chosen = [Run(run.seed, 1e-6) for run in runs] if with_canaries else runs
        return train(x, y, classes, recipe, chosen, **options)

    monkeypatch.setattr(head, "train", forgetful)
    record = audited()
    assert record.status == "failed"
    assert "the private fine-tuning claims epsilon = 0.5 and is not that private" in record.reason


def test_none_are_planted_where_none_are_asked_for():
    assert not [m for m in audited(canaries=0).measurements if "lower_bound" in m.name]


@pytest.mark.parametrize("scores", [np.zeros((1, 9)), np.zeros(9), np.full((2, 9), np.nan)])
def test_scores_that_do_not_fit_are_refused(scores):
    with pytest.raises(AxisError, match="scores of the canaries"):
        canaries.of_training(scores, (1.0, 2.0), 1e-3, Mechanism(0.5, 20), (5.0, 3.0))


def test_coins_are_fair_and_the_same_each_time():
    assert 4700 < canaries.coins(10_000, 1).sum() < 5300
    assert (canaries.coins(50, 2) == canaries.coins(50, 2)).all()
    assert (canaries.coins(50, 2) != canaries.coins(50, 3)).any()
