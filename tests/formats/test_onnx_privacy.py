"""Privacy of a black box: attacked by its answers, trained privately on its logits or not at all, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_onnx import sine_of_means

import efficiency360
from efficiency360.dataset import from_arrays

N, MEMBERS = 300, 120


@pytest.fixture
def data():
    """Colours; the labels of members are what the model answers, those of others are so in two of three."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (N, 4, 4, 3)).astype(np.float32) * rng.uniform(0, 1, (N, 1, 1, 3)).astype(np.float32)
    labels = images.mean(axis=(1, 2))[:, :2].argmax(axis=1)
    wrong = (np.arange(N) >= MEMBERS) & (rng.random(N) < 1 / 3)
    split = tuple("train" if row < MEMBERS else "test" for row in range(N))
    return replace(from_arrays(images, np.where(wrong, 1 - labels, labels)), columns={"split": split})


def audited(folder, data, **settings):
    given = {"epsilons": [8], "steps": 30, "canaries": 0, **settings}
    path = sine_of_means(folder / "sinh.onnx")
    card = efficiency360.audit(path, data, axes=["privacy"], settings={"privacy": given}, threads=1)
    return card.axis("privacy"), {
        caveat.id.removeprefix("privacy."): caveat.text for caveat in card.axis("privacy").caveats
    }


def test_members_are_attacked_by_its_answers_and_a_head_is_trained_on_its_logits(folder, data):
    record, said = audited(folder, data)
    assert record.status == "measured", record.reason
    numbers = {(one.name, one.params.get("attack")): one for one in record.measurements}
    assert numbers["privacy.mia_auc", "loss"].interval.low > 0.55
    assert "outputs (no linear head was found)" in said["references_contaminated"]
    assert "logits, not on features: " in said["trained"]
    assert "ONNX Runtime" in said["trained"]
    assert numbers["privacy.nonprivate_accuracy", None].value > 0.55


def test_what_needs_gradients_is_left_out_with_the_reason_and_the_attack_stays(folder, data):
    record, said = audited(folder, data, method="full", attacks=["loss"])
    assert record.status == "measured", record.reason
    assert {one.name for one in record.measurements} >= {"privacy.mia_auc"}
    assert "privacy.nonprivate_accuracy" not in {one.name for one in record.measurements}
    assert "the model gives no gradients" in said["untuned"]
    assert 'use privacy.method = "head"' in said["untuned"]
