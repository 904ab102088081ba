"""Confidence intervals for proportions and for means over classes."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
_SPARSE = 5


def wilson(successes: float, n: float, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a proportion (Wilson 1927, JASA 22:209).

    Args:
        successes: number of successes, 0 <= successes <= n; a fraction where `n` is an effective sample size.
        n: number of trials, > 0.
        level: confidence level in (0, 1).

    Raises:
        ValueError: arguments out of range.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"wilson needs 0 <= successes <= n and n > 0, not {successes} of {n}")
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    p = successes / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = ((z2 / n) * (p * (1 - p) + z2 / (4 * n))) ** 0.5 / (1 + z2 / n)
    return Interval(
        low=min(p, max(0.0, centre - half)), high=max(p, min(1.0, centre + half)), level=level, method="wilson"
    )


def mean_recall(correct: NDArray[np.int64], total: NDArray[np.int64], level: float = LEVEL) -> Interval:
    """Interval for balanced accuracy, the mean over classes of `correct / total`.

    A stratified proportion: Wilson's interval at the effective sample size that the estimate's variance implies (Korn
    and Graubard 1998, Survey Methodology 24:193). Classes of fewer than five images tell nothing of their own spread
    and form one collapsed stratum; proportions in the variance are smoothed as by Jeffreys' prior, so that a class
    without errors does not count as certain. Conservative for few images.

    Args:
        correct: (K,) right answers a class.
        total: (K,) images a class; classes without images are left out; at least one image in all.
        level: confidence level in (0, 1).
    """
    correct, total = correct[total > 0], total[total > 0]
    weight = 1 / (len(total) * total)
    recall = float(np.sum(weight * correct))
    sparse = total < _SPARSE
    strata = [np.flatnonzero(sparse), *(np.array([k]) for k in np.flatnonzero(~sparse))]
    variance = sum(_variance(correct[k], total[k], weight[k]) for k in strata if len(k))
    spread = recall * (1 - recall)
    n = spread / variance if spread > 0 else 1 / float(np.sum(weight**2 * total))
    recall = min(recall, 1.0)
    return wilson(recall * n, n, level).model_copy(update={"method": "wilson, effective n"})


def _variance(correct: NDArray[np.int64], total: NDArray[np.int64], weight: NDArray[np.float64]) -> float:
    """Variance of a stratum's part of a weighted mean, every image of class k weighing `weight[k]`."""
    squares = float(np.sum(weight**2 * total))
    mass = float(np.sum(weight * total))
    n = mass**2 / squares
    p = (float(np.sum(weight * correct)) / mass * n + 0.5) / (n + 1)
    return p * (1 - p) * squares
