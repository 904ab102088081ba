"""One network in every format: the same answers, the same multiply-adds, the same parameters, through whole audits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from format_nets import Attention, Conv, trained
from saving import PROGRAMS, SIDE, WEIGHTS, freeze, onnx, quietly

import efficiency360
from efficiency360.axes import Run, make_axis
from efficiency360.dataset import from_arrays
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

AXES = ["cost", "accuracy"]
CLOSE = 1e-5


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return from_arrays(rng.integers(0, 256, (21, SIDE, SIDE)).astype(np.uint8), rng.integers(0, 2, 21), name="noise")


def audited(path, data, out, **options):
    card = efficiency360.audit(path, data, axes=AXES, out=out, threads=1, **options)
    assert {axis.id: axis.status for axis in card.axes if axis.id in AXES} == dict.fromkeys(AXES, "measured")
    with np.load(out / "evidence" / "accuracy.npz") as evidence:
        return {one.name: one.value for axis in card.axes for one in axis.measurements}, evidence["logits"]


@pytest.mark.slow
def test_whole_audits_of_one_network_agree_in_every_format(folder, data):
    net = trained(Conv())
    factory = folder / "format_nets.py"
    shown = np.stack(data.sample(None, seed=0).read(0, len(data)))  # in the order of the audit
    with torch.inference_mode():
        truth = net(torch.from_numpy(shown)[:, None] / 255).numpy()
    macs = {}
    for name, save in (PROGRAMS | WEIGHTS).items():
        with quietly():
            save(net, folder / name)
        how = {"arch": f"{factory}:Conv"} if name in WEIGHTS else {"trust_code": True}
        numbers, logits = audited(folder / name, data, folder / f"out-{name}", **how)
        macs[name] = numbers["cost.macs"]
        assert np.abs(logits - truth).max() < CLOSE, name
        assert (logits.argmax(1) == truth.argmax(1)).all(), name
        assert numbers["cost.params"] == sum(weight.numel() for weight in net.parameters()), name
        assert numbers["cost.op_coverage"] == 1, name
    assert set(macs.values()) == {2888}, macs


@pytest.mark.parametrize("kind", [Conv, Attention])
@pytest.mark.parametrize("name", PROGRAMS)
def test_answers_and_multiply_adds_are_those_of_the_network_in_memory(folder, load, kind, name):
    net = trained(kind())
    with quietly():
        PROGRAMS[name](net, folder / name)
    subject, _ = load(folder / name, input=(1, SIDE, SIDE))
    for n in (1, 2, 5, 8, 17):
        images = torch.rand(n, 1, SIDE, SIDE)
        with torch.inference_mode():
            assert torch.allclose(subject.logits(images), net(images), atol=CLOSE), n
    assert compute(subject) == compute(in_memory(net))


def test_what_an_export_folds_is_not_in_its_multiply_adds(folder, load):
    net = trained(Conv())
    with quietly():
        freeze(net, folder / "frozen.pt")
        onnx(net, folder / "optimised.onnx")
    norm = 2 * 4 * SIDE * SIDE
    for name in ("frozen.pt", "optimised.onnx"):
        subject, _ = load(folder / name, input=(1, SIDE, SIDE))
        assert compute(subject)["macs"] == compute(in_memory(net))["macs"] - norm, name
        assert compute(subject)["params"] == sum(weight.numel() for weight in net.parameters()) - 8, name


def in_memory(net):
    request = request_subject("timm:resnet18", SubjectOptions(input=(1, SIDE, SIDE)))
    return load_subject(request, net)[0]


def compute(subject):
    evidence = {}
    for piece in make_axis("cost", {}).observe(subject, None, Run(0, 1, lambda _done, _total: None)):
        evidence |= piece
    assert len(evidence["uncounted"]) == 0, evidence["uncounted"]
    return {name: int(evidence[name][0]) for name in ("macs", "params", "activations")}
