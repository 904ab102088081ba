"""Scores of confidence: calibration, proper scores, selective prediction, separation. Numpy only.

Throughout, `confidence` (N,) is in [0, 1], `right` (N,) is True where the prediction is the label, `probabilities`
(N, K) sum to 1 along the last axis, and `classes` (N,) are the labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Binning = Literal["equal_width", "equal_mass"]


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (N, K) of logits (N, K) divided by `temperature` > 0."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def are_probabilities(outputs: NDArray[np.float64]) -> bool:
    """Whether every row of outputs (N, K) is a distribution already: no entry below 0, sums of 1 within 0.001."""
    return bool(len(outputs) and outputs.min() >= 0 and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def bin_numbers(confidence: NDArray[np.float64], bins: int, binning: Binning) -> NDArray[np.int64]:
    """The bin (N,) of each confidence, 0 to bins - 1.

    Equal width: bin b holds (b / bins, (b + 1) / bins], the first one 0 too. Equal mass: bins of as equal a number of
    images as can be, by rank of confidence, ties in order of appearance.
    """
    if binning == "equal_width":
        return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    rank = np.empty(len(confidence), dtype=np.int64)
    rank[np.argsort(confidence, kind="stable")] = np.arange(len(confidence))
    return rank * bins // len(confidence)


def expected_calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int, binning: Binning
) -> float:
    """ECE in [0, 1]: the mean over images of |accuracy - confidence| of their bin (Guo et al. 2017, eq. 3)."""
    numbers = bin_numbers(confidence, bins, binning)
    gaps = np.bincount(numbers, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def brier_score(probabilities: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each image's sum over classes of squared errors, 0 to 2 (Brier 1950); their mean is the score."""
    own = np.take_along_axis(probabilities, classes[:, None], axis=1)[:, 0]
    score: NDArray[np.float64] = (probabilities**2).sum(axis=1) - 2 * own + 1
    return score


def log_loss(logits: NDArray[np.float64], classes: NDArray[np.int64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Each image's negative log-likelihood in nats, >= 0, from logits so that small probabilities do not underflow."""
    scaled = logits / temperature
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    own = np.take_along_axis(shifted, classes[:, None], axis=1)[:, 0]
    loss: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - own
    return loss


def risk_coverage(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage (N,) and risk (N,): the error rate among the 1, 2, ... N most confident images (Geifman, El-Yaniv 2017).

    Images of equal confidence share their mean error, so their order does not matter.
    """
    order = np.argsort(-confidence, kind="stable")
    _, group = np.unique(-confidence[order], return_inverse=True)
    wrong = (~right[order]).astype(np.float64)
    shared = (np.bincount(group, weights=wrong) / np.bincount(group))[group]
    n = np.arange(1, len(wrong) + 1)
    return n / len(wrong), np.cumsum(shared) / n


def area_under_risk_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """AURC in [0, 1]: the mean risk over all coverages; lower is better, a perfect model has 0."""
    return float(risk_coverage(confidence, right)[1].mean())


def auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """The chance that a positive scores above a negative, ties counting half (Mann-Whitney U over its maximum)."""
    values = np.concatenate([positive, negative])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    u = rank[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(u / (len(positive) * len(negative)))


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    n: int,
    *,
    rng: np.random.Generator,
    resamples: int = 500,
    level: float = LEVEL,
) -> Interval:
    """Percentile bootstrap interval of a statistic of image positions (Efron and Tibshirani 1993, ch. 13).

    Widened where it has to be to hold the statistic of the images as they are.
    """
    draws = [statistic(rng.integers(0, n, n)) for _ in range(resamples)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    value = statistic(np.arange(n))
    return Interval(low=min(float(low), value), high=max(float(high), value), level=level, method="bootstrap")


def fit_temperature(logits: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    """The temperature in [0.05, 20] with the least log loss (Guo et al. 2017, sec. 4.2), by golden section on log T.

    The loss is convex in 1 / T, hence unimodal in log T.
    """
    low, high = np.log(0.05), np.log(20.0)
    ratio = (5**0.5 - 1) / 2

    def loss(log_t: float) -> float:
        return float(log_loss(logits, classes, float(np.exp(log_t))).mean())

    while high - low > 1e-4:  # noqa: PLR2004 - a hundredth of a percent of T
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return float(np.exp((low + high) / 2))
