"""Attacks that cheat or do nothing, and models that hide their gradients: each is caught by name."""

import numpy as np
import pytest
import torch
from torch import nn

from efficiency360.errors import AxisError
from efficiency360.numerics.attacks import PRESETS, Spec, methods
from efficiency360.numerics.attacks.pgd import Pgd

_PGD = [Spec("pgd", {"steps": 5})]


class NoOp(Pgd):
    def begin(self, fresh):
        return {**super().begin(fresh), "x": fresh.clean.clone()}

    def advance(self, rows, seen):
        before = rows["x"]
        over = super().advance(rows, seen)
        rows["x"] = before
        return over


class LeavesTheBall(Pgd):
    def begin(self, fresh):
        return {**super().begin(fresh), "x": torch.rand_like(fresh.clean)}


class LeavesTheRange(Pgd):
    def advance(self, rows, seen):
        over = super().advance(rows, seen)
        rows["x"] = rows["clean"] - 2
        return over


class Lies(Pgd):
    def claims(self, rows, seen):
        return torch.ones_like(super().claims(rows, seen))


class GivesNan(Pgd):
    def begin(self, fresh):
        return {**super().begin(fresh), "x": torch.full_like(fresh.clean, torch.nan)}

    def claims(self, rows, seen):
        return torch.ones_like(super().claims(rows, seen))


def _tally(monkeypatch, swept, model, method, eps=1e-4):
    monkeypatch.setitem(methods._OURS, "pgd", method)
    outcome = swept(model.module, model.chunks(), _PGD, "Linf", [eps])
    assert outcome.survived.all()
    return outcome.tallies[0]


def test_an_attack_that_does_nothing_is_named(monkeypatch, swept, linear):
    assert _tally(monkeypatch, swept, linear(), NoOp, eps=0.3).unmoved
    assert not _tally(monkeypatch, swept, linear(), Pgd).unmoved


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (LeavesTheBall, "outside_ball"),
        (LeavesTheRange, "outside_range"),
        (Lies, "not_adversarial"),
        (GivesNan, "not_finite"),
    ],
)
def test_what_cheats_is_refused_with_the_reason(monkeypatch, swept, linear, method, reason):
    tally = _tally(monkeypatch, swept, linear(), method)
    assert set(tally.refused) == {reason}
    assert tally.refused[reason] > 0
    assert tally.fallen == 0


def test_an_honest_attack_has_nothing_refused(swept, digits):
    module, images, labels = digits
    outcome = swept(module, [(range(50), images[:50], labels[:50])], [*_PGD, *PRESETS["quick"]], "Linf", [0.1])
    assert not any(tally.refused for tally in outcome.tallies)
    assert not any(tally.unmoved for tally in outcome.tallies)
    assert max(tally.zero_share for tally in outcome.tallies) < 0.5


class Detached(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, images):
        return self.module(images.detach())


class Quantised(Detached):
    def forward(self, images):
        return self.module(torch.round(images * 255) / 255)


class Saturated(Detached):
    def forward(self, images):
        return torch.softmax(self.module(images) * 1000, dim=1)


class Broken(Detached):
    def forward(self, images):
        flat = torch.sqrt((images * 0).sum(dim=(1, 2, 3)))
        return self.module(images) + flat[:, None]


def test_detached_logits_are_named_and_left_to_the_black_box(swept, linear):
    model = linear()
    eps = float(model.distances("Linf").max()) * 1.5
    specs = [Spec("apgd-ce"), Spec("apgd-t"), Spec("square", {"queries": 300})]
    outcome = swept(Detached(model.module), model.chunks(), specs, "Linf", [eps], batch=8)
    assert [tally.detached for tally in outcome.tallies] == [True, True, False]
    assert outcome.tallies[1].images == len(model.images)
    assert outcome.black_box_only.sum() == (~outcome.survived).sum() > 0


def test_quantised_images_show_as_zero_gradients_and_in_what_only_the_black_box_breaks(swept, linear):
    model = linear()
    eps = float(model.distances("Linf").max()) * 1.5
    specs = [Spec("apgd-ce", {"steps": 10}), Spec("square", {"queries": 300})]
    outcome = swept(Quantised(model.module), model.chunks(), specs, "Linf", [eps])
    assert outcome.tallies[0].zero_share > 0.9
    assert outcome.black_box_only.sum() > 0.5 * len(model.images)


def test_a_saturated_softmax_shows_as_zero_gradients_and_a_loss_that_does_not_rise(swept, linear):
    model = linear()
    outcome = swept(Saturated(model.module), model.chunks(), [Spec("apgd-dlr", {"steps": 10})], "Linf", [1e-3])
    assert outcome.tallies[0].zero_share > 0.9
    assert outcome.tallies[0].idle_share > 0.9


def test_gradients_that_are_not_finite_end_the_axis_with_the_reason(swept, linear):
    model = linear()
    with pytest.raises(AxisError, match="gradients with respect to the images are not finite"):
        swept(Broken(model.module), model.chunks(), [Spec("apgd-ce")], "Linf", [0.1])


def test_a_few_broken_gradients_are_counted(swept, linear):
    model = linear()

    class Sometimes(Detached):
        def forward(self, images):
            broken = torch.where(images[:, :1, :1, :1] > 0.5, 0.0, 1.0) + (images * 0).sum((1, 2, 3), keepdim=True)
            return self.module(images) + torch.sqrt(broken)[:, :, 0, 0]

    outcome = swept(Sometimes(model.module), model.chunks(), _PGD, "Linf", [1e-3])
    tally = outcome.tallies[0]
    assert 0 < tally.broken_gradients < tally.gradient_evaluations


def test_logits_that_are_not_finite_end_the_axis(swept, linear):
    model = linear()
    model.module[1].bias.data[0] = torch.nan
    with pytest.raises(AxisError, match="logits for clean images are not finite"):
        swept(model.module, model.chunks(), _PGD, "Linf", [0.1])


def test_a_model_that_answers_by_chance_has_claims_refused(swept, linear):
    model = linear()
    torch.manual_seed(0)

    class Noisy(Detached):
        def forward(self, images):
            return self.module(images) + 3 * torch.randn(len(images), 6)

    outcome = swept(Noisy(model.module), model.chunks(), [Spec("apgd-ce")], "Linf", [1e-4])
    assert outcome.tallies[0].refused["not_adversarial"] > 0


def test_a_model_that_overwrites_its_input_proves_nothing_false(swept, linear):
    model = linear()

    class Overwrites(nn.Module):
        def forward(self, images):
            answers = model.module(images)
            if not images.requires_grad:
                images.fill_(0.5)
            return answers

    outcome = swept(Overwrites(), model.chunks(), [Spec("square", {"queries": 50})], "Linf", [1e-5])
    assert np.array_equal(outcome.survived, model.distances("Linf").numpy() > 1e-5)
