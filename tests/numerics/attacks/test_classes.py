"""Few classes, no room, wrong labels: what is undefined falls back by name or is refused."""

import pytest
import torch
from torch import nn

from efficiency360.errors import InputError
from efficiency360.numerics.attacks import PRESETS, Ball, Spec, attack

_ALL = [
    Spec("apgd-ce", {"steps": 20}),
    Spec("apgd-dlr", {"steps": 20}),
    Spec("apgd-t", {"steps": 20}),
    Spec("fab-t", {"steps": 15}),
    Spec("square", {"queries": 50}),
]


@pytest.mark.parametrize(("classes", "told"), [(2, 2), (3, 1), (4, 0), (5, 0)])
@pytest.mark.parametrize("spec", _ALL, ids=lambda spec: spec.name)
def test_every_attack_breaks_a_model_of_few_classes(linear, swept, classes, told, spec):
    model = linear(classes=classes, n=12)
    eps = float(model.distances("Linf").median())
    outcome = swept(model.module, model.chunks(), [spec], "Linf", [eps, 4 * eps])
    assert outcome.survived_at(1).sum() < outcome.survived_at(0).sum() <= 12
    undefined = {"apgd-dlr": told == 2, "apgd-t": told >= 1}
    assert len(outcome.notes) == undefined.get(spec.name, False)


def test_a_fallback_is_named(linear, swept):
    model = linear(classes=2)
    notes = swept(model.module, model.chunks(), _ALL, "Linf", [0.01, 0.02]).notes
    assert "cross-entropy" in notes[0]
    assert "difference of logits" in notes[1]
    assert len(notes) == 2


def test_a_model_of_one_class_is_refused():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    with pytest.raises(InputError, match="single class"):
        attack(module, [([0], torch.rand(1, 1, 2, 2), [0])], PRESETS["quick"], Ball("Linf", 0.1))


def test_images_of_one_class_are_attacked_like_any(linear, swept):
    model = linear(n=60)
    rows = model.labels == model.labels[0]
    source = [(range(int(rows.sum())), model.images[rows], model.labels[rows])]
    assert not swept(model.module, source, [Spec("apgd-t", {"steps": 30})], "Linf", [0.3]).survived.any()


def test_without_room_accuracy_is_that_of_clean_images(linear, swept):
    model = linear()
    model.labels[0] = (model.labels[0] + 1) % 6
    outcome = swept(model.module, model.chunks(), _ALL, "Linf", [0.0, 0.3])
    assert outcome.survived_at(0).tolist() == [False] + [True] * 23
    assert not outcome.survived_at(1).any()
    assert "eps 0" in outcome.notes[0]


@pytest.mark.parametrize("label", [-1, 6])
def test_a_label_that_is_no_class_is_refused(linear, swept, label):
    model = linear()
    model.labels[3] = label
    with pytest.raises(InputError, match="none of the model's classes"):
        swept(model.module, model.chunks(), _ALL, "Linf", [0.1])


def test_no_attack_and_no_radius_are_refused(linear, swept):
    model = linear()
    for specs, eps in (([], [0.1]), (_ALL, [])):
        with pytest.raises(InputError, match="at least one"):
            swept(model.module, model.chunks(), specs, "Linf", eps)
