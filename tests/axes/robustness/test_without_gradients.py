"""A model that gives no gradients: what can be measured is, and the rest says why not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from efficiency360.axes import Run, make_axis
from efficiency360.dataset.labels import resolve_labels
from efficiency360.dataset.preprocess import Preprocess
from efficiency360.dataset.stream import ImageStream
from efficiency360.errors import AxisError
from efficiency360.subject.subject import Subject

FOG = {"corruptions": ["fog"], "severities": [3]}


@pytest.fixture
def measured(linear, data):
    """Findings of the axis on the linear model, of which torch sees nothing."""

    def findings(**settings):
        axis = make_axis("robustness", settings)
        preprocess = Preprocess(size=(8, 8), resize=None, channels=1, mean=(0.0,), std=(1.0,))
        subject = Subject(linear(), preprocess, torch.device("cpu"), None, 2, black_box="it is a graph")
        labels = resolve_labels(data, num_classes=2, names=None)
        run = Run(seed=0, threads=1, progress=lambda *_: None, labels=labels.classes)
        seen = {}
        for piece in axis.observe(subject, ImageStream(data, preprocess), run):
            seen |= {name: np.concatenate([seen[name], part]) if name in seen else part for name, part in piece.items()}
        with torch.inference_mode():
            logits = subject.logits(torch.from_numpy(data.arrays)[:, None]).numpy()
        return axis.measure({**seen, "accuracy.logits": logits, "accuracy.readable": np.ones(len(data), bool)}, labels)

    return findings


def named(findings, name):
    return [one for one in findings.measurements if one.name == f"robustness.{name}"]


def test_attacks_that_need_gradients_are_left_out_with_a_caveat_and_corruptions_measured(measured, data):
    found = measured(attacks=["quick"], **FOG)
    assert "blackbox" in next(one for one in found.caveats if one.id == "robustness.no_gradients").text
    assert not named(found, "adversarial_accuracy")
    assert [one.n for one in named(found, "mean_corruption_accuracy")] == [len(data)]


def test_with_nothing_else_to_measure_the_axis_fails_with_the_way_on(measured):
    with pytest.raises(AxisError, match=r'robustness.attacks = \["blackbox"\]'):
        measured(attacks=["quick"], corruptions=[])


def test_where_no_corruption_fits_either_both_reasons_are_said(measured):
    with pytest.raises(AxisError, match=r"gives no gradients.*saturate only changes colours"):
        measured(attacks=["quick"], corruptions=["saturate"])


def test_an_attack_from_outside_needs_none_and_breaks_what_is_within_reach(measured):
    found = measured(attacks=["blackbox"], corruptions=[], eps=[0.02, 0.2], images=20)
    near, far = named(found, "adversarial_accuracy")
    assert far.value < near.value
    assert {one.severity for one in found.caveats} <= {"info"}
