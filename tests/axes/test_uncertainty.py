"""The uncertainty axis: planted models are named, honest ones are not."""

from __future__ import annotations

import numpy as np
import pytest

import efficiency360
from efficiency360.axes.uncertainty import Uncertainty
from efficiency360.dataset import Labels, from_arrays
from efficiency360.errors import AxisError
from efficiency360.statistics.calibration import softmax


def measure(logits, classes, foreign=None, **settings):
    n = len(logits)
    axis = Uncertainty(ood=("noise",) if foreign is not None else (), **settings)
    evidence = {"accuracy.logits": logits, "accuracy.readable": np.ones(n, bool)}
    if foreign is not None:
        evidence["noise"] = foreign
    labels = Labels(classes, (), tuple(map(str, range(n))))
    return axis.measure(evidence, labels)


def honest(n=1500, k=4, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    return logits, np.array([rng.choice(k, p=row) for row in softmax(logits)])


def value(findings, name, **params):
    return next(
        m.value for m in findings.measurements if m.name == f"uncertainty.{name}" and params.items() <= m.params.items()
    )


def caveats(findings):
    return {caveat.id for caveat in findings.caveats}


def test_an_overconfident_model_is_named_and_an_honest_one_is_not():
    logits, classes = honest()
    assert "uncertainty.overconfident" not in caveats(measure(logits, classes))
    surer = measure(logits * 4, classes)
    assert "uncertainty.overconfident" in caveats(surer)
    assert value(surer, "ece", binning="equal_mass") > 2 * value(measure(logits, classes), "ece", binning="equal_mass")


def test_temperature_scaling_is_shown_to_mend_it():
    logits, classes = honest()
    series = next(s for s in measure(logits * 4, classes).series if s.name == "uncertainty.temperature_scaling")
    assert series.columns["temperature"][1] == pytest.approx(4, rel=0.15)
    assert series.columns["ece"][1] < series.columns["ece"][0] / 3


def test_foreign_images_that_look_unsure_are_told_apart():
    logits, classes = honest(k=10)
    unsure, alike = np.zeros((300, 10)), honest(n=300, k=10, seed=1)[0]
    assert value(measure(logits, classes, unsure), "ood_auroc", against="noise") == 1
    assert value(measure(logits, classes, alike), "ood_auroc", against="noise") == pytest.approx(0.5, abs=0.05)


def test_probabilities_are_taken_as_such_and_sigmoids_are_doubted():
    logits, classes = honest()
    findings = measure(softmax(logits), classes)
    assert "uncertainty.probabilities" in caveats(findings)
    assert value(findings, "nll") == pytest.approx(value(measure(logits, classes), "nll"))
    assert "uncertainty.not_logits" in caveats(measure(1 / (1 + np.exp(-logits)), classes))


def test_every_number_has_its_interval_and_n():
    for measurement in measure(*honest(), foreign=np.zeros((50, 4))).measurements:
        assert measurement.interval.low <= measurement.value <= measurement.interval.high
        assert measurement.n > 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_images_is_measured_without_complaint(n):
    logits, classes = honest(n)
    assert value(measure(logits, classes), "brier") >= 0


def test_logits_that_are_not_finite_fail_the_axis():
    logits, classes = honest(10)
    logits[3, 1] = np.nan
    with pytest.raises(AxisError, match="NaN"):
        measure(logits, classes)


def test_the_predictions_of_accuracy_are_used_and_not_made_again(tmp_path):
    factory = tmp_path / "net.py"
    factory.write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def forward(self, x):\n"
        "        print('forward', len(x))\n"
        "        return super().forward(x)\n"
        "def net(): return Net(nn.Flatten(), nn.Linear(64, 2))\n"
    )
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    data = from_arrays(images, np.arange(40) % 2)
    options = {"input": (1, 8, 8), "threads": 1, "settings": {"uncertainty": {"ood_images": 10, "ood": ["patches"]}}}
    card = efficiency360.audit(
        f"{factory}:net", data, axes=["accuracy", "uncertainty"], audit="release", out=tmp_path / "out", **options
    )
    assert card.axis("uncertainty").status == "measured", card.axis("uncertainty").reason
    assert [artifact.path for artifact in card.axis("uncertainty").artifacts] == [
        "evidence/uncertainty.npz",
        "evidence/accuracy.npz",
    ]
    batches = [line for line in (tmp_path / "out/run.log").read_text().splitlines() if line.startswith("forward")]
    assert batches == ["forward 2", "forward 32", "forward 8", "forward 10"]
