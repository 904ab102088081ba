"""Robustness against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from efficiency360.axes import make_axis
from efficiency360.axes.robustness import observing
from efficiency360.dataset import from_arrays
from efficiency360.numerics.corruptions import ALL, CAMERA, COLOUR_ONLY, NAMES, corrupt
from efficiency360.statistics.intervals import wilson
from efficiency360.subject.subject import Subject


@pytest.fixture(scope="module")
def border(linear, data):
    """How far each image is from the border in L-infinity; 0 where it is classified wrong."""
    weight = linear().weight.detach().numpy()
    scores = (data.arrays - 0.5).reshape(len(data), -1) @ weight
    right = (scores > 0).astype(int) == np.array(data.labels.values).astype(int)
    return np.where(right, np.abs(scores) / np.abs(weight).sum(), 0)


def test_of_a_linear_model_exactly_the_images_within_reach_fall(linear, data, robustness, border):
    n = len(data)
    for one in robustness(linear(), data).numbers():
        assert one.value == pytest.approx((border > one.params["eps"]).mean(), abs=1 / n)
        assert one.n == n
        assert one.interval == wilson(round(one.value * n), n)
        assert one.params["attack"] == "quick"
        assert one.params["norm"] == "Linf"


def test_the_median_distance_is_that_of_the_border(linear, data, robustness, border):
    found = robustness(linear(), data, attacks=["fab-t"], eps=[0.5])
    (median,) = found.numbers("robustness.median_distance")
    assert median.value == pytest.approx(np.sort(border)[len(data) // 2 - 1], rel=0.1)
    assert median.interval.low <= median.value <= median.interval.high


def test_without_room_nothing_falls(linear, data, robustness):
    (found,) = robustness(linear(), data, eps=[0]).numbers()
    assert found.value == pytest.approx(1 - 4 / len(data))


def test_accuracy_under_corruption_is_that_of_the_corrupted_images(linear, data, robustness):
    found = robustness(linear(), data, attacks=[], corruptions=["brightness", "contrast"], severities=[1, 5])
    numbers = found.numbers("robustness.corruption_accuracy")
    assert len(numbers) == 4
    images, labels = torch.from_numpy(data.arrays)[:, None], np.array(data.labels.values).astype(int)
    for one in numbers:
        spoiled = corrupt(images, one.params["corruption"], one.params["severity"], range(len(data)))
        assert one.value == pytest.approx((linear()(spoiled).argmax(dim=1).numpy() == labels).mean())
    (mean,) = found.numbers("robustness.mean_corruption_accuracy")
    assert mean.value == pytest.approx(np.mean([one.value for one in numbers]))


def test_which_severities_were_taken_is_said(linear, data, robustness):
    caveats = robustness(linear(), data, attacks=[], corruptions=["fog"]).caveats
    assert "CIFAR-10-C" in caveats["robustness.severities"].text
    caveats = robustness(linear(), data, attacks=[], corruptions=list(CAMERA)).caveats
    assert "robustness.severities" not in caveats


def test_every_corruption_may_be_asked_for_with_grey_images(linear, data, robustness):
    found = robustness(linear(), data, attacks=[], corruptions=list(ALL), severities=[3], corruption_images=20)
    measured = {one.params["corruption"] for one in found.numbers("robustness.corruption_accuracy")}
    assert measured == set(ALL) - COLOUR_ONLY
    assert "saturate" in found.caveats["robustness.left_out"].text


def test_images_too_small_to_corrupt_are_attacked_all_the_same(robustness):
    rng = np.random.default_rng(0)
    images = rng.uniform(0.3, 0.7, (30, 4, 4, 3)).astype(np.float32)
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    labels = module(torch.from_numpy(images).permute(0, 3, 1, 2)).argmax(1).numpy()
    labels[:3] = [0, 1, 2]
    found = robustness(module, from_arrays(images, labels), corruptions=list(NAMES))
    assert len(found.numbers()) == 2
    assert not found.numbers("robustness.corruption_accuracy")
    assert found.caveats["robustness.left_out"].severity == "warning"


def test_where_no_corruption_fits_and_nothing_attacks_the_axis_says_why(linear, data, audit):
    record = audit(linear(), data, attacks=[], corruptions=["saturate"]).record
    assert record.status == "failed"
    assert "saturate only changes colours" in record.reason


def test_a_cheaper_form_of_the_model_gives_the_same_verdicts(digits_cnn, robustness, monkeypatch):
    module, data = digits_cnn
    used = []
    cheaper = observing._cheaper

    def watched(subject, images):
        used.append(cheaper(subject, images))
        return used[-1]

    monkeypatch.setattr(observing, "_cheaper", watched)
    settings = {"eps": [0.02, 0.06, 0.12], "images": 60}
    with_it = robustness(module, data, **settings).numbers()
    assert used[0] is not None
    monkeypatch.setattr(observing, "_cheaper", lambda *_: None)
    without = robustness(module, data, **settings).numbers()
    assert [one.value for one in with_it] == pytest.approx([one.value for one in without], abs=1 / 60)
    assert 0 < with_it[1].value < with_it[0].value


def test_a_subject_that_torch_cannot_see_into_has_no_cheaper_form(digits_cnn):
    module, _ = digits_cnn
    blind = Subject(module, None, torch.device("cpu"), None, 10, black_box="it is an ONNX graph")
    assert observing._cheaper(blind, torch.rand(2, 1, 8, 8)) is None


def test_a_dry_run_knows_about_how_many_passes_it_takes():
    axis = make_axis("robustness", {"images": 10, "corruption_images": 5, "severities": [3], "corruptions": ["fog"]})
    assert axis.workload(100).images > 5
    assert make_axis("robustness", {"attacks": [], "corruptions": ["fog"], "severities": [1]}).workload(7).images == 7
