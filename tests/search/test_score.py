from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score

from efficiency360.search.constraints import Limits, Weights
from efficiency360.search.halving import called, goes_on, rank
from efficiency360.search.latency import LatencyModel, features
from efficiency360.search.predictor import AccuracyModel
from efficiency360.search.run import accuracy_of
from efficiency360.search.score import feasible, front, hypervolume, layers, netscore, overshoot
from efficiency360.searched import Candidate, Rung
from efficiency360.statistics.correlation import spearman


def test_netscore_is_that_of_the_paper():
    plain = netscore(0.7, 25e6, 4e9, 10.0, Weights())
    assert plain == pytest.approx(20 * math.log10(70**2 / (25**0.5 * 4000**0.5)))
    assert netscore(0.7, 25e6, 4e9, 20.0, Weights(latency=1)) == pytest.approx(plain - 20 * math.log10(20))


def test_overshoot_is_a_share_of_the_limit_and_unmeasured_is_not_judged(space, seen):
    one = seen(space, space.random(np.random.default_rng(0)), p95_ms=3.0, accuracy=0.6)
    missed = overshoot(one, Limits(latency_p95_ms=2, accuracy=0.8, params=one.params))
    assert missed["latency_p95_ms"] == pytest.approx(0.5)
    assert missed["accuracy"] == pytest.approx(0.25)
    assert missed["params"] == 0
    unknown = seen(space, one.genome)
    assert feasible(unknown, Limits(latency_p95_ms=2, accuracy=0.8))


def test_accuracy_is_the_share_or_the_mean_over_classes():
    right, n = np.array([90, 1]), np.array([100, 10])
    assert accuracy_of(right, n, balanced=False) == pytest.approx(91 / 110)
    assert accuracy_of(right, n, balanced=True) == pytest.approx(
        balanced_accuracy_score([0] * 100 + [1] * 10, [0] * 90 + [1] * 11 + [0] * 9)
    )


def test_the_front_is_what_no_other_beats():
    rng = np.random.default_rng(0)
    points = [tuple(one) for one in rng.random((60, 2)).tolist()]
    brute = {
        index
        for index, (a, b) in enumerate(points)
        if not any(c >= a and d <= b and (c, d) != (a, b) for c, d in points)
    }
    assert set(front(points)) == brute == {index for index, layer in enumerate(layers(points)) if layer == 0}


def test_hypervolume_is_the_share_that_random_points_find_beaten():
    rng = np.random.default_rng(1)
    points = [(0.6, 2.0), (0.8, 5.0), (0.7, 4.0), (0.4, 9.0)]
    share = hypervolume(points, (0.5, 10.0), 1.0)
    accuracy, latency = rng.uniform(0.5, 1, 200_000), np.exp(rng.uniform(0, math.log(10), 200_000))
    beaten = np.zeros(len(accuracy), bool)
    for a, ms in points:
        beaten |= (accuracy <= a) & (latency >= ms)
    assert share == pytest.approx(beaten.mean(), abs=0.005)


def test_spearman_agrees_with_scipy_ties_included_and_its_interval_covers():
    rng = np.random.default_rng(2)
    for _ in range(5):
        x, y = rng.integers(0, 6, 25).astype(float), rng.integers(0, 6, 25).astype(float)
        assert spearman(x, y)[0] == pytest.approx(spearmanr(x, y)[0])
    inside = 0
    for _ in range(400):  # rho of a bivariate normal: 6 / pi arcsin(r / 2)
        x = rng.normal(size=40)
        y = 0.6 * x + 0.8 * rng.normal(size=40)
        interval = spearman(x, y)[1]
        inside += interval.low <= 6 / math.pi * math.asin(0.3) <= interval.high
    assert inside >= 365  # 5 % of 400 is 20; the binomial quantile of 1e-3 allows 35
    assert spearman(np.ones(5), np.arange(5.0)) is None


def test_the_latency_model_learns_a_time_that_adds_up(space):
    rng = np.random.default_rng(3)
    specs = [space.spec(space.random(rng)) for _ in range(40)]
    weights = rng.random(len(features(specs[0])))
    times = [float(features(spec) @ weights) for spec in specs]
    model = LatencyModel(specs[:30], times[:30])
    off = [model.predict(spec) / time - 1 for spec, time in zip(specs[30:], times[30:], strict=True)]
    assert np.abs(off).max() < 0.1
    assert LatencyModel(specs[:3], times[:3]).predict(specs[0]) is None


def test_the_accuracy_model_ranks_models_it_was_not_told_of(space, seen):
    rng = np.random.default_rng(4)
    genomes = list({str(genome): genome for genome in (space.random(rng) for _ in range(60))}.values())

    def accuracy(genome):
        return 0.4 + 0.02 * genome["width_1"] - 0.1 * (genome["patch"] == 2)

    known = [seen(space, genome, accuracy=accuracy(genome), rungs={2: accuracy(genome)}) for genome in genomes]
    model = AccuracyModel(space, 2)
    assert model.learn(known[:25])
    mean, deviation = model.predict(known[25:])
    assert spearmanr(mean, [one.accuracy for one in known[25:]])[0] > 0.8
    assert (deviation > 0).all()
    assert not AccuracyModel(space, 2).learn(known[:2])


def candidate(number, *right, ms=1.0, state="stopped"):
    rungs = tuple(
        Rung(epochs=3**at, accuracy=hits / 100, right=hits, n=100, seconds=1) for at, hits in enumerate(right)
    )
    return Candidate(
        number=number, genome={"n": number}, origin="", macs=10, params=10, memory_bytes=10, rungs=rungs,
        latency_ms=ms, state=state,
    )  # fmt: skip


def test_one_of_a_few_goes_on_and_a_fast_one_need_not_be_as_right():
    others = [candidate(1, 80, ms=5.0), candidate(2, 70, ms=5.0), candidate(3, 60, ms=5.0)]
    assert rank(candidate(0, 75, ms=5.0), others, 1, Weights()) == (2, 4)
    assert rank(candidate(0, 40, ms=1.0), others, 1, Weights()) == (2, 4)
    assert rank(candidate(0, 50, ms=5.0), others, 1, Weights()) == (4, 4)
    assert goes_on(1, 1, 3)
    assert goes_on(2, 6, 3)
    assert not goes_on(3, 6, 3)


def test_who_was_left_behind_is_called_once_enough_worse_ones_came():
    few = [candidate(0, 80), candidate(1, 78)]
    assert called([few[1], candidate(0, 80, 85, state="trained")], (1, 3), 3, Weights()) is None
    more = [*few, *(candidate(n, 20 + n) for n in range(2, 6))]
    assert called(more, (1, 3), 3, Weights()).number in {0, 1}
