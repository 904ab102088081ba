"""Attacks of torchattacks by name go through the same check and the same accounting."""

import numpy as np
import pytest
import torch
import torchattacks

from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.attacks import Ball, Spec, attack, sweep
from efficiency360.numerics.attacks.spec import OURS, foreign_names


@pytest.fixture
def some(digits):
    module, images, labels = digits
    return module, [(range(30), images[:30], labels[:30])]


@pytest.mark.parametrize("name", ["FGSM", "PGD", "BIM", "APGD", "APGDT", "FAB", "Square", "MIFGSM", "Jitter"])
def test_attacks_with_a_radius_stay_inside_and_break_something(some, swept, name):
    params = {"n_queries": 100} if name == "Square" else {}
    outcome = swept(*some, [Spec(name, params)], "Linf", [0.15])
    assert not outcome.tallies[0].refused
    assert (outcome.broken_by == 0).any()
    assert outcome.tallies[0].largest <= 0.15 + 2e-7


@pytest.mark.parametrize("name", ["CW", "DeepFool"])
def test_attacks_without_a_radius_count_inside_the_ball_only(some, swept, name):
    small, large = (swept(*some, [Spec(name)], "L2", [eps]) for eps in (0.05, 5.0))
    assert not small.tallies[0].refused
    assert large.survived.sum() < small.survived.sum()
    beyond = small.distance[small.survived]
    assert (beyond > 0.05).all()
    assert np.isfinite(beyond).any()


def test_its_own_radius_is_kept_and_what_leaves_ours_is_refused(some, swept):
    outcome = swept(*some, [Spec("PGD", {"eps": 0.5, "alpha": 0.1})], "Linf", [0.01])
    assert outcome.survived.sum() == outcome.right.sum()
    assert outcome.tallies[0].refused["outside_ball"] > 0


def test_what_does_nothing_breaks_nothing(some, swept):
    outcome = swept(*some, [Spec("VANILA")], "Linf", [0.3])
    assert outcome.survived.sum() == outcome.right.sum()
    assert outcome.tallies[0].unmoved


def test_queries_and_gradients_are_counted(some, swept):
    outcome = swept(*some, [Spec("PGD", {"steps": 7, "eps": 1e-4})], "Linf", [1e-4])
    assert outcome.queries[outcome.survived].tolist() == [1 + 7 + 1] * int(outcome.survived.sum())
    assert outcome.gradients[outcome.survived].tolist() == [7] * int(outcome.survived.sum())


def test_random_numbers_are_seeded_and_those_of_others_left_alone(some, swept):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, same, other = (swept(*some, [Spec("PGD")], "Linf", [0.05], seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first.logits, same.logits)
    assert not np.array_equal(first.logits, other.logits)


def test_a_wrong_parameter_is_refused_with_a_suggestion(some, swept):
    with pytest.raises(InputError, match="CW has no parameter 'step'; did you mean 'steps'"):
        swept(*some, [Spec("CW", {"step": 3})], "Linf", [0.1])


def test_an_attack_that_raises_is_an_error_of_the_axis(some, swept):
    with pytest.raises(AxisError, match="torchattacks' PGD stopped: TypeError"):
        swept(*some, [Spec("PGD", {"alpha": None})], "Linf", [0.1])


def test_every_name_is_a_class_of_the_package():
    assert all(issubclass(getattr(torchattacks, name), torchattacks.attack.Attack) for name in foreign_names())
    assert {"CW", "DeepFool", "AutoAttack"} <= set(foreign_names())


@pytest.mark.parametrize(
    ("ours", "theirs", "eps"),
    [  # steps are few, so that a weaker update rule shows
        (Spec("apgd-ce", {"steps": 20}), ("APGD", {"steps": 20, "loss": "ce"}), 0.06),
        (Spec("apgd-dlr", {"steps": 20}), ("APGD", {"steps": 20, "loss": "dlr"}), 0.06),
        (Spec("apgd-t", {"steps": 15}), ("APGDT", {"steps": 15, "n_classes": 10}), 0.06),
        (Spec("fab-t", {"steps": 15}), ("FAB", {"steps": 15, "multi_targeted": True, "n_classes": 10}), 0.06),
        (Spec("square", {"queries": 600}), ("Square", {"n_queries": 600, "resc_schedule": False}), 0.08),
    ],
    ids=lambda value: value.name if isinstance(value, Spec) else "",
)
@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_ours_is_as_strong_as_the_package_at_equal_steps(digits, ours, theirs, eps, norm):
    module, images, labels = (digits[0], digits[1][:100], digits[2][:100])
    radius = eps if norm == "Linf" else 6 * eps
    outcome = sweep(module, [(range(100), images, labels)], [ours], norm, [radius])
    name, params = theirs
    adversarial = getattr(torchattacks, name)(module, eps=radius, norm=norm, seed=0, **params)(images, labels)
    with torch.no_grad():
        wrong = module(adversarial).argmax(1) != labels
    left = int((~(wrong & Ball(norm, radius).inside(images, adversarial))).sum())
    by_chance = 1 if "targets" in OURS[ours.name] else 4  # one random start: over seeds, theirs spread this far
    assert 0 < outcome.survived.sum() <= left + by_chance


def test_attack_is_a_sweep_with_one_radius(digits):
    module, images, labels = digits
    source = [(range(20), images[:20], labels[:20])]
    one = attack(module, source, [Spec("apgd-ce", {"steps": 5})], Ball("L2", 0.4), batch=8)
    other = sweep(module, source, [Spec("apgd-ce", {"steps": 5})], "L2", [0.4], batch=8)
    assert np.array_equal(one.margin, other.margin)
