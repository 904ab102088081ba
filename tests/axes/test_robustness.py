"""Robustness against closed forms, and every way in which its figure can lie, planted and named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.axes import make_axis
from efficiency360.dataset import Labels, from_arrays
from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.corruptions import corrupt
from efficiency360.statistics.intervals import wilson

SIDE, N = 8, 80
ATTACK = {"attacks": ["quick"], "corruptions": [], "eps": [0.02, 0.1]}


class Linear(nn.Module):
    """Two classes by the sign of a weighted sum of pixels: how far every image is from the border is known."""

    def __init__(self, change=lambda logits: logits):
        super().__init__()
        rng = np.random.default_rng(0)
        self.weight = nn.Parameter(torch.tensor(rng.normal(size=SIDE * SIDE), dtype=torch.float32))
        self.change = change

    def forward(self, x):
        score = ((x - 0.5).flatten(1) * self.weight).sum(dim=1)
        return self.change(torch.stack([-score, score], dim=1))


@pytest.fixture(scope="module")
def data():
    """Images far from black and white, so that the ball is never cut off; labels as the model has them, some wrong."""
    rng = np.random.default_rng(1)
    images = rng.uniform(0.3, 0.7, (N, SIDE, SIDE)).astype(np.float32)
    labels = (((images - 0.5).reshape(N, -1) @ Linear().weight.detach().numpy()) > 0).astype(int)
    labels[:4] = 1 - labels[:4]
    return from_arrays(images, labels)


def audit(module, data, **settings):
    settings = {"robustness": {**ATTACK, **settings}}
    axes = ["accuracy", "robustness"]
    return efficiency360.audit(module, data, axes=axes, settings=settings, input=(1, SIDE, SIDE), threads=1)


def robustness(module, data, **settings):
    record = audit(module, data, **settings).axis("robustness")
    assert record.status == "measured", record.reason
    return record


def numbers(record, name="robustness.adversarial_accuracy"):
    return [one for one in record.measurements if one.name == name]


def caveats(record):
    return {caveat.id: caveat for caveat in record.caveats}


class TestAgainstClosedForms:
    def test_of_a_linear_model_exactly_the_images_within_reach_fall(self, data):
        weight = Linear().weight.detach().numpy()
        scores = (data.arrays - 0.5).reshape(N, -1) @ weight
        right = (scores > 0).astype(int) == np.array(data.labels.values).astype(int)
        for one in numbers(robustness(Linear(), data)):
            kept = right & (np.abs(scores) > one.params["eps"] * np.abs(weight).sum())
            assert one.value == pytest.approx(kept.mean(), abs=1 / N)
            assert one.n == N
            assert one.interval == wilson(round(one.value * N), N)
            assert one.params["attack"] == "quick"
            assert one.params["norm"] == "Linf"

    def test_the_median_distance_is_that_of_the_border(self, data):
        weight = Linear().weight.detach().numpy()
        scores = (data.arrays - 0.5).reshape(N, -1) @ weight
        right = (scores > 0).astype(int) == np.array(data.labels.values).astype(int)
        border = np.where(right, np.abs(scores) / np.abs(weight).sum(), 0)
        (found,) = numbers(robustness(Linear(), data, attacks=["fab-t"], eps=[0.5]), "robustness.median_distance")
        assert found.value == pytest.approx(np.sort(border)[N // 2 - 1], rel=0.1)
        assert found.interval.low <= found.value <= found.interval.high

    def test_without_room_nothing_falls(self, data):
        (found,) = numbers(robustness(Linear(), data, eps=[0]))
        assert found.value == pytest.approx(1 - 4 / N)

    def test_accuracy_under_corruption_is_that_of_the_corrupted_images(self, data):
        record = robustness(Linear(), data, attacks=[], corruptions=["brightness", "contrast"], severities=[1, 5])
        order = [measured.params for measured in numbers(record, "robustness.corruption_accuracy")]
        assert len(order) == 4
        images, labels = torch.from_numpy(data.arrays)[:, None], np.array(data.labels.values).astype(int)
        for one in numbers(record, "robustness.corruption_accuracy"):
            spoiled = corrupt(images, one.params["corruption"], one.params["severity"], range(N))
            assert one.value == pytest.approx((Linear()(spoiled).argmax(dim=1).numpy() == labels).mean())
        (mean,) = numbers(record, "robustness.mean_corruption_accuracy")
        shares = [one.value for one in numbers(record, "robustness.corruption_accuracy")]
        assert mean.value == pytest.approx(np.mean(shares))


class Noisy(Linear):
    def forward(self, x):
        return super().forward(x) + torch.randn(len(x), 2)


class TestPlantedDefects:
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
    def test_masked_gradients_are_named_and_the_figure_cannot_pass(self, data, change):
        record = robustness(Linear(change), data)
        assert caveats(record)["robustness.masked_gradients"].severity == "critical"

    def test_probabilities_are_named(self, data):
        record = robustness(Linear(lambda logits: torch.softmax(logits, dim=1)), data)
        assert "robustness.probabilities" in caveats(record)

    def test_random_answers_are_named(self, data):
        record = audit(Noisy(), data).axis("robustness")
        assert record.status == "failed" or any(caveat.severity == "critical" for caveat in record.caveats)

    def test_an_honest_model_is_accused_of_nothing(self, data):
        assert {caveat.severity for caveat in robustness(Linear(), data).caveats} <= {"info"}

    def test_that_it_is_an_upper_bound_is_always_said(self, data):
        assert "upper bound" in caveats(robustness(Linear(), data))["robustness.upper_bound"].text


class TestEvidence:
    """What the worker says is held against the answers to the clean images."""

    def evidence(self, **changed):
        logits = np.eye(2, dtype=np.float32)[np.arange(6) % 2]
        fields = {
            "accuracy.logits": logits,
            "without_gradients": np.array([False]),
            "attacked": np.arange(6),
            "attacked_right": np.ones(6, bool),
            "attacked_fell_at": np.array([-1, -1, 0, 0, 1, 1]),
            "attacked_broken_by": np.zeros(6, int),
            "attacked_distance": np.array([np.inf, np.inf, 0.1, 0.1, 0.2, 0.2], np.float32),
            "attacked_black_box_only": np.zeros(6, bool),
            "eps": np.array([0.1, 0.2]),
            "attack": np.array(["apgd"]),
            "note": np.array([], np.str_),
            **{
                f"tally_{name}": np.array([0])
                for name in ("gradient_evaluations", "zero_gradients", "broken_gradients")
            },
            "tally_detached": np.array([False]),
            "tally_unmoved": np.array([False]),
            "tally_refused": np.array([""]),
            "tally_attack": np.array(["apgd"]),
        }
        return {**fields, **changed}

    def measure(self, **changed):
        labels = Labels(np.arange(6) % 2, ("a", "b"), tuple("abcdef"))
        return make_axis("robustness", {}).measure(self.evidence(**changed), labels)

    def test_what_fell_at_a_radius_has_fallen_at_every_larger_one(self):
        found = {one.params["eps"]: one.value for one in numbers(self.measure())}
        assert found == {0.1: pytest.approx(4 / 6), 0.2: pytest.approx(2 / 6)}

    @pytest.mark.parametrize(
        "changed",
        [
            {"attacked": np.array([0, 0, 1, 2, 3, 4])},
            {"attacked": np.arange(6) + 1},
            {"attacked_right": np.zeros(6, bool)},
            {"attacked_fell_at": np.full(6, 2)},
            {"attacked_fell_at": np.zeros(5, int)},
            {"accuracy.logits": np.eye(2, dtype=np.float32)[1 - np.arange(6) % 2]},
        ],
    )
    def test_what_contradicts_the_clean_answers_or_itself_is_refused(self, changed):
        with pytest.raises(AxisError):
            self.measure(**changed)

    def test_an_attack_that_never_moved_an_image_is_none(self):
        found = caveats(self.measure(tally_unmoved=np.array([True])))
        assert found["robustness.no_attack"].severity == "critical"

    def test_black_box_stronger_than_white_box_is_masking(self):
        found = caveats(self.measure(attacked_black_box_only=np.ones(6, bool)))
        assert "without gradients broke 6 of 6" in found["robustness.masked_gradients"].text

    def test_an_unbounded_attack_that_leaves_images_right_is_masking(self):
        found = caveats(self.measure(far_survived=np.array([True, False])))
        assert "left 1 of 2 images right" in found["robustness.masked_gradients"].text

    def test_claims_that_did_not_pass_the_check_are_said(self):
        found = caveats(self.measure(tally_refused=np.array(["3 x outside the ball"])))
        assert "3 x outside the ball" in found["robustness.refused"].text


class TestSettings:
    @pytest.mark.parametrize(("text", "value"), [("4/255", 4 / 255), (" 8 / 255 ", 8 / 255), (0.3, 0.3)])
    def test_a_radius_may_be_written_as_a_fraction(self, text, value):
        assert make_axis("robustness", {"eps": [text]}).eps == (pytest.approx(value),)

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"eps": [-0.1]}, "eps"),
            ({"eps": [1.5]}, "cannot change by more than 1"),
            ({"eps": ["4/0"]}, "is no radius"),
            ({"eps": ["four"]}, "is no radius"),
            ({"eps": [float("nan")]}, "eps"),
            ({"attacks": ["autoatack"]}, "did you mean 'autoattack'?"),
            ({"corruptions": ["fogg"]}, "there is no corruption named 'fogg'"),
            ({"severities": [6]}, "severities"),
            ({"norm": "L1"}, "norm"),
            ({"attacks": [], "corruptions": []}, "there is nothing to measure"),
        ],
    )
    def test_a_mistake_is_one_line(self, settings, said):
        with pytest.raises(InputError) as caught:
            make_axis("robustness", settings)
        assert said in str(caught.value)
