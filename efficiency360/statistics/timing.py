"""Intervals for repeated timings: runs come in stretches, and runs of one stretch resemble each other.

Throughout, `values` (N,) are timings in the order they were taken, and `stretch` (N,) says which stretch each is of.
Stretches are treated as the clusters of a sample, so what drifts between them (frequency, neighbours on the machine)
widens the interval. What drifts over longer times than the whole measurement cannot be seen by it.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_RUNS = 100_000


def quantile(values: NDArray[np.float64], q: float) -> float:
    """The q-quantile as an order statistic: the smallest value with at least a share q of the values at or below it."""
    rank = max(1, math.ceil(q * len(values) - 1e-9))
    return float(np.partition(values, rank - 1)[rank - 1])


def quantile_interval(
    values: NDArray[np.float64], stretch: NDArray[np.int64], q: float, level: float = LEVEL
) -> Interval | None:
    """Interval between two order statistics for the q-quantile (Conover 1999, sec. 3.2); None where N is too small.

    For independent values it is exact whatever their distribution. For clustered ones the number of values is replaced
    by the effective one that the variance between stretches implies (Woodruff 1952, JASA 47:635; Korn and Graubard
    1998, Survey Methodology 24:193).
    """
    n = len(values)
    effective = min(int(effective_size(values <= quantile(values, q), stretch, level)), _MOST_RUNS)
    ranks = _ranks(effective, q, level)
    if ranks is None:
        return None
    ordered = np.sort(values)
    low = ordered[max(0, math.floor(n * ranks[0] / effective) - 1)]
    high = ordered[min(n, math.ceil(n * ranks[1] / effective)) - 1]
    return Interval(low=float(low), high=float(high), level=level, method="order statistics")


def median_interval(values: NDArray[np.float64], stretch: NDArray[np.int64], level: float = LEVEL) -> Interval | None:
    """`quantile_interval` for the median; where stretches differ too much for it, Student's of their medians.

    The latter is widened where it has to be to hold the median of all. None for fewer than six values in one stretch.
    """
    if (interval := quantile_interval(values, stretch, 0.5, level)) is not None:
        return interval
    medians = np.array([quantile(values[stretch == one], 0.5) for one in np.unique(stretch)])
    if len(medians) < 2:  # noqa: PLR2004 - one tells nothing of how they differ
        return None
    half = t_quantile((1 + level) / 2, len(medians) - 1) * float(medians.std(ddof=1)) / math.sqrt(len(medians))
    centre, median = float(medians.mean()), quantile(values, 0.5)
    low = max(min(centre - half, median), min(0.0, float(values.min())))
    return Interval(low=low, high=max(centre + half, median), level=level, method="medians of stretches")


def tail_interval(
    values: NDArray[np.float64], stretch: NDArray[np.int64], q: float, level: float = LEVEL
) -> Interval | None:
    """`quantile_interval` for a high quantile of positive values; where stretches differ, one that allows for it.

    When the variance between stretches leaves less than half of the values' number, the stretches are the sample: of
    their own q-quantiles, taken as lognormal, the upper end is the tolerance bound that a share q of all stretches
    stays below (Natrella 1963, NIST Handbook 91, sec. 2-2.3), or the largest of them. What happened in no stretch at
    all it cannot know. None for too few values or fewer than five stretches.
    """
    n = len(values)
    effective = effective_size(values <= quantile(values, q), stretch, level)
    if 2 * effective >= n:
        return quantile_interval(values, stretch, q, level)
    own = np.log([quantile(values[stretch == one], q) for one in np.unique(stretch)])
    factor = _tolerance(len(own), q, (1 + level) / 2)
    if n < runs_needed(q, level) or factor is None:
        return None
    value = quantile(values, q)
    ranks = _ranks(max(1, min(int(effective), _MOST_RUNS)), q, level, upper=False)
    low = np.sort(values)[max(0, math.floor(n * ranks[0] / max(1, int(effective))) - 1)] if ranks else values.min()
    high = max(value, math.exp(max(float(own.max()), float(own.mean()) + factor * float(own.std(ddof=1)))))
    return Interval(low=min(float(low), value), high=high, level=level, method="tolerance of stretches")


def _tolerance(n: int, share: float, confidence: float) -> float | None:
    """How many standard deviations above the mean of n a bound lies, below which a share is with that confidence.

    Natrella's approximation; None for n below five, where it breaks down.
    """
    if n < _BATCHES:
        return None
    z_share, z = NormalDist().inv_cdf(share), NormalDist().inv_cdf(confidence)
    a, b = 1 - z**2 / (2 * (n - 1)), z_share**2 - z**2 / n
    return (z_share + math.sqrt(max(0.0, z_share**2 - a * b))) / a


def runs_needed(q: float, level: float = LEVEL) -> int:
    """The fewest independent values that bound the q-quantile on both sides: 6 for 0.5, 72 for 0.95, 368 for 0.99."""
    tail = (1 - level) / 2
    return math.ceil(math.log(tail) / math.log(max(q, 1 - q)))


def _ranks(n: int, q: float, level: float, *, upper: bool = True) -> tuple[int, int] | None:
    """Ranks (r, s), from 1, with P(B < r) <= tail and P(B >= s) <= tail for a binomial B of n and q.

    None where there are no such ranks; without `upper`, s need not exist.
    """
    tail = (1 - level) / 2
    below = np.cumsum(_binomial(n, q))  # below[k] = P(B <= k)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail - 1e-12)) + 1
    return (low, high) if low >= 1 and (high <= n or not upper) else None


def _binomial(n: int, q: float) -> NDArray[np.float64]:
    """P(B = 0), ... P(B = n)."""
    if n < 1:
        return np.ones(1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    logs = log_factorial[n] - log_factorial - log_factorial[::-1] + k * math.log(q) + (n - k) * math.log1p(-q)
    probabilities: NDArray[np.float64] = np.exp(logs)
    return probabilities


def effective_size(marked: NDArray[np.bool_], stretch: NDArray[np.int64], level: float = LEVEL) -> float:
    """How many independent values tell as much about the share of `marked` (N,) as these clustered ones; at most N.

    The ratio of the binomial variance to that between clusters, times (z / t)^2 for the clusters' degrees of freedom.
    Fewer than two stretches tell nothing of how they differ, and count as independent.
    """
    n = len(marked)
    _, cluster = np.unique(stretch, return_inverse=True)
    count = np.bincount(cluster)
    share = float(marked.mean())
    if len(count) < 2 or share in (0.0, 1.0):  # noqa: PLR2004 - two clusters
        return float(n)
    residual = (np.bincount(cluster, weights=marked) - share * count) / n
    between = len(count) / (len(count) - 1) * float(np.sum(residual**2))
    binomial = share * (1 - share) / n
    z, t = NormalDist().inv_cdf((1 + level) / 2), t_quantile((1 + level) / 2, len(count) - 1)
    return min(float(n), n * binomial / between * (z / t) ** 2) if between > 0 else float(n)


def mean_interval(values: NDArray[np.float64], stretch: NDArray[np.int64], level: float = LEVEL) -> Interval | None:
    """Student's interval for the mean from the means of batches (Law 2015, Simulation Modeling, sec. 9.5.3).

    The batches are the stretches where there are at least five; fewer stretches are each cut into equal parts. None
    for fewer than two values.
    """
    _, cluster = np.unique(stretch, return_inverse=True)
    clusters = int(cluster.max()) + 1
    if clusters < _BATCHES:
        cluster = np.floor(np.arange(len(values)) * min(2 * _BATCHES, len(values)) / len(values)).astype(np.int64)
    count = np.bincount(cluster)
    if len(count) < 2:  # noqa: PLR2004 - two batches
        return None
    mean = float(values.mean())
    residual = (np.bincount(cluster, weights=values) - mean * count) / len(values)
    error = math.sqrt(len(count) / (len(count) - 1) * float(np.sum(residual**2)))
    half = t_quantile((1 + level) / 2, len(count) - 1) * error
    return Interval(low=mean - half, high=mean + half, level=level, method="batch means")


_BATCHES = 5


def t_quantile(p: float, freedom: int) -> float:
    """The p-quantile, 0.5 <= p < 1, of Student's t, by bisection on its distribution function (closed form by degree).

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 1.0
    while _t_cdf(high, freedom) < p:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_cdf(middle, freedom) < p else (low, middle)
    return (low + high) / 2


def _t_cdf(t: float, freedom: int) -> float:
    angle = math.atan(t / math.sqrt(freedom))
    cosine2 = math.cos(angle) ** 2
    term, total = 1.0, 1.0
    for k in range(2 if freedom % 2 else 1, freedom - 1, 2):
        term *= cosine2 * k / (k + 1)
        total += term
    if freedom % 2 == 0:
        return 0.5 + 0.5 * math.sin(angle) * total
    tail = math.sin(angle) * math.cos(angle) * total if freedom > 1 else 0.0
    return 0.5 + (angle + tail) / math.pi


def trend(values: NDArray[np.float64]) -> tuple[float, float]:
    """Kendall's tau of values against their order, -1 to 1, and its two-sided p-value by the normal approximation.

    Source: Mann 1945, Econometrica 13:245; without correction for ties, which makes it conservative.
    """
    n = len(values)
    if n < 4:  # noqa: PLR2004 - below, no order is remarkable
        return 0.0, 1.0
    signs = np.sign(values[None, :] - values[:, None])
    score = float(np.triu(signs, 1).sum())
    z = (abs(score) - 1) / math.sqrt(n * (n - 1) * (2 * n + 5) / 18) if score else 0.0
    return 2 * score / (n * (n - 1)), 2 * (1 - NormalDist().cdf(max(z, 0.0)))
