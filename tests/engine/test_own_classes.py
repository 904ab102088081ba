"""Labels of another task than the model's: it can be taught them privately, and nothing else is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.audited import read_audited
from efficiency360.dataset import RawLabels, from_arrays
from efficiency360.engine.recompute import recompute
from efficiency360.errors import InputError
from efficiency360.numerics.private import accountant
from efficiency360.statistics import losses

N, SIDE = 300, 6
SETTINGS = {"privacy": {"epsilons": [8], "steps": 20, "canaries": 0}}


@pytest.fixture(autouse=True)
def quick_noise(monkeypatch):
    """The accountant has tests of its own; here a faster one solves for noise."""
    monkeypatch.setattr(accountant, "epsilon", losses.epsilon)
    monkeypatch.setattr(accountant, "noise_for", losses.noise_for)


class Net(nn.Module):
    """Seven classes, and features that tell dark images from bright ones."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 32), nn.ReLU())
        self.head = nn.Linear(32, 7)

    def forward(self, x):
        return self.head(self.body(x))


def images(dark="defective", bright="ok", **columns):
    """Images that are bright above or below, as words say."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, N)
    found = rng.uniform(0, 0.5, (N, SIDE, SIDE))
    for row, kind in enumerate(kinds):
        found[row, 3 * kind : 3 * kind + 3] += 0.4
    data = from_arrays(found.clip(0, 1).astype(np.float32), kinds)
    words = tuple((dark, bright)[kind] for kind in kinds)
    return replace(data, labels=RawLabels(words, data.labels.places), columns=columns)


def audited(data, axes, **more):
    settings = SETTINGS if "privacy" in axes else {}
    return efficiency360.audit(Net(), data, axes=axes, settings=settings, input=(1, SIDE, SIDE), threads=1, **more)


def test_a_head_learns_them_privately_and_what_needs_the_models_classes_is_skipped_with_the_reason():
    card = audited(images(), ["accuracy", "privacy"])
    assert card.axis("accuracy").status == "skipped"
    assert card.axis("accuracy").reason == "the labels are not classes of the model"
    record = card.axis("privacy")
    assert record.status == "measured", record.reason
    (without,) = (one.value for one in record.measurements if one.name == "privacy.nonprivate_accuracy")
    assert without > 0.9
    said = {caveat.id: caveat.text for caveat in record.caveats}
    assert "2 such as 'defective') are none of the model's 7 classes" in said["labels.own_classes"]


def test_nothing_is_skipped_where_nobody_would_learn_them():
    with pytest.raises(InputError, match="2 names such as 'defective', the model has 7 outputs and no class list"):
        audited(images(), ["accuracy"])


def test_a_slip_in_some_labels_ends_the_audit_as_ever(tmp_path):
    manifest = tmp_path / "model.toml"
    manifest.write_text('[labels]\nnames = ["ok", "scratch", "dent", "hole", "stain", "burr", "bent"]\n')
    with pytest.raises(InputError, match="label 'dint' is not one of the 7 classes; did you mean 'dent'"):
        audited(images("ok", "dint"), ["privacy"], manifest=manifest)
    with pytest.raises(InputError, match=r"label '(OK|DENT)' is not one of the 7 classes"):
        audited(images("OK", "DENT"), ["privacy"], manifest=manifest)
    assert audited(images("cat", "dog"), ["privacy"], manifest=manifest).axis("privacy").status == "measured"


def test_members_are_not_attacked_by_what_the_model_never_said_of_them():
    split = tuple("train" if row % 2 else "test" for row in range(N))
    record = audited(images(split=split), ["privacy"]).axis("privacy")
    assert not any("mia" in one.name for one in record.measurements)
    said = {caveat.id: caveat.text for caveat in record.caveats}
    assert "the labels are not classes of the model" in said["privacy.no_members"]


def test_measured_again_from_its_evidence_the_numbers_are_the_same(tmp_path):
    audited(images(), ["accuracy", "privacy"], out=tmp_path)
    card, found = read_audited(tmp_path)
    again = recompute(card, found, tmp_path)
    assert not again.unchecked
    assert again.audited.axes == card.axes
