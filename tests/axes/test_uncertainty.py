"""The uncertainty axis: planted models are named, honest ones are not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import efficiency360
from efficiency360.axes import make_axis
from efficiency360.axes.uncertainty import Uncertainty
from efficiency360.dataset import Labels, from_arrays
from efficiency360.errors import AxisError, InputError
from efficiency360.statistics.calibration import softmax


def measure(logits, classes, foreign=None, given=None, more=(), **settings):
    """Findings of an axis that saw these logits; `more` is evidence that replaces what is assumed."""
    n = len(logits)
    axis = Uncertainty(ood=("noise",) if foreign is not None else (), **settings)
    evidence = {"accuracy.logits": logits, "accuracy.readable": np.ones(n, bool)}
    if foreign is not None:
        evidence["noise"] = foreign
    if given is not None:
        evidence |= {"ood_data": given, "ood_data_readable": np.ones(len(given), bool)}
    labels = Labels(classes, (), tuple(map(str, range(n))))
    return axis.measure(evidence | dict(more), labels)


def honest(n=1500, k=4, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    return logits, np.array([rng.choice(k, p=row) for row in softmax(logits)])


def value(findings, name, **params):
    return next(
        m.value for m in findings.measurements if m.name == f"uncertainty.{name}" and params.items() <= m.params.items()
    )


def interval(findings, name, **params):
    return next(
        m.interval
        for m in findings.measurements
        if m.name == f"uncertainty.{name}" and params.items() <= m.params.items()
    )


def text(findings, caveat_id):
    return next(caveat.text for caveat in findings.caveats if caveat.id == caveat_id)


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


@pytest.mark.parametrize("n", [1, 2, 3, 14])
def test_a_handful_of_images_is_measured_and_proves_little(n):
    logits, classes = honest(n)
    findings = measure(logits, classes, np.zeros((1, 4)))
    for found in findings.measurements:
        assert found.interval.low < found.interval.high, found.label
    assert "uncertainty.few_images" in caveats(findings)


def test_one_image_is_proof_of_nothing():
    sure = np.array([[9.0, 0, 0, 0]])
    right, wrong = measure(sure, np.array([0]), -sure), measure(sure, np.array([1]))
    assert interval(right, "ece").high > 0.7
    assert interval(right, "aurc").high > 0.7
    assert interval(right, "brier").high > 1.4
    assert interval(right, "nll").high > 7
    assert interval(right, "ood_auroc").low < 0.3
    assert "uncertainty.overconfident" not in caveats(wrong)
    assert [series.name for series in right.series] == ["uncertainty.reliability", "uncertainty.risk_coverage"]


def test_no_error_among_many_images_is_not_proof_of_none_ever():
    logits = np.tile([9.0, 0, 0], (400, 1)) + np.linspace(0, 1, 400)[:, None] * [1, 0, 0]
    findings = measure(logits, np.zeros(400, int), np.zeros((100, 3)))
    assert value(findings, "aurc") == 0
    assert interval(findings, "aurc").high == pytest.approx(0.0095, abs=0.0005)  # Wilson's for 0 of 400
    assert value(findings, "ood_auroc") == 1
    assert interval(findings, "ood_auroc").low == pytest.approx(0.963, abs=0.001)  # Wilson's for 100 of 100


def test_enough_images_draw_no_caveat():
    assert not caveats(measure(*honest()))


def test_labels_of_one_class_only_are_measured():
    logits, _ = honest()
    findings = measure(logits, np.zeros(len(logits), int))
    assert 0 < value(findings, "selective_accuracy") < 1
    assert value(findings, "nll") > 0


def test_two_classes_are_measured():
    logits, classes = honest(k=2)
    assert value(measure(logits, classes), "ece", binning="equal_width") < 0.05


def test_enormous_logits_give_finite_numbers():
    rng = np.random.default_rng(0)
    logits = (rng.choice([-1e30, 1e30], (200, 3))).astype(np.float32)
    findings = measure(logits, rng.integers(0, 3, 200), logits[:20], given=logits[:5], ood_data="extreme")
    assert 0 < value(findings, "ece", binning="equal_mass") < 1
    assert 1e29 < value(findings, "nll") < 2.1e30


def test_a_model_that_always_says_the_same_is_as_calibrated_as_it_is_right():
    classes = np.repeat([0, 1], 100)
    findings = measure(np.zeros((200, 2)), classes, np.zeros((50, 2)))
    for binning in ("equal_mass", "equal_width"):
        assert value(findings, "ece", binning=binning) == pytest.approx(0, abs=1e-12)
    assert value(findings, "aurc") == pytest.approx(0.5)
    assert value(findings, "selective_accuracy") == pytest.approx(0.5)
    assert value(findings, "ood_auroc", against="noise") == 0.5


def test_the_order_of_the_images_changes_no_value():
    logits, classes = honest(300)
    logits = logits.round()
    order = np.random.default_rng(1).permutation(300)
    for one, other in zip(
        measure(logits, classes).measurements, measure(logits[order], classes[order]).measurements, strict=True
    ):
        assert one.value == pytest.approx(other.value, abs=1e-12), one.label


def test_memory_stays_within_a_few_copies_of_the_evidence():
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(20_000, 200)).astype(np.float32), rng.integers(0, 200, 20_000)
    tracemalloc.start()
    try:
        measure(logits, classes, logits[:256], given=logits[:256], ood_data="more")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * logits.nbytes


def test_foreign_images_that_are_given_go_by_the_name_of_their_folder():
    logits, classes = honest(k=10)
    unsure, alike = np.zeros((300, 10)), honest(n=200, k=10, seed=1)[0]
    findings = measure(logits, classes, alike, given=unsure, ood_data="../data/textures/")
    assert value(findings, "ood_auroc", against="textures") == 1
    assert value(findings, "ood_auroc", against="noise") == pytest.approx(0.5, abs=0.05)
    given = findings.measurements[-1]
    assert given.n == 1800
    assert given.interval.low < 1 == given.interval.high
    assert not caveats(findings)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/textures.npz", "textures"),
        ("a/textures.v2", "textures.v2"),
        ("digits", "digits"),
        (".", "."),
        ("..", ".."),
        ("/", "/"),
        ("a/noise", "noise (ood_data)"),
        ("a/Patches.npz", "Patches (ood_data)"),
        ("a/noise ", "noise  (ood_data)"),
        ("a/絵", "絵"),
    ],
)
def test_no_name_is_taken_for_another_kind_of_foreign_images(path, name):
    findings = measure(*honest(200), np.zeros((9, 4)), given=np.zeros((9, 4)), ood_data=path)
    shown = [m.params["against"] for m in findings.measurements if m.name == "uncertainty.ood_auroc"]
    assert shown == ["noise", name]


def test_foreign_images_that_the_data_hold_too_are_counted():
    logits, classes = honest(k=10)
    rounding = 1 + 1e-6 * np.random.default_rng(0).normal(size=(40, 10))
    mixed = np.concatenate([logits[100:140] * rounding, np.zeros((60, 10))])
    findings = measure(logits, classes, given=mixed, ood_data="textures")
    assert "40 of 100 foreign images (textures) look exactly like images of the data" in text(
        findings, "uncertainty.ood_known"
    )
    probabilities = measure(softmax(logits), classes, given=softmax(mixed), ood_data="textures")
    assert "40 of 100" in text(probabilities, "uncertainty.ood_known")


def test_a_model_whose_answers_are_often_alike_says_nothing_about_the_same_images():
    few = np.random.default_rng(0).integers(0, 3, (400, 2)).astype(float)
    findings = measure(few, np.arange(400) % 2, given=few[:50], ood_data="textures")
    assert "uncertainty.ood_known" not in caveats(findings)


def test_unreadable_foreign_images_are_left_out():
    logits, classes = honest()
    readable = np.arange(200) != 7
    given = np.zeros((200, 4))
    given[7] = 1000, 0, 0, 0
    findings = measure(logits, classes, given=given, more={"ood_data_readable": readable}, ood_data="a/textures")
    assert value(findings, "ood_auroc", against="textures") == 1
    assert findings.measurements[-1].n == 1699
    assert "1 of 200 images of ood_data (a/textures)" in text(findings, "data.unreadable")


@pytest.mark.parametrize("bad", [3, 200])
def test_too_many_unreadable_foreign_images_fail_the_axis(bad):
    logits, classes = honest()
    readable = np.arange(200) >= bad
    with pytest.raises(AxisError, match=rf"{bad} of 200 images of ood_data \(x\) .*uncertainty.max_unreadable"):
        measure(logits, classes, given=np.zeros((200, 4)), more={"ood_data_readable": readable}, ood_data="x")


def test_too_many_unreadable_images_of_the_data_fail_the_axis():
    logits, classes = honest()
    few, many = ({"accuracy.readable": np.arange(1500) >= bad} for bad in (10, 20))
    with pytest.raises(AxisError, match="20 of 1500 images could not be read"):
        measure(logits, classes, more=many)
    assert "data.unreadable" in caveats(measure(logits, classes, more=few))
    measure(logits, classes, more=many, max_unreadable=0.02)


@pytest.mark.parametrize("wrong", [np.zeros((9, 3)), np.zeros(9), np.full((9, 4), np.inf)])
def test_foreign_answers_that_make_no_sense_fail_the_axis(wrong):
    logits, classes = honest(100)
    with pytest.raises(AxisError, match="noise"):
        measure(logits, classes, wrong)
    with pytest.raises(AxisError, match="textures"):
        measure(logits, classes, given=wrong, ood_data="textures")


def test_labels_are_needed():
    with pytest.raises(AxisError, match="labels"):
        Uncertainty().measure({}, None)


def test_no_path_or_an_empty_one_asks_for_no_further_data():
    assert Uncertainty().data_sets == Uncertainty(ood_data="").data_sets == {}
    assert Uncertainty(ood_data="a/b").data_sets == {"ood_data": "a/b"}


@pytest.mark.parametrize(("key", "setting"), [("ood_data", 3), ("ood_data", "a\udc80"), ("bins", 10**9)])
def test_impossible_settings_are_named(key, setting):
    with pytest.raises(InputError, match=f"uncertainty.{key}"):
        make_axis("uncertainty", {key: setting})


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
        "evidence/uncertainty.samples.npz",
    ]
    batches = [line for line in (tmp_path / "out/run.log").read_text().splitlines() if line.startswith("forward")]
    loaded, asked_again, labelled = (
        ["forward 2"],
        ["forward 2"] * 3 + ["forward 1", "forward 2"],
        ["forward 32", "forward 8", "forward 32", "forward 2"],
    )
    assert batches == [*loaded, *asked_again, *labelled, "forward 10"]
