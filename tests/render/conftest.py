"""Scorecards to render: an ordinary one, and the odd ones that a renderer must survive."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from efficiency360.judge import judge
from efficiency360.records import (
    Artifact,
    AxisRecord,
    BaselineRecord,
    Caveat,
    Comparison,
    DatasetRecord,
    Environment,
    Interval,
    Measurement,
    RuleResult,
    Scorecard,
    Series,
    SubjectRecord,
    Verdict,
    Waived,
)
from efficiency360.spec import AuditSpec, load_audit
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 500


def _release() -> AuditSpec:
    """The release audit as far as the sample card was measured, which is compared with nothing."""
    spec = load_audit("release")
    measured = {"cost", "accuracy"}
    limits = (rule for rule in spec.rules if not rule.no_worse_than_baseline)
    rules = tuple(rule for rule in limits if rule.measurement.split(".")[0] in measured)
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


@pytest.fixture(scope="session")
def ruled() -> Scorecard:
    """A scorecard compared with a baseline, with rules of every outcome and severity, and waivers of either kind."""
    return make_ruled()


@pytest.fixture(scope="session")
def result_of() -> Callable[..., RuleResult]:
    """Makes a result of a rule on top-1 accuracy."""
    return make_result


def make_ruled(*more: RuleResult, outcome: str = "fail") -> Scorecard:
    """The card of `ruled`, with more results."""
    latency = Measurement(
        name="speed.latency_ms",
        value=12.5,
        unit="ms",
        better="lower",
        n=400,
        interval=Interval(low=12.1, high=12.9, level=0.95, method="order statistics"),
        params={"stat": "p50", "batch": 1},
    )
    speed = AxisRecord(id="speed", version=1, status="measured", seconds=60.0, measurements=(latency,))
    card = make_card((cost_axis(), accuracy_axis(["cat", "dog", "owl"], n=40, right=80), speed))
    results = (*make_results(), *more)
    reasons = [f"rule {one.rule}: {one.reason}" for one in results if one.stands_in_the_way]
    baseline = BaselineRecord(
        name="efficientnet-lite0-2026-02",
        fingerprint="ba" * 32,
        started_at="2026-02-01T08:00:00+00:00",
        accepted_by="Ada Lovelace",
        accepted_at="2026-02-03T10:30:00+00:00",
        why="first release",
    )
    verdict = Verdict.model_validate(
        {"outcome": outcome, "reasons": reasons or ["all is well"], "rules": results, "baseline": baseline}
    )
    return card.model_copy(update={"verdict": verdict})


def make_waiver(*, active: bool = True) -> Waived:
    """A waiver that holds, or one that has expired."""
    expires = date(2027, 3, 31) if active else date(2026, 1, 31)
    return Waived(owner="Jane Doe", reason="new data come in March", expires=expires, active=active)


def make_results() -> tuple[RuleResult, ...]:
    """One result of every kind."""
    drop = Comparison(
        baseline=0.679,
        worse_by=0.012,
        interval=Interval(low=0.003, high=0.021, level=0.95, method="tango"),
        relative=False,
    )
    slower = Comparison(
        baseline=11.9,
        worse_by=0.0504,
        interval=Interval(low=0.012, high=0.091, level=0.95, method="hodges-lehmann of stretches"),
        relative=True,
    )
    margin = {"bound": "no_worse_than_baseline", "limit": 0.01}
    owl = {"measurement": "accuracy.per_class", "params": {"class": "owl"}, "measured": 0.0, "interval": wilson(0, 40)}
    cat = {
        "measurement": "accuracy.per_class",
        "params": {"class": "cat"},
        "measured": 1.0,
        "interval": wilson(40, 40),
        "outcome": "pass",
    }
    fast = {
        "measurement": "speed.latency_ms",
        "params": {"stat": "p50", "batch": 1},
        "measured": 12.5,
        "interval": None,
    }
    return (
        make_result("accuracy-floor", outcome="pass", limit=0.6, reason="keeps the limit"),
        make_result("per-class", **owl, limit=0.5, reason="breaks the limit"),
        make_result("per-class", **cat, limit=0.5, reason="keeps the limit"),
        make_result("no-drop", **margin, outcome="inconclusive", comparison=drop, needed=2400, reason="reaches across"),
        make_result("no-slower", **fast, **{**margin, "limit": 0.05}, outcome="inconclusive", comparison=slower),
        make_result("waived-floor", limit=0.9, waiver=make_waiver(), reason="breaks the limit of 90 %"),
        make_result("waived-once", limit=0.95, waiver=make_waiver(active=False), reason="breaks the limit of 95 %"),
        make_result("warned", limit=0.9, severity="warn", reason="breaks the wish of 90 %"),
        make_result("told", limit=0.9, severity="info", reason="is below 90 %"),
        make_result(
            "private",
            outcome="inconclusive",
            measurement="privacy.mia_auc",
            measured=None,
            interval=None,
            limit=0.6,
            bound="at_most",
        ),
    )


def make_result(rule: str, **fields: object) -> RuleResult:
    """A result on top-1 accuracy, 80 of 120; failing and blocking where nothing else is said."""
    ordinary: dict[str, object] = {
        "severity": "block",
        "outcome": "fail",
        "measurement": "accuracy.top1",
        "measured": 2 / 3,
        "interval": wilson(80, 120),
        "limit": 0.8,
        "bound": "at_least",
        "reason": "something was found",
        "rationale": f"the reason for {rule}",
    }
    return RuleResult.model_validate({**ordinary, **fields, "rule": rule})


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
