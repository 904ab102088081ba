"""A linear model's smallest perturbation is known in closed form: attacks must find it, and nothing below it."""

import numpy as np
import pytest

from efficiency360.numerics.attacks import Spec, square

_QUICK = {"steps": 40}


@pytest.fixture(params=["Linf", "L2"])
def norm(request):
    return request.param


@pytest.mark.parametrize(
    "spec",
    [Spec("apgd-t", {"steps": 60}), Spec("fab-t", _QUICK), Spec("apgd-dlr", {"steps": 60, "restarts": 5})],
    ids=lambda spec: spec.name,
)
def test_exactly_those_fall_whose_boundary_is_inside_the_ball(linear, swept, norm, spec):
    model = linear()
    exact = model.distances(norm).numpy()
    eps = float(np.median(exact))
    outcome = swept(model.module, model.chunks(), [spec], norm, [eps], batch=16)
    assert not (~outcome.survived & (exact > eps * 1.0001)).any()
    if spec.name == "apgd-dlr":  # climbs towards one class of several, and may pick the wrong one
        assert (~outcome.survived).sum() >= 0.8 * (exact < eps * 0.99).sum()
    else:
        assert not (outcome.survived & (exact < eps * 0.995)).any()


@pytest.mark.parametrize("name", ["apgd-ce", "pgd"])
def test_with_two_classes_cross_entropy_is_enough(linear, swept, norm, name):
    model = linear(classes=2)
    exact = model.distances(norm).numpy()
    eps = float(np.median(exact))
    outcome = swept(model.module, model.chunks(), [Spec(name, {"steps": 100})], norm, [eps])
    assert not (~outcome.survived & (exact > eps * 1.0001)).any()
    assert not (outcome.survived & (exact < eps * 0.97)).any()


def test_fab_finds_the_distance_to_half_a_percent_and_never_less(linear, swept, norm):
    model = linear()
    exact = model.distances(norm).numpy()
    outcome = swept(model.module, model.chunks(), [Spec("fab-t", _QUICK)], norm, [float(exact.min()) / 2], minimal=True)
    assert outcome.survived.all()
    assert (outcome.distance >= exact * 0.9999).all()
    assert (outcome.distance <= exact * 1.005).all()
    assert outcome.median_distance == pytest.approx(np.median(exact), rel=5e-3)


def test_shrinking_brings_a_far_adversarial_image_near(linear, swept):
    model = linear(classes=2)
    exact = model.distances("L2").numpy()
    eps = float(exact.max()) * 1.3
    far = swept(model.module, model.chunks(), [Spec("apgd-ce", _QUICK)], "L2", [eps])
    near = swept(model.module, model.chunks(), [Spec("apgd-ce", _QUICK)], "L2", [eps], minimal=True)
    assert (far.distance > eps * 0.5).all()
    assert (near.distance >= exact * 0.9999).all()
    assert np.median(near.distance / far.distance) < 0.8
    assert (near.distance <= far.distance).all()


def test_square_breaks_most_of_what_can_be_broken_and_nothing_else(linear, swept, norm):
    model = linear(n=16)
    exact = model.distances(norm).numpy()
    eps = [float(exact.min()) * 0.99, float(exact.max()) * 3]
    outcome = swept(model.module, model.chunks(), [Spec("square", {"queries": 250})], norm, eps)
    assert outcome.survived_at(0).all()
    assert outcome.survived_at(1).sum() <= 2


def test_square_does_not_ask_about_a_proposal_that_changes_nothing(linear, swept, monkeypatch):
    model = linear(shape=(1, 5, 5), n=8)
    eps = [float(model.distances("Linf").min() / 2)]  # nobody falls, so each image costs all its queries
    outcomes = {}
    for draws in (1, 2):
        monkeypatch.setattr(square, "_DRAWS", draws)
        outcomes[draws] = swept(model.module, model.chunks(), [Spec("square", {"queries": 400})], "Linf", eps)
    assert outcomes[1].tallies[0].evaluations == 401 * 8
    assert outcomes[2].tallies[0].evaluations < 0.9 * outcomes[1].tallies[0].evaluations
    assert (outcomes[1].margin == outcomes[2].margin).all()
