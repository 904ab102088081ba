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

    The wider, at each end, of two intervals for a stratified proportion. Wilson's at the effective sample size that the
    estimate's variance implies (Korn and Graubard 1998, Survey Methodology 24:193) is right for many classes. Where
    one rare class decides, its own lopsided interval matters: square-and-add of each class's Wilson interval (Zou and
    Donner 2008, Statistics in Medicine 27:1693). Classes of fewer than five images tell nothing of their own spread and
    form one collapsed stratum; proportions in the variance are smoothed as by Jeffreys' prior, so that a class without
    errors does not count as certain. Conservative for few images.

    Args:
        correct: (K,) right answers a class.
        total: (K,) images a class; classes without images are left out; at least one image in all.
        level: confidence level in (0, 1).
    """
    correct, total = correct[total > 0], total[total > 0]
    recall = float(np.mean(correct / total))
    share, p, n = _strata(correct, total)
    smoothed = (p * n + 0.5) / (n + 1)
    variance = float(np.sum(share**2 * smoothed * (1 - smoothed) / n))
    spread = recall * (1 - recall)
    effective = spread / variance if spread > 0 else 1 / float(np.sum(share**2 / n))
    whole = wilson(recall * effective, effective, level)
    each = [wilson(min(p_k, 1.0) * n_k, n_k, level) for p_k, n_k in zip(p.tolist(), n.tolist(), strict=True)]
    below = np.linalg.norm(share * (p - [interval.low for interval in each]))
    above = np.linalg.norm(share * (p - [interval.high for interval in each]))
    return Interval(
        low=min(whole.low, max(0.0, recall - float(below))),
        high=max(whole.high, min(1.0, recall + float(above))),
        level=level,
        method="wilson by class",
    )


def _strata(
    correct: NDArray[np.int64], total: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share in the mean, proportion right and (effective) number of images: of each class, and of all sparse ones."""
    sparse = total < _SPARSE
    few, many = total[sparse], total[~sparse]
    share, p, n = np.full(len(many), 1 / len(total)), correct[~sparse] / many, many.astype(np.float64)
    if not len(few):
        return share, p, n
    collapsed = len(few) / len(total), np.mean(correct[sparse] / few), len(few) ** 2 / np.sum(1 / few)
    return np.append(share, collapsed[0]), np.append(p, collapsed[1]), np.append(n, collapsed[2])
