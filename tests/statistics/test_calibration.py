"""Scores of confidence against scikit-learn, torchmetrics and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from efficiency360.statistics import calibration


def random_outputs(n=400, k=5, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2
    classes = np.array([rng.choice(k, p=row) for row in calibration.softmax(logits)])
    return logits, classes


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_equal_width_ece_is_torchmetrics(seed, bins):
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    logits, classes = random_outputs(seed=seed)
    probabilities = calibration.softmax(logits)
    theirs = classification.multiclass_calibration_error(
        torch.tensor(probabilities), torch.tensor(classes), num_classes=5, n_bins=bins, norm="l1"
    )
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes
    ours = calibration.expected_calibration_error(confidence, right, bins, "equal_width")
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_equal_mass_bins_hold_as_equal_numbers_as_can_be():
    numbers = calibration.bin_numbers(np.random.default_rng(0).random(103), 10, "equal_mass")
    counts = np.bincount(numbers)
    assert counts.sum() == 103
    assert counts.max() - counts.min() == 1


def test_ece_of_one_bin_is_the_gap_between_confidence_and_accuracy():
    confidence, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    for binning in ("equal_mass", "equal_width"):
        assert calibration.expected_calibration_error(confidence, right, 1, binning) == pytest.approx(0.25)


def test_log_loss_and_brier_score_are_scikit_learns():
    logits, classes = random_outputs()
    probabilities = calibration.softmax(logits)
    assert calibration.log_loss(logits, classes).mean() == pytest.approx(log_loss(classes, probabilities))
    manual = ((probabilities - np.eye(5)[classes]) ** 2).sum(axis=1)
    assert calibration.brier_score(probabilities, classes) == pytest.approx(manual)


def test_log_loss_does_not_underflow():
    assert calibration.log_loss(np.array([[1000.0, 0.0]]), np.array([1]))[0] == pytest.approx(1000)


@pytest.mark.parametrize("digits", [1, 8])
def test_auroc_is_scikit_learns_with_and_without_ties(digits):
    rng = np.random.default_rng(1)
    positive, negative = rng.normal(0.4, 1, 200).round(digits), rng.normal(0, 1, 300).round(digits)
    truth = np.r_[np.ones(200), np.zeros(300)]
    expected = roc_auc_score(truth, np.concatenate([positive, negative]))
    assert calibration.auroc(positive, negative) == pytest.approx(expected)


def test_aurc_of_a_perfect_order_is_the_closed_form():
    confidence = np.linspace(1, 0, 10)
    right = np.arange(10) < 7
    risks = [max(0, k - 7) / k for k in range(1, 11)]
    assert calibration.area_under_risk_coverage(confidence, right) == pytest.approx(np.mean(risks))
    assert calibration.area_under_risk_coverage(confidence, np.ones(10, bool)) == 0


def test_equal_confidence_makes_the_order_irrelevant():
    right = np.array([True, False] * 10)
    coverage, risk = calibration.risk_coverage(np.full(20, 0.5), right)
    assert risk == pytest.approx(np.full(20, 0.5))
    assert coverage[-1] == 1


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_temperature_that_was_applied_is_found_again(truth):
    logits, classes = random_outputs(n=20_000)
    assert calibration.fit_temperature(logits * truth, classes) == pytest.approx(truth, rel=0.05)


def test_bootstrap_covers_a_mean_as_often_as_it_says():
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        sample = rng.normal(0, 1, 100)
        interval = calibration.bootstrap(
            lambda rows, sample=sample: float(sample[rows].mean()), 100, rng=rng, resamples=200
        )
        hits += interval.low <= 0 <= interval.high
    assert hits >= binom.ppf(0.001, 200, 0.93)
