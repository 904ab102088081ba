"""Scores of confidence: calibration, proper scores, selective prediction, separation. Numpy only.

Throughout, `confidence` (N,) is in [0, 1], `right` (N,) is True where the prediction is the label, `probabilities`
(N, K) sum to 1 along the last axis, `classes` (N,) are the labels, and a `Statistic` maps positions of images, which
may repeat, to a number. Statistics sort once; what they do for each resample takes time in proportion to its length.
Nothing depends on the order of the images: those of equal confidence share their mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL, wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

Binning = Literal["equal_width", "equal_mass"]
Statistic = Callable[[NDArray[np.int64]], float]
_CHUNK = 1 << 16
_FEW = 30


def row_chunks(outputs: NDArray[np.generic]) -> Iterator[slice]:
    """Slices of rows (N, K) of half a megabyte in float64: what is made from one stays in the processor's cache."""
    size = max(1, _CHUNK // max(1, outputs.shape[1]))
    yield from (slice(start, start + size) for start in range(0, len(outputs), size))


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (N, K) of logits (N, K) divided by `temperature` > 0."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def are_probabilities(outputs: NDArray[np.floating]) -> bool:
    """Whether every row of outputs (N, K) is a distribution already: no entry below 0, sums of 1 within 0.001."""
    if not len(outputs) or outputs.min() < 0:
        return False
    return bool(np.allclose(outputs.sum(axis=1, dtype=np.float64), 1, atol=1e-3))


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


def shared_accuracy(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The accuracy (N,) among the images that have exactly this image's confidence; 0 or 1 where it is alone."""
    _, group = np.unique(confidence, return_inverse=True)
    share: NDArray[np.float64] = (np.bincount(group, right) / np.bincount(group))[group]
    return share


def calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int, binning: Binning
) -> Statistic:
    """ECE in [0, 1] of any of these images: the mean of |accuracy - confidence| of their bin (Guo et al. 2017, eq. 3).

    Bins of equal mass are made anew for each resample.
    """
    if binning == "equal_width":
        numbers, gap = bin_numbers(confidence, bins, binning), right - confidence

        def by_width(rows: NDArray[np.int64]) -> float:
            return float(np.abs(np.bincount(numbers[rows], gap[rows], bins)).sum() / len(rows))

        return by_width
    scores, group = np.unique(confidence, return_inverse=True)

    def by_mass(rows: NDArray[np.int64]) -> float:
        images, hits = _tallies(group[rows], right[rows], len(scores))
        gaps = np.repeat(hits / np.maximum(images, 1) - scores, images)
        first = -(-np.arange(bins + 1) * len(rows) // bins)
        sums = np.diff(np.concatenate([[0.0], np.cumsum(gaps)])[first])
        return min(1.0, float(np.abs(sums).sum() / len(rows)))  # differences of sums may round past it

    return by_mass


def expected_calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int, binning: Binning
) -> float:
    """ECE in [0, 1] of all images; see `calibration_error`."""
    return calibration_error(confidence, right, bins, binning)(np.arange(len(right)))


def brier_score(probabilities: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each image's sum over classes of squared errors, 0 to 2 (Brier 1950); their mean is the score."""
    own = np.take_along_axis(probabilities, classes[:, None], axis=1)[:, 0]
    score: NDArray[np.float64] = (probabilities**2).sum(axis=1) - 2 * own + 1
    return score


def log_loss(logits: NDArray[np.floating], classes: NDArray[np.int64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Each image's negative log-likelihood in nats, >= 0, from logits so that small probabilities do not underflow.

    Computed in float64 for logits of any type, a few rows at a time.
    """
    loss = np.empty(len(logits))
    for rows in row_chunks(logits):
        shifted = logits[rows] / np.float64(temperature)
        shifted -= shifted.max(axis=1, keepdims=True)
        own = np.take_along_axis(shifted, classes[rows, None], axis=1)[:, 0]
        loss[rows] = np.log(np.exp(shifted, out=shifted).sum(axis=1)) - own
    return loss


def risk_coverage(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage (N,) and risk (N,): the error rate among the 1, 2, ... N most confident images (Geifman, El-Yaniv 2017).

    Images of equal confidence share their mean error, so their order does not matter.
    """
    scores, group = np.unique(-confidence, return_inverse=True)
    return np.arange(1, len(right) + 1) / len(right), _risk(group, right, len(scores))


def risk_area(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Statistic:
    """AURC in [0, 1] of any of these images: the mean risk over all coverages; lower is better, 0 is perfect."""
    scores, group = np.unique(-confidence, return_inverse=True)
    return lambda rows: float(_risk(group[rows], right[rows], len(scores)).mean())


def area_under_risk_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """AURC in [0, 1] of all images; see `risk_area`."""
    return risk_area(confidence, right)(np.arange(len(right)))


def _risk(group: NDArray[np.int64], right: NDArray[np.bool_], groups: int) -> NDArray[np.float64]:
    images, wrong = _tallies(group, ~right, groups)
    shared = np.repeat(wrong / np.maximum(images, 1), images)
    risk: NDArray[np.float64] = np.cumsum(shared) / np.arange(1, len(group) + 1)
    return risk


def _tallies(
    group: NDArray[np.int64], which: NDArray[np.bool_], groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many images each group has, and how many of them are `which`."""
    return np.bincount(group, minlength=groups), np.bincount(group[which], minlength=groups)


def separation(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> Statistic:
    """AUROC of any of these images, positions counting on from the positives to the negatives; 0.5 without either.

    The chance that a positive scores above a negative, ties counting half (Mann-Whitney U over its maximum).
    """
    scores, group = np.unique(np.concatenate([positive, negative]), return_inverse=True)

    def statistic(rows: NDArray[np.int64]) -> float:
        images, above = _tallies(group[rows], rows < len(positive), len(scores))
        below = images - above
        wins_twice = (above * (2 * np.cumsum(below) - below)).sum()  # not by `@`: its threads cost more than they save
        pairs = above.sum() * below.sum()
        return float(wins_twice / (2 * pairs)) if pairs else 0.5

    return statistic


def auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """AUROC in [0, 1] of two samples; see `separation`."""
    return separation(positive, negative)(np.arange(len(positive) + len(negative)))


def bootstrap(
    statistic: Statistic, n: int, *, rng: np.random.Generator, resamples: int = 500, level: float = LEVEL
) -> Interval:
    """Percentile bootstrap interval of a statistic of image positions (Efron and Tibshirani 1993, ch. 13).

    Widened where it has to be to hold the statistic of the images as they are.
    """
    draws = [statistic(rng.integers(0, n, n)) for _ in range(resamples)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    value = statistic(np.arange(n))
    return Interval(low=min(float(low), value), high=max(float(high), value), level=level, method="bootstrap")


def cautious(interval: Interval, value: float, n: int, bounds: tuple[float, float]) -> Interval:
    """A bootstrap interval, made wider where resampling cannot know: fewer than 30 images, or all resamples alike.

    A model without an error so far, or seen on one image, is not proven to be without any. Then the interval is at
    least Wilson's for `value` as a share of the way between `bounds`, of `n` images: no mean of numbers within bounds
    varies more than that proportion (Bhatia and Davis 2000, Am. Math. Monthly 107:353), and no AUROC if `n` is the
    smaller sample (Birnbaum and Klose 1957, Ann. Math. Stat. 28:933).
    """
    low, span = bounds[0], bounds[1] - bounds[0]
    if n >= _FEW and interval.high - interval.low > 1e-9 * span:  # what rounding leaves of no difference
        return interval
    share = wilson(n * min(max((value - low) / span, 0.0), 1.0), n, interval.level)
    return Interval(
        low=min(interval.low, low + span * share.low),
        high=max(interval.high, low + span * share.high),
        level=interval.level,
        method="bootstrap, widened",
    )


def fit_temperature(logits: NDArray[np.floating], classes: NDArray[np.int64]) -> float:
    """The temperature in [0.05, 20] with the least log loss (Guo et al. 2017, sec. 4.2), by golden section on log T.

    The loss is convex in 1 / T, hence unimodal in log T.
    """
    ratio = (5**0.5 - 1) / 2

    def loss(log_t: float) -> float:
        return float(log_loss(logits, classes, float(np.exp(log_t))).mean())

    low, high = np.log(0.05), np.log(20.0)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-4:  # noqa: PLR2004 - a hundredth of a percent of T
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))
