"""Private fine-tuning end to end: what it must find, what it must refuse, and the lies that its evidence could tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import efficiency360
from efficiency360.axes import make_axis
from efficiency360.axes.base import Run
from efficiency360.dataset import Labels, from_arrays, open_dataset
from efficiency360.dataset.preprocess import Preprocess
from efficiency360.dataset.stream import ImageStream
from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.private import accountant, head
from efficiency360.statistics import losses
from efficiency360.statistics.intervals import wilson
from efficiency360.subject.subject import Subject
from efficiency360.zoo import create, weights

N, SIDE = 400, 6


@pytest.fixture(autouse=True)
def quick_noise(monkeypatch):
    """The accountant has tests of its own; here a faster one solves for noise."""
    solve_quickly(monkeypatch)


def solve_quickly(patch):
    patch.setattr(accountant, "epsilon", losses.epsilon)
    patch.setattr(accountant, "noise_for", losses.noise_for)


class Net(nn.Module):
    """Three classes by a hidden layer that was never trained."""

    def __init__(self, norm=nn.Identity):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), norm(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 24), nn.ReLU())
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.body(x))


def images(n=N, seed=0):
    """Three kinds of noisy images, by where they are bright."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    found = rng.uniform(0, 0.6, (n, SIDE, SIDE))
    for row, label in enumerate(labels):
        found[row, 2 * label : 2 * label + 2] += 0.25
    return from_arrays(found.clip(0, 1).astype(np.float32), labels)


def audited(module=None, data=None, **settings):
    settings = {"steps": 40, **settings}
    module = Net() if module is None else module
    given = {"axes": ["privacy"], "settings": {"privacy": settings}, "input": (1, SIDE, SIDE), "threads": 1}
    return efficiency360.audit(module, images() if data is None else data, **given).axis("privacy")


def measured(*arguments, **settings):
    record = audited(*arguments, **settings)
    assert record.status == "measured", record.reason
    return record


def numbers(record, name):
    return {one.params.get("epsilon"): one for one in record.measurements if one.name == f"privacy.{name}"}


def caveats(record):
    return {caveat.id.removeprefix("privacy."): caveat for caveat in record.caveats}


@pytest.fixture(scope="module")
def record():
    """An audit at three epsilons."""
    with pytest.MonkeyPatch.context() as patch:
        solve_quickly(patch)
        return measured(epsilons=[0.1, 1, 8])


class TestWhatItFinds:
    def test_accuracy_falls_as_epsilon_falls_and_is_best_without_privacy(self, record):
        private = [numbers(record, "dp_accuracy")[epsilon].value for epsilon in (0.1, 1.0, 8.0)]
        (without,) = numbers(record, "nonprivate_accuracy").values()
        assert private[0] < private[1] < private[2] + 0.02
        assert private[2] <= without.interval.high
        assert without.value > 0.8

    def test_the_cost_is_the_paired_drop(self, record):
        (without,) = numbers(record, "nonprivate_accuracy").values()
        for epsilon, cost in numbers(record, "dp_cost").items():
            private = numbers(record, "dp_accuracy")[epsilon]
            assert cost.value == pytest.approx(without.value - private.value)
            assert cost.interval.low <= cost.value <= cost.interval.high
            assert cost.better == "lower"
        assert numbers(record, "dp_cost")[0.1].interval.low > 0

    def test_intervals_are_wider_than_images_alone_would_make_them(self, record):
        for one in numbers(record, "dp_accuracy").values():
            alone = wilson(one.value * one.n, one.n)
            assert one.interval.low <= alone.low <= alone.high <= one.interval.high
            assert one.interval.method == "wilson, with trainings"

    def test_all_that_is_needed_to_do_it_again_is_said(self, record):
        table = next(series for series in record.series if series.name == "privacy.training").columns
        assert table["epsilon"] == [0.1, 1.0, 8.0]
        assert table["steps"] == [40] * 3
        assert table["sampling_rate"] == [0.5] * 3
        assert table["clipping"] == [1.0] * 3
        assert table["accountant"] == ["PRV"] * 3
        assert table["adjacency"] == ["add or remove one image"] * 3
        n = table["images"][0]
        for target, sigma, delta in zip(*(table[key] for key in ("epsilon", "noise_multiplier", "delta")), strict=True):
            assert delta == pytest.approx(1 / (10 * n), rel=0.01)
            assert delta <= 1 / (10 * n)
            assert losses.epsilon(0.5, sigma, 40, delta) == pytest.approx(target, rel=0.01)
        assert {one.params["delta"] for one in numbers(record, "dp_accuracy").values()} == set(table["delta"])

    def test_what_epsilon_does_not_cover_is_always_said(self, record):
        found = caveats(record)
        assert "fixed beforehand" in found["protocol"].text
        assert "test images and the chance of 5 trainings" in found["covers"].text
        assert found["seen_before"].severity == "warning"
        assert "'head' is given" in found["trained"].text


class TestDigits:
    def test_accuracy_falls_as_epsilon_falls_on_the_digits(self):
        module, shipped = create("digits_transformer").eval(), weights("digits_transformer")
        module.load_state_dict(load_file(shipped))
        given = {
            "axes": ["privacy"],
            "settings": {"privacy": {"epsilons": [0.3, 1, 8]}},
            "manifest": shipped.with_suffix(".toml"),
            "threads": 1,
        }
        record = efficiency360.audit(module, open_dataset("digits"), **given).axis("privacy")
        private = numbers(record, "dp_accuracy")
        (without,) = numbers(record, "nonprivate_accuracy").values()
        assert private[0.3].value < private[1.0].value < private[8.0].value <= without.interval.high
        assert without.value > 0.95


class TestMethods:
    @pytest.mark.parametrize("method", ["bitfit", "full"])
    def test_the_model_itself_is_trained_and_what_is_left_is_named(self, method):
        record = measured(Net(nn.BatchNorm2d), method=method, steps=30, epsilons=[8], batch=100)
        (without,) = numbers(record, "nonprivate_accuracy").values()
        assert without.value > 0.6
        said = " ".join(caveat.text for caveat in record.caveats)
        assert "'body.1'" in said
        assert "normalises by statistics of batches" in said
        assert numbers(record, "dp_accuracy")[8.0].params["method"] == method

    def test_full_trains_more_than_bitfit_and_leaves_the_subject_as_it_was(self):
        module = Net()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        said = [
            caveats(measured(module, method=method, steps=2, epsilons=[8], batch=60))["trained"].text
            for method in ("bitfit", "full")
        ]
        counts = [int(text.split(" ")[0].replace(",", "")) for text in said]
        assert counts == [8 + 24 + 75, sum(v.numel() for n, v in before.items() if "head" not in n) + 75]
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())

    def test_a_model_that_ends_in_no_linear_layer_has_its_logits_trained_on(self):
        module = nn.Sequential(nn.Conv2d(1, 3, SIDE), nn.Flatten())
        record = measured(module, epsilons=[8])
        assert "logits, not on features: it ends in no linear layer" in caveats(record)["trained"].text
        refused = audited(module, epsilons=[8], method="full")
        assert refused.status == "failed"
        assert (
            'no last layer to replace: it ends in no linear layer that could be found; use privacy.method = "head"'
            in (refused.reason)
        )


class TestGroups:
    def test_what_privacy_costs_each_group_is_its_own_paired_drop_and_small_ones_are_not_judged(self):
        ward = tuple("attic" if row % 16 == 0 else ("north", "south")[row % 2] for row in range(N))
        record = measured(None, replace(images(), columns={"ward": ward}), epsilons=[0.1, 8])
        table = next(series for series in record.series if series.name == "privacy.group_costs").columns
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        for row in rows:
            assert row["cost"] == pytest.approx(row["without"] - row["accuracy"], abs=2e-4)
            assert row["low"] <= row["cost"] <= row["high"]
        assert {row["group"] for row in rows if row["judged"] == "too few"} == {"attic"}
        for epsilon, cost in numbers(record, "dp_cost").items():
            of_all = [row for row in rows if row["attribute"] == "class" and row["epsilon"] == epsilon]
            assert sum(row["n"] for row in of_all) == cost.n
            assert sum(row["n"] * row["cost"] for row in of_all) / cost.n == pytest.approx(cost.value, abs=1e-3)


class TestDoubts:
    def test_where_nothing_is_learnt_no_cost_is_believed(self):
        data = images()
        shuffled = np.random.default_rng(0).permutation(np.array([int(x) for x in data.labels.values]))
        record = measured(None, from_arrays(data.arrays, shuffled))
        assert caveats(record)["nothing_learnt"].severity == "critical"

    def test_images_of_one_person_are_more_than_one(self):
        data = replace(images(), columns={"patient_id": tuple(f"p{index // 5}" for index in range(N))})
        text = caveats(measured(None, data))["groups"].text
        assert "Up to 5 belong together ('patient_id')" in text

    def test_a_model_that_mixes_images_is_refused(self):
        class Mixing(Net):
            def forward(self, x):
                return super().forward(x - x.mean(dim=0, keepdim=True))

        record = audited(Mixing())
        assert record.status == "failed"
        assert "depends on the other images of the batch" in record.reason


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"epsilons": [0]}, "epsilons.0"),
            ({"epsilons": [-1]}, "epsilons.0"),
            ({"epsilons": [float("nan")]}, "epsilons.0"),
            ({"epsilons": [float("inf")]}, "epsilons.0"),
            ({"epsilons": [], "attacks": []}, "nothing to measure"),
            ({"epsilons": [1, 1]}, "an epsilon stands there twice"),
            ({"seeds": 4}, "seeds"),
            ({"delta": 0}, "delta"),
            ({"method": "heads"}, "method"),
            ({"epsilon": [1]}, "did you mean 'epsilons'?"),
        ],
    )
    def test_a_mistake_in_the_settings_is_one_line(self, settings, said):
        with pytest.raises(InputError) as caught:
            make_axis("privacy", settings)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("data", "settings", "status", "said"),
        [
            (lambda: replace(images(), labels=None), {}, "skipped", "no labels"),
            (lambda: images(50), {}, "failed", "too few images"),
            (lambda: from_arrays(images().arrays, np.zeros(N, int)), {}, "failed", "there is nothing to learn"),
            (images, {"batch": 300}, "failed", "a batch of 300 images does not fit 28"),
            (images, {"keep_together": ["who"]}, "failed", "no column 'who'"),
        ],
        ids=["no labels", "few", "one class", "batch", "no column"],
    )
    def test_data_that_cannot_be_used_says_why(self, data, settings, status, said):
        record = audited(None, data(), **settings)
        assert record.status == status
        assert said in record.reason


class TestPlanted:
    """What a training forgets shows in what it says of itself, held against what the accountant was told."""

    def test_forgotten_noise(self, monkeypatch):
        monkeypatch.setattr(head.torch, "randn", lambda *size, **_more: torch.zeros(*size))
        assert "the noise that was added is not that which the accountant was told" in audited().reason

    def test_half_the_noise(self, monkeypatch):
        before = torch.randn
        monkeypatch.setattr(head.torch, "randn", lambda *size, generator: before(*size, generator=generator) / 2)
        assert "the noise that was added" in audited().reason

    def test_forgotten_clipping(self, monkeypatch):
        before = head.clipped_errors
        free = lambda x, y, w, limits, taken: before(x, y, w, torch.full_like(limits, torch.inf), taken)  # noqa: E731
        monkeypatch.setattr(head, "clipped_errors", free)
        assert "gradients were longer" in audited(clip=0.5).reason

    def test_a_sampling_rate_that_the_accountant_was_not_told(self, monkeypatch):
        before = torch.rand
        monkeypatch.setattr(head.torch, "rand", lambda *size, generator: before(*size, generator=generator) * 0.9)
        assert "other numbers of images than the sampling rate" in audited().reason

    @pytest.mark.parametrize("wrong", [0.25, 1.0])
    def test_an_accountant_that_was_told_a_wrong_rate(self, monkeypatch, wrong):
        monkeypatch.setattr(
            accountant, "noise_for", lambda target, _rate, *more: losses.noise_for(target, wrong, *more)
        )
        monkeypatch.setattr(accountant, "epsilon", lambda _rate, *more: losses.epsilon(wrong, *more))
        assert "the noise does not give the epsilon that is claimed" in audited().reason


@pytest.fixture(scope="module")
def seen():
    """Evidence as an honest worker makes it, and the labels."""
    with pytest.MonkeyPatch.context() as patch:
        solve_quickly(patch)
        axis, data = make_axis("privacy", {"steps": 20}), images()
        classes = np.array([int(one) for one in data.labels.values])
        labels = Labels(classes, ("a", "b", "c"), data.files)
        preprocess = Preprocess(size=(SIDE, SIDE), resize=None, channels=1)
        subject = Subject(Net().eval(), preprocess, torch.device("cpu"), None, 3)
        run = Run(0, 1, lambda _done, _total: None, labels=classes, given=axis.briefing(labels))
        pieces = axis.observe(subject, ImageStream(data, preprocess, 1), run)
        return axis, {name: array for piece in pieces for name, array in piece.items()}, labels


class TestEvidence:
    def test_honest_evidence_is_measured(self, seen):
        axis, evidence, labels = seen
        assert axis.measure(evidence, labels).measurements

    @pytest.mark.parametrize(
        ("name", "change", "said"),
        [
            ("dp_test", lambda x: x[::-1][:5], "could not be read"),
            ("dp_test", lambda x: x * 0, "not those of the split"),
            ("dp_train", lambda x: np.append(x, x[0]), "not those of the split"),
            ("dp_predicted", lambda x: x[:4], "do not fit the number of trainings"),
            ("dp_sigma", lambda x: x / 2, "does not give the epsilon that is claimed"),
            ("dp_sigma", lambda x: x * 2, "does not give the epsilon that is claimed"),
            ("dp_sigma", lambda x: x * np.nan, "does not fit the number of epsilons"),
            ("dp_spent", lambda x: x / 3, "trained for an epsilon of 0.333, not of 1"),
            ("dp_taken", lambda x: x * 0.9, "other numbers of images"),
            ("dp_longest", lambda x: x * 1.1, "gradients were longer"),
            ("dp_longest", lambda x: x * np.nan, "gradients were longer"),
            ("dp_noise", lambda x: x * 0.5, "the noise that was added is not"),
            ("dp_noise", lambda x: x + 1e9, "the noise that was added is not"),
            ("dp_cells", lambda x: x * 0, "say nothing of the noise"),
        ],
    )
    def test_evidence_that_contradicts_what_was_claimed_is_refused(self, seen, name, change, said):
        axis, evidence, labels = seen
        with pytest.raises(AxisError, match=said):
            axis.measure({**evidence, name: change(evidence[name])}, labels)


@pytest.mark.slow
def test_in_a_process_of_its_own_with_the_accountant_itself(monkeypatch, tmp_path):
    monkeypatch.undo()
    settings = {"privacy": {"epsilons": [3], "steps": 20}}
    card = efficiency360.audit("zoo:digits_transformer", "digits", axes=["privacy"], settings=settings, out=tmp_path)
    record = card.axis("privacy")
    assert record.status == "measured", record.reason
    table = next(series for series in record.series if series.name == "privacy.training").columns
    assert 0.98 * 3 <= table["epsilon_prv"][0] <= 3 < table["epsilon_rdp"][0] < 4
