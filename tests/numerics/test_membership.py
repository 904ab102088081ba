"""Reference heads and canaries: each against something that is known by other means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from sklearn.linear_model import LogisticRegression
from torch import nn

from efficiency360.axes.privacy.membership_seen import calibrated
from efficiency360.axes.privacy.membership_seen import log_odds as log_odds_of_arrays
from efficiency360.numerics.membership import canaries, references
from efficiency360.numerics.membership.odds import log_odds
from efficiency360.statistics import calibration
from efficiency360.statistics.canaries import epsilon_bound, guesses_each_way, right_guesses


def test_log_odds_are_those_of_the_probability_and_do_not_saturate():
    logits, labels = torch.randn(50, 6), torch.randint(6, (50,))
    chances = torch.softmax(logits, 1).gather(1, labels[:, None])[:, 0]
    assert torch.allclose(log_odds(logits, labels), torch.log(chances / (1 - chances)), atol=1e-4)
    ours = log_odds_of_arrays(logits.numpy(), labels.numpy())
    assert np.allclose(ours, log_odds(logits.double(), labels).numpy())
    order = np.argsort(calibration.log_loss(logits.numpy(), labels.numpy()))
    assert (np.diff(ours[order]) <= 1e-9).all()
    sure = np.array([[0.0, 50], [0, 60]])
    assert log_odds_of_arrays(sure, np.array([1, 1])).tolist() == [50, 60]


def blobs(seed, n=300, width=20, classes=3):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, width))
    labels = rng.integers(0, classes, n)
    return torch.from_numpy((centres[labels] + rng.normal(0, 2, (n, width))).astype(np.float32)), torch.from_numpy(
        labels
    )


def test_every_reference_is_trained_on_half_and_agrees_with_another_library():
    features, labels = blobs(0)
    odds, trained = references.reference_odds(features, labels * 3, 6, seed=0)
    assert trained.sum(dim=1).tolist() == [3] * 300
    for head in range(2):
        rows = trained[:, head].numpy()
        other = LogisticRegression(C=0.5, max_iter=2000).fit(features[rows], labels[rows])
        chances = other.predict_proba(features)[np.arange(300), labels]
        expected = np.log(chances / (1 - chances))
        assert np.corrcoef(odds[~trained[:, head], head], expected[~rows])[0, 1] > 0.97
    again, _ = references.reference_odds(features, labels, 6, seed=0)
    assert torch.allclose(odds, again)


def test_references_that_never_saw_the_members_make_the_attack_stronger():
    features, labels = blobs(1, n=600)
    labels = torch.where(torch.rand(600, generator=torch.Generator().manual_seed(0)) < 0.3, (labels + 1) % 3, labels)
    member = np.arange(600) < 150
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(features[:150]), labels[:150]).backward()
        optimiser.step()
    own = log_odds(net(features), labels).detach().double().numpy()
    odds, trained = references.reference_odds(features, labels, 16, seed=0)
    better = calibrated(own, odds.double().numpy(), trained.numpy())
    loss, more = (calibration.auroc(one[member], one[~member]) for one in (own, better))
    assert loss > 0.6
    assert more > loss + 0.02


def test_what_would_take_minutes_is_done_with_fewer_references_or_none():
    assert references.affordable(16, 2000, 10) == 16
    assert 4 <= references.affordable(16, 2000, 1000) < 16
    assert references.affordable(16, 100_000, 1000) == 0


def simulated(sigma):
    """One step of private training by the Gaussian mechanism: clipped gradients, summed, with noise."""

    def train(features, labels, include, seed):
        start = torch.zeros(10, features.shape[1])
        chances = torch.full((len(labels), 10), 0.1)
        residual = nn.functional.one_hot(labels, 10) - chances
        length = residual.norm(dim=1) * features.norm(dim=1)
        update = ((residual / length[:, None])[include].T @ features[include]).float()
        noise = torch.randn(update.shape, generator=torch.Generator().manual_seed(seed + 1000)) * sigma
        return canaries.alignment(update + noise, start, features, labels)

    return train


def bound(train, seed, delta):
    generator = torch.Generator().manual_seed(seed)
    features, labels = canaries.planted(torch.randn(50, 600, generator=generator), 10, 500, generator)
    include, scores = canaries.watched(train, features, labels, seed)
    each_way = guesses_each_way(500)
    right = right_guesses(scores.numpy(), include.numpy(), each_way)
    return epsilon_bound(500, 2 * each_way, right, delta)


def test_canaries_in_private_training_of_a_head_see_through_noise_that_is_left_out():
    def delta(sigma):
        return stats.norm.cdf(1 / (2 * sigma) - sigma) - np.exp(1) * stats.norm.cdf(-1 / (2 * sigma) - sigma)

    sigma = optimize.brentq(lambda s: delta(s) - 1e-5, 0.5, 20)  # epsilon 1 (Balle and Wang 2018)
    honest = [bound(simulated(sigma), seed, 1e-5) for seed in range(10)]
    without = [bound(simulated(0.0), seed, 1e-5) for seed in range(10)]
    assert max(honest) < 1
    assert min(without) > 1.5


def test_coins_are_fair_and_only_what_they_chose_is_trained_on():
    taken = []

    def train(_features, _labels, include, _seed):
        taken.append(include)
        return include.float()

    include, scores = canaries.watched(train, torch.rand(1000, 3), torch.zeros(1000, dtype=torch.long), 3)
    assert 430 < int(include.sum()) < 570
    assert torch.equal(taken[0], include)
    assert torch.equal(scores > 0.5, include)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="no finite score"):
        canaries.watched(lambda x, *_: x[:, 0] / 0, torch.zeros(9, 2), torch.zeros(9, dtype=torch.long), 0)
