import numpy as np
import pytest

from efficiency360.numerics.attacks import Spec

_EPS = [0.02, 0.05, 0.1, 0.2]
_TWO = [Spec("apgd-ce", {"steps": 10}), Spec("fab-t", {"steps": 10, "targets": 3})]


@pytest.fixture(scope="module")
def curve(digits, swept):
    module, images, labels = digits
    return swept(module, [(range(60), images[:60], labels[:60])], _TWO, "Linf", _EPS, minimal=True)


def test_accuracy_never_rises_with_the_radius(curve):
    accuracies = [curve.survived_at(index).mean() for index in range(4)]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] > accuracies[3]


def test_a_sweep_breaks_at_least_what_each_radius_alone_breaks(curve, digits, swept):
    module, images, labels = digits
    for index, eps in enumerate(_EPS[:3]):
        alone = swept(module, [(range(60), images[:60], labels[:60])], _TWO, "Linf", [eps])
        assert not (curve.survived_at(index) & ~alone.survived).any()


def test_distance_and_radius_agree(curve):
    eps = np.array(_EPS)
    fallen = curve.fell_at >= 0
    assert (curve.distance[fallen] <= eps[curve.fell_at[fallen]] + 1e-6).all()
    assert (curve.distance[curve.survived] > eps[-1]).all()
    assert (curve.distance[~curve.right] == 0).all()


def test_radii_may_come_in_any_order_and_twice(curve, digits, swept):
    module, images, labels = digits
    again = swept(
        module, [(range(60), images[:60], labels[:60])], _TWO, "Linf", [0.2, 0.05, 0.1, 0.02, 0.05], minimal=True
    )
    assert again.eps == tuple(_EPS)
    assert np.array_equal(again.fell_at, curve.fell_at)


def test_a_search_that_knows_no_radius_runs_once(curve):
    fab = [tally for tally in curve.tallies if tally.label.startswith("fab-t")]
    assert fab[0].images > 0
    assert [tally.images for tally in fab[1:]] == [0, 0, 0]
    assert [tally.eps for tally in fab] == _EPS


def test_what_fab_found_beyond_a_radius_counts_at_the_next(linear, swept):
    model = linear()
    exact = model.distances("Linf").numpy()
    eps = [float(exact.min()) / 2, float(exact.max()) * 1.1]
    outcome = swept(model.module, model.chunks(), [Spec("fab-t", {"steps": 20})], "Linf", eps)
    assert (outcome.fell_at == 1).all()
    assert outcome.tallies[1].evaluations == 0
