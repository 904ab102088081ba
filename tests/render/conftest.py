"""Scorecards to render: an ordinary one, and the odd ones that a renderer must survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from efficiency360.judge import judge
from efficiency360.records import (
    Artifact,
    AxisRecord,
    Caveat,
    DatasetRecord,
    Environment,
    Measurement,
    Scorecard,
    Series,
    SubjectRecord,
)
from efficiency360.spec import AuditSpec, load_audit
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 500


def _release() -> AuditSpec:
    """The release audit as far as the sample card was measured."""
    spec = load_audit("release")
    measured = {"cost", "accuracy"}
    rules = tuple(rule for rule in spec.rules if rule.measurement.split(".")[0] in measured)
    axes = {axis_id: axis for axis_id, axis in spec.axes.items() if axis_id in measured}
    return spec.model_copy(update={"axes": axes, "rules": rules})


@pytest.fixture(scope="session")
def sample_card() -> Scorecard:
    """EfficientNet-Lite0 on 500 ImageNet images under the release audit."""
    return make_card((cost_axis(), accuracy_axis()))


@pytest.fixture(scope="session")
def card_of() -> Callable[..., Scorecard]:
    """Makes a judged scorecard of given axes."""
    return make_card


@pytest.fixture(scope="session")
def cost() -> AxisRecord:
    """The axis cost of EfficientNet-Lite0."""
    return cost_axis()


@pytest.fixture(scope="session")
def accuracy_of() -> Callable[..., AxisRecord]:
    """Makes an axis accuracy for given classes."""
    return accuracy_axis


def make_card(
    axes: tuple[AxisRecord, ...],
    audit: AuditSpec | None = None,
    dataset: DatasetRecord | None = None,
    **subject: object,
) -> Scorecard:
    """A judged scorecard of these axes."""
    spec = audit or _release()
    judgement = judge(spec, axes)
    return Scorecard(
        subject=make_subject(**subject),
        dataset=dataset or make_dataset(),
        environment=make_environment(),
        audit=spec.record,
        command="e360 audit lite0.pth --data imagenet-500 --audit release --arch timm:tf_efficientnet_lite0",
        axes=axes,
        scores=judgement.scores,
        overall=judgement.overall,
        coverage=judgement.coverage,
        verdict=judgement.verdict,
    )


def make_subject(**changed: object) -> SubjectRecord:
    """The model's record."""
    fields: dict[str, object] = {
        "name": "efficientnet-lite0.pth",
        "file": "models/efficientnet-lite0.pth",
        "fingerprint": "57934424" * 8,
        "kind": "state_dict",
        "arch": "timm:tf_efficientnet_lite0",
        "num_classes": 1000,
        "input": (3, 224, 224),
        "preprocess": {"size": [224, 224], "resize": 256, "interpolation": "bicubic", "mean": [0.5], "std": [0.5]},
        "caveats": (Caveat(id="subject.weights", severity="info", text="Weights: names mapped by order."),),
    }
    return SubjectRecord.model_validate({**fields, **changed})


def make_dataset() -> DatasetRecord:
    """The images' record."""
    text = "Images may come from the training set: accuracy on them is not held-out accuracy."
    return DatasetRecord(
        name="imagenet-500",
        kind="table",
        fingerprint="ab12cd34" * 8,
        n=500,
        available=500,
        caveats=(Caveat(id="data.maybe_training", severity="warning", text=text),),
    )


def make_environment() -> Environment:
    """An ordinary machine."""
    return Environment(
        host="0f" * 32,
        cpu="AMD EPYC 7B13",
        device="cpu",
        threads=2,
        platform="Linux x86_64",
        versions={"python": "3.11.9", "efficiency360": "0.1.0", "torch": "2.15.0", "timm": "1.0.9", "numpy": "2.1.0"},
        seeds={"audit": 0},
        isolation=("process group", "no network", "resource limits"),
        started_at="2026-03-14T09:26:53+00:00",
    )


def cost_axis() -> AxisRecord:
    """EfficientNet-Lite0's counts."""
    counted = [
        ("cost.params", 4_652_008, "parameters", "lower"),
        ("cost.macs", 398_679_872, "MACs", "lower"),
        ("cost.flops", 797_359_744, "FLOPs", "lower"),
        ("cost.activations", 6_691_880, "elements", "lower"),
        ("cost.weights_bytes", 18_776_488, "bytes", "lower"),
        ("cost.file_bytes", 18_826_032, "bytes", "lower"),
        ("cost.op_coverage", 1.0, "proportion", "higher"),
    ]
    return AxisRecord(
        id="cost",
        version=1,
        status="measured",
        seconds=1.204,
        measurements=tuple(
            Measurement.model_validate({"name": name, "value": value, "unit": unit, "better": better})
            for name, value, unit, better in counted
        ),
        series=(
            Series(
                name="cost.by_operator",
                title="MACs by operator",
                columns={
                    "operator": ["conv", "batch_norm", "linear", "avg_pool"],
                    "calls": [49, 49, 1, 1],
                    "macs": [383_862_784, 13_474_368, 1_280_000, 62_720],
                },
            ),
        ),
        artifacts=(Artifact(path="evidence/cost.npz", sha256="c0" * 32, kind="evidence"),),
        caveats=(
            Caveat(id="cost.convention", severity="info", text="One multiply-add is one MAC and two FLOPs; one image."),
        ),
    )


def accuracy_axis(names: list[str] | None = None, n: int = 1, right: int = 435) -> AxisRecord:
    """Top-1 0.870 of 500 images, one image a class; or `n` images for each of other classes."""
    names = names or [f"n{2_000_000 + 37 * index:08d}" for index in range(CLASSES)]
    total = np.full(len(names), n)
    correct = np.where(np.arange(len(names)) * n < right, n, 0)
    top1, images = int(correct.sum()), int(total.sum())
    return AxisRecord(
        id="accuracy",
        version=1,
        status="measured",
        seconds=31.8,
        settings={"batch_size": 32},
        measurements=(
            proportion("accuracy.top1", top1, images),
            proportion("accuracy.top5", min(images, top1 + 51), images),
            Measurement(
                name="accuracy.balanced",
                value=float(np.mean(correct / total)),
                unit="proportion",
                better="higher",
                n=images,
                interval=wilson(top1, images).model_copy(update={"method": "bootstrap"}),
            ),
            *(
                proportion("accuracy.per_class", int(hits), n, {"class": name})
                for name, hits in zip(names, correct, strict=True)
            ),
        ),
        series=(
            Series(
                name="accuracy.confident_errors",
                title="Most confident errors",
                columns={
                    "image": ["images/n02128925_jaguar.jpg", "images/n01978287_Dungeness_crab.jpg"],
                    "label": ["jaguar", "Dungeness crab"],
                    "predicted": ["leopard", "rock crab"],
                    "confidence": [0.8974, 0.8835],
                },
            ),
        ),
        artifacts=(Artifact(path="evidence/accuracy.npz", sha256="ac" * 32, kind="evidence"),),
        caveats=(Caveat(id="data.ties", severity="warning", text="2 of 500 images have two classes tied for first."),),
    )


def proportion(name: str, successes: int, n: int, params: dict[str, str] | None = None) -> Measurement:
    """A proportion with Wilson's interval."""
    return Measurement.model_validate(
        {
            "name": name,
            "value": successes / n,
            "unit": "proportion",
            "better": "higher",
            "n": n,
            "interval": wilson(successes, n),
            "params": params or {},
        }
    )
