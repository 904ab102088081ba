"""Scores of confidence against scikit-learn, torchmetrics and closed forms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_curve, roc_auc_score

from efficiency360.records import Interval
from efficiency360.statistics import calibration, confidence


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


@pytest.mark.parametrize("seed", range(3))
def test_equal_mass_ece_is_scikit_learns_calibration_curve(seed):
    logits, classes = random_outputs(n=400, seed=seed)
    probabilities = calibration.softmax(logits)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes
    accuracy, mean = calibration_curve(right, top, n_bins=10, strategy="quantile")
    ours = calibration.expected_calibration_error(top, right, 10, "equal_mass")
    assert ours == pytest.approx(np.abs(accuracy - mean).mean())  # all bins hold 40


def test_ece_of_one_bin_is_the_gap_between_confidence_and_accuracy():
    confidence, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    for binning in ("equal_mass", "equal_width"):
        assert calibration.expected_calibration_error(confidence, right, 1, binning) == pytest.approx(0.25)


@pytest.mark.parametrize("k", [2, 5])
def test_log_loss_and_brier_score_are_scikit_learns(k):
    logits, classes = random_outputs(k=k)
    probabilities = calibration.softmax(logits)
    assert calibration.log_loss(logits, classes).mean() == pytest.approx(log_loss(classes, probabilities))
    theirs = brier_score_loss(classes, probabilities, labels=range(k), scale_by_half=False)
    assert calibration.brier_score(probabilities, classes).mean() == pytest.approx(theirs)
    manual = ((probabilities - np.eye(k)[classes]) ** 2).sum(axis=1)
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


@pytest.mark.parametrize("seed", range(3))
def test_aurc_is_the_mean_error_of_scikit_learns_precision_curve(seed):
    rng = np.random.default_rng(seed)
    score, right = rng.random(200), rng.random(200) < 0.7
    precision = precision_recall_curve(right, score)[0][:-1]  # without the point that scikit-learn adds
    assert calibration.area_under_risk_coverage(score, right) == pytest.approx(np.mean(1 - precision))


def test_aurc_with_ties_is_its_mean_over_all_orders_of_the_tied():
    tied, right = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([True, False, True, True, False])
    orders = [[0, *middle, 4] for middle in permutations([1, 2, 3])]
    each = [np.mean(np.cumsum(~right[order]) / np.arange(1, 6)) for order in orders]
    assert calibration.area_under_risk_coverage(tied, right) == pytest.approx(np.mean(each))


def test_auroc_is_torchmetrics():
    torch = pytest.importorskip("torch")
    classification = pytest.importorskip("torchmetrics.functional.classification")
    rng = np.random.default_rng(2)
    positive, negative = rng.random(150).round(2), (0.8 * rng.random(90)).round(2)
    truth = torch.tensor(np.r_[np.ones(150, int), np.zeros(90, int)])
    theirs = classification.binary_auroc(torch.tensor(np.r_[positive, negative]), truth)
    assert calibration.auroc(positive, negative) == pytest.approx(float(theirs), abs=1e-6)


def by_hand_ece(score, right, bins):
    """Equal mass, image by image; images of one score stand for one another."""
    order = np.argsort(score, kind="stable")
    gap = [np.mean(right[score == score[i]]) - score[i] for i in order]
    filled = [[gap[r] for r in range(len(gap)) if r * bins // len(gap) == b] for b in range(bins)]
    return sum(abs(sum(bin_)) for bin_ in filled) / len(gap)


@pytest.mark.parametrize("digits", [1, 9])
@pytest.mark.parametrize("n", [1, 4, 60])
def test_statistics_of_a_resample_are_those_of_its_images_alone(n, digits):
    rng = np.random.default_rng(n)
    score, right = rng.random(n).round(digits), rng.random(n) < 0.6
    width = calibration.calibration_error(score, right, 7, "equal_width")
    mass = calibration.calibration_error(score, right, 7, "equal_mass")
    area, apart = calibration.risk_area(score, right), calibration.separation(score[: n // 2], score[n // 2 :])
    for _ in range(20):
        rows = rng.integers(0, n, n)
        mine, hits = score[rows], right[rows]
        bins = np.clip(np.ceil(mine * 7).astype(int) - 1, 0, 6)
        gaps = [abs(np.sum((hits - mine)[bins == b])) for b in range(7)]
        assert width(rows) == pytest.approx(sum(gaps) / n)
        assert mass(rows) == pytest.approx(by_hand_ece(mine, hits, 7))
        order = np.argsort(-mine, kind="stable")
        wrong = [np.mean(~hits[mine == mine[i]]) for i in order]
        assert area(rows) == pytest.approx(np.mean(np.cumsum(wrong) / np.arange(1, n + 1)))
        ours = rows < n // 2
        both = 0 < ours.sum() < n
        assert apart(rows) == pytest.approx(roc_auc_score(ours, mine) if both else 0.5)


@pytest.mark.parametrize("binning", ["equal_mass", "equal_width"])
def test_a_constant_confidence_has_the_error_of_its_one_true_bin_in_any_order(binning):
    right = np.repeat([True, False], 20)
    for order in (np.arange(40), np.random.default_rng(0).permutation(40), np.arange(40)[::-1]):
        ece = calibration.expected_calibration_error(np.full(40, 0.5), right[order], 15, binning)
        assert ece == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", [1, 3, 14, 15, 16])
def test_fewer_images_than_bins_each_stand_alone(n):
    score, right = np.random.default_rng(n).random(n), np.arange(n) % 2 == 0
    expected = by_hand_ece(score, right, 15)
    assert calibration.expected_calibration_error(score, right, 15, "equal_mass") == pytest.approx(expected)
    if n <= 15:
        assert expected == pytest.approx(np.abs(right - score).mean())


def test_ece_never_leaves_its_range():
    nearly = np.nextafter(1.0, 0.0)
    for n in (7, 1000, 49_999):
        for binning in ("equal_mass", "equal_width"):
            ece = calibration.expected_calibration_error(np.full(n, nearly), np.zeros(n, bool), 15, binning)
            assert 1 - 1e-9 < ece <= 1


def test_enormous_logits_keep_their_scores_finite():
    logits = np.array([[1e30, -1e30], [-1e30, 1e30], [1e30, 1e30]])
    classes = np.array([0, 0, 1])
    assert calibration.softmax(logits).tolist() == [[1, 0], [0, 1], [0.5, 0.5]]
    assert calibration.log_loss(logits, classes) == pytest.approx([0, 2e30, np.log(2)])
    assert calibration.brier_score(calibration.softmax(logits), classes).tolist() == [0, 2, 0.5]
    assert 0.05 <= calibration.fit_temperature(logits, classes) <= 20


def test_numbers_do_not_depend_on_how_rows_are_cut_into_pieces(monkeypatch):
    logits, classes = random_outputs(n=50)
    whole = confidence.judged(logits, classes)
    monkeypatch.setattr(calibration, "_CHUNK", 1)
    pieces = confidence.judged(logits, classes)
    for name in ("confidence", "right", "brier", "loss"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name))


def test_equal_confidence_makes_the_order_irrelevant():
    right = np.array([True, False] * 10)
    coverage, risk = calibration.risk_coverage(np.full(20, 0.5), right)
    assert risk == pytest.approx(np.full(20, 0.5))
    assert coverage[-1] == 1


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_temperature_that_was_applied_is_found_again(truth):
    logits, classes = random_outputs(n=20_000)
    assert calibration.fit_temperature(logits * truth, classes) == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("truth", [0.4, 2.5])
def test_the_fitted_temperature_is_scipys_minimum(truth):
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - slow to import

    logits, classes = random_outputs(n=500)
    logits = logits * truth
    found = minimize_scalar(
        lambda t: log_loss(classes, calibration.softmax(logits, t)), bounds=(0.05, 20), method="bounded"
    )
    assert calibration.fit_temperature(logits, classes) == pytest.approx(found.x, rel=1e-3)


def test_one_image_proves_next_to_nothing():
    narrow = Interval(low=0, high=0, level=0.95, method="bootstrap")
    wide = calibration.cautious(narrow, 0.0, 1, (0.0, 2.0))
    assert wide.low == 0
    assert wide.high > 1.5


def test_no_difference_between_resamples_is_not_certainty_but_any_is_left_alone():
    narrow, some = (Interval(low=0.5, high=high, level=0.95, method="bootstrap") for high in (0.5, 0.51))
    assert calibration.cautious(narrow, 0.5, 400, (0, 1)).high == pytest.approx(0.549, abs=0.001)
    assert calibration.cautious(some, 0.5, 400, (0, 1)) is some


@pytest.mark.parametrize("n", [3, 10, 20])
def test_intervals_of_few_images_cover_as_often_as_they_say(n):
    from scipy.stats import binom  # noqa: PLC0415 - slow to import

    rng, truth, hits = np.random.default_rng(n), 0.1, 0
    for _ in range(200):
        sample = rng.beta(0.1, 0.9, n)  # mostly near 0, seldom near 1: what a bootstrap misses

        def mean(rows, sample=sample):
            return float(sample[rows].mean())

        plain = calibration.bootstrap(mean, n, rng=rng, resamples=200)
        interval = calibration.cautious(plain, float(sample.mean()), n, (0.0, 1.0))
        hits += interval.low <= truth <= interval.high
    assert hits >= binom.ppf(0.001, 200, 0.95)


def test_a_perfect_separation_of_few_is_as_uncertain_as_the_smaller_sample():
    from scipy.stats import binom, norm  # noqa: PLC0415 - slow to import

    rng, shift, hits = np.random.default_rng(0), 3.0, 0
    truth = norm.cdf(shift / 2**0.5)
    for _ in range(200):
        ours, theirs = rng.normal(shift, 1, 60), rng.normal(0, 1, 20)
        statistic = calibration.separation(ours, theirs)
        plain = calibration.bootstrap(statistic, 80, rng=rng, resamples=200)
        interval = calibration.cautious(plain, statistic(np.arange(80)), 20, (0.0, 1.0))
        hits += interval.low <= truth <= interval.high
    assert hits >= binom.ppf(0.001, 200, 0.95)


def test_look_alikes_survive_rounding_and_nothing_else_does():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(500, 10)).astype(np.float32)
    again = known[:30] * (1 + 1e-6 * rng.normal(size=(30, 10)))
    assert confidence.look_alikes(again, known) == 30
    assert confidence.look_alikes(known[:30] * 1e30, known * 1e30) == 30
    assert confidence.look_alikes(known[:30] + np.float32(0.001), known) == 0
    assert confidence.look_alikes(known[:30], known, least=2) == 0
    assert confidence.look_alikes(np.zeros((3, 10)), np.zeros((4000, 10)), least=2) == 3


def test_a_share_of_the_surest_is_counted_as_a_person_would():
    judged = confidence.Judged(np.linspace(0, 1, 100), np.arange(100) >= 45, np.empty(0), np.empty(0))
    assert confidence.selected(judged, 0.55) == (55, 55)  # and not 56, as 0.55 * 100 in floating point would have it
    assert confidence.selected(judged, 1e-9) == (1, 1)
    alike = confidence.Judged(np.full(10, 0.5), np.arange(10) < 4, np.empty(0), np.empty(0))
    assert confidence.selected(alike, 0.5) == (2.0, 5)


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
