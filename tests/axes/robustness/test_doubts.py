"""Every way in which a model or an attack can make the figure lie, planted and named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from efficiency360.dataset import from_arrays
from efficiency360.errors import InputError
from efficiency360.numerics.attacks import methods
from efficiency360.numerics.attacks.pgd import Pgd


@pytest.mark.parametrize(
    "change",
    [
        lambda logits: logits.detach(),
        lambda logits: torch.round(logits.detach() * 4) / 4,
        lambda logits: (logits * 0).sum(dim=1, keepdim=True) + logits.detach(),
        lambda logits: torch.softmax(logits * 1e4, dim=1),
    ],
    ids=["detached", "quantised", "zero gradients", "saturated"],
)
def test_masked_gradients_are_named_and_the_figure_cannot_pass(linear, data, robustness, change):
    found = robustness(linear(change), data)
    assert found.caveats["robustness.masked_gradients"].severity == "critical"


class Steps(torch.autograd.Function):
    """Rounds to steps; the gradient is that of something else, so nothing is 0 and all of it is wrong."""

    @staticmethod
    def forward(_, logits):
        return torch.round(logits * 4) / 4

    @staticmethod
    def backward(_, grad):
        return -grad


def test_gradients_that_lead_away_are_named(linear, data, robustness):
    found = robustness(linear(Steps.apply), data)
    assert "masked" in found.caveats["robustness.masked_gradients"].text


def test_quantised_images_that_only_a_black_box_sees_through_are_named(data, linear, robustness):
    class Quantised(linear):
        def forward(self, x):
            return super().forward(x + (torch.round(x * 50) / 50 - x).detach() - x + x.detach())

    found = robustness(Quantised(), data, attacks=["apgd-ce", "square"], eps=[0.1])
    assert found.caveats["robustness.masked_gradients"].severity == "critical"


def test_probabilities_are_named(linear, data, robustness):
    found = robustness(linear(lambda logits: torch.softmax(logits, dim=1)), data)
    assert "robustness.probabilities" in found.caveats


def test_logits_that_are_no_probabilities_are_not_taken_for_them(linear, data, robustness):
    assert "robustness.probabilities" not in robustness(linear(torch.relu), data).caveats


def test_random_answers_fail_or_are_named(linear, data, audit):
    record = audit(linear(lambda logits: logits + torch.randn_like(logits)), data)
    assert record.record.status == "failed" or "critical" in record.worst


def test_a_little_chance_in_the_answers_is_named(linear, data, robustness):
    found = robustness(linear(lambda logits: logits + 0.01 * torch.randn_like(logits)), data)
    assert found.caveats["robustness.random_answers"].severity == "critical"
    assert "by chance" in found.caveats["robustness.random_answers"].text


class Counts:
    """Answers otherwise from a call on."""

    def __init__(self, first, change):
        self.first, self.change, self.calls = first, change, 0

    def __call__(self, logits):
        self.calls += 1
        return self.change(logits) if self.calls > self.first else logits


class Alternates(Counts):
    def __call__(self, logits):
        self.calls += 1
        return self.change(logits) if self.calls % 2 else logits


@pytest.mark.parametrize("first", [1, 2, 5, 6, 7, 10])
def test_a_model_that_behaves_otherwise_from_some_call_on_fails_with_that_reason_or_cannot_pass(
    linear, data, audit, first
):
    found = audit(linear(Counts(first, lambda logits: logits.flip(1))), data)
    accuracy = found.card.axis("accuracy")
    if "failed" in {found.record.status, accuracy.status}:
        assert "depend on what came before" in f"{found.record.reason} {accuracy.reason}"
    else:
        assert "critical" in found.worst


def test_a_model_that_answers_every_other_call_otherwise_is_named(linear, data, audit):
    record = audit(linear(Alternates(0, lambda logits: 1.5 * logits)), data)
    assert "robustness.random_answers" in record.caveats


def test_a_model_that_changes_while_it_is_attacked_is_named(linear, data, robustness):
    found = robustness(linear(Counts(30, lambda logits: 1.01 * logits)), data)
    assert "asked again after the attacks" in found.caveats["robustness.stateful_answers"].text


def test_a_model_that_sees_that_its_gradients_are_asked_for_is_named(linear, data, robustness):
    def change(logits):
        return logits.flip(1) if torch.is_grad_enabled() else logits

    found = robustness(linear(change), data)
    assert found.caveats["robustness.two_faced_answers"].severity == "critical"


def test_a_radius_that_is_much_larger_and_breaks_nothing_more_is_named(data, linear, robustness):
    class Deaf(linear):
        """Half of the images, told by one pixel that attacks cannot change that much, have no gradients."""

        def forward(self, x):
            logits = super().forward(x)
            deaf = (x.detach().mean(dim=(1, 2, 3)) > 0.5)[:, None]
            return torch.where(deaf, super().forward(x.detach().round()), logits)

    images = data.arrays.copy()
    images[::2] += 0.2
    images[1::2] -= 0.2
    given = from_arrays(images, Deaf()(torch.from_numpy(images)[:, None]).argmax(1).numpy())
    found = robustness(Deaf(), given, eps=[0.005, 0.02, 0.1])
    assert "masked" in found.caveats["robustness.masked_gradients"].text


def test_an_honest_model_is_accused_of_nothing(linear, data, robustness):
    assert robustness(linear(), data, eps=[0.001, 0.01, 0.1, 0.3]).worst <= {"info"}


def test_an_honest_network_is_accused_of_nothing(digits_cnn, robustness):
    module, data = digits_cnn
    settings = {"attacks": ["quick"], "eps": [0.004, 0.02, 0.1], "images": 40}
    assert robustness(module, data, **settings).worst <= {"info"}


def test_that_it_is_an_upper_bound_is_said_with_the_attacks_and_their_steps(linear, data, robustness):
    said = robustness(linear(), data).caveats["robustness.upper_bound"].text
    assert "upper bound" in said
    assert "apgd-ce (50 steps)" in said
    assert "apgd-t (50 steps, 3 targets)" in said


class NoOp(Pgd):
    def begin(self, fresh):
        return {**super().begin(fresh), "x": fresh.clean.clone()}

    def advance(self, rows, seen):
        over = super().advance(rows, seen)
        rows["x"] = rows["clean"].clone()
        return over


class LeavesTheBall(Pgd):
    def begin(self, fresh):
        return {**super().begin(fresh), "x": torch.rand_like(fresh.clean)}


def test_an_attack_that_does_nothing_is_named(linear, data, robustness, monkeypatch):
    monkeypatch.setitem(methods._OURS, "pgd", NoOp)
    found = robustness(linear(), data, attacks=["pgd"])
    assert found.caveats["robustness.no_attack"].severity == "critical"
    assert found.numbers()[-1].value == pytest.approx(1 - 4 / len(data))


def test_an_attack_that_leaves_the_ball_counts_for_nothing_and_is_named(linear, data, robustness, monkeypatch):
    monkeypatch.setitem(methods._OURS, "pgd", LeavesTheBall)
    found = robustness(linear(), data, attacks=["pgd"], eps=[1e-5])
    assert "outside_ball" in found.caveats["robustness.refused"].text
    assert found.numbers()[0].value == pytest.approx(1 - 4 / len(data))


def test_gradients_that_are_not_numbers_fail_the_axis_with_the_reason(linear, data, audit):
    record = audit(linear(lambda logits: logits + torch.sqrt((logits * 0).sum(1, keepdim=True))), data).record
    assert record.status == "failed"
    assert "gradients with respect to the images are not finite" in record.reason


def test_answers_to_corrupted_images_that_are_not_numbers_count_as_wrong_and_are_counted(linear, data, robustness):
    class Fragile(linear):
        def forward(self, x):
            return super().forward(x) / (x.amax(dim=(1, 2, 3)) < 0.95)[:, None]

    found = robustness(Fragile(), data, attacks=[], corruptions=["brightness"], severities=[5])
    assert found.caveats["robustness.not_finite"].severity == "warning"


class TestData:
    def test_images_of_one_class_are_attacked_towards_the_others(self, data, linear, robustness):
        of_one = np.flatnonzero(linear()(torch.from_numpy(data.arrays)[:, None]).argmax(1).numpy() == 1)
        found = robustness(linear(), from_arrays(data.arrays[of_one], np.ones(len(of_one), int)))
        assert found.numbers()[0].value > found.numbers()[1].value

    def test_a_model_of_one_class_is_refused_in_a_line(self, data, audit):
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
        with pytest.raises(InputError, match="at least two classes"):
            audit(module, from_arrays(data.arrays, np.zeros(len(data), int)))

    def test_without_labels_it_is_skipped_with_the_reason(self, data, linear, audit):
        record = audit(linear(), from_arrays(data.arrays)).record
        assert record.status == "skipped"
        assert "label" in record.reason
