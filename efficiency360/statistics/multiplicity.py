"""Many tests at once, and the largest of many differences: what chance finds when it is asked often.

The largest gap between groups is above 0 in every sample, and above it again in every resample; intervals for it come
from intervals that hold for all pairs of groups together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_PAIRS = 1000
_NEAR = 2.0


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values (M,), in the order given: those up to alpha may be rejected together (Holm 1979).

    Raises:
        ValueError: a p-value is NaN or not in [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():  # NaN is neither
        raise ValueError("p-values have to be numbers from 0 to 1")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def max_t(
    estimates: Sequence[float] | NDArray[np.float64], draws: NDArray[np.float64], level: float = LEVEL
) -> list[Interval]:
    """Intervals that hold all together, from the bootstrap's largest studentized error (Romano and Wolf 2005).

    An estimate that is alike in all draws is not certain; it is given the largest standard error of the others.

    Args:
        estimates: (K,) numbers.
        draws: (R, K) what they were in each resample.
        level: confidence level in (0, 1) of all together.

    Raises:
        ValueError: shapes do not match, or no estimate varies at all.
    """
    values = np.asarray(estimates, dtype=np.float64)
    if draws.ndim != 2 or draws.shape[1] != len(values):  # noqa: PLR2004 - rows and columns
        raise ValueError(f"draws of {len(values)} estimates need that many columns, not the shape {draws.shape}")
    if not len(values):
        return []
    errors = draws.std(axis=0)
    varies = errors > 1e-12 * np.maximum(1.0, np.abs(values))
    if not varies.any():
        raise ValueError("no estimate differs between the draws, so they tell nothing of its error")
    errors[~varies] = errors[varies].max()
    largest = (np.abs(draws - values) / errors).max(axis=1)
    half = float(np.quantile(largest, level)) * errors
    return [
        Interval(low=low, high=high, level=level, method="max-t")
        for low, high in zip((values - half).tolist(), (values + half).tolist(), strict=True)
    ]


def largest_gap(  # noqa: PLR0913 - resampling has its own two
    values: NDArray[np.floating] | NDArray[np.bool_],
    groups: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    level: float = LEVEL,
    span: float = 1.0,
) -> Interval:
    """Interval for the largest minus the smallest true mean of groups; it holds 0 where all may be equal.

    From simultaneous intervals of all pairs' differences: the studentized range with unequal numbers (Tukey 1953,
    Kramer 1956, Games and Howell 1976), its quantile by simulation. The low end is the largest of their low ends, the
    high end the largest of their high ends, which a small group can drive far up. No group's variance counts as less
    than the pooled one, so that a group of one image, or without an error, is not certain.

    Args:
        values: (N,) a number of each image.
        groups: (N,) the group of each image.
        rng: where random numbers come from.
        resamples: how often the range is simulated.
        level: confidence level in (0, 1).
        span: the range that values can have, used where all are alike.
    """
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2:  # noqa: PLR2004 - one group has no gap
        return Interval(low=0.0, high=0.0, level=level, method="simultaneous")
    means = np.bincount(number, values) / counts
    errors = _errors(np.asarray(values, dtype=np.float64) - means[number], number, counts, span)
    student = rng.standard_t(counts, size=(resamples, len(counts))) * errors
    largest, low, high = np.zeros(resamples), 0.0, 0.0
    for one in range(len(counts) - 1):
        of_pair = np.hypot(errors[one], errors[one + 1 :])
        np.maximum(largest, (np.abs(student[:, one + 1 :] - student[:, [one]]) / of_pair).max(axis=1), out=largest)
    factor = float(np.quantile(largest, level))
    for one in range(len(counts) - 1):
        of_pair = np.hypot(errors[one], errors[one + 1 :])
        gaps = np.abs(means[one + 1 :] - means[one])
        low = max(low, float((gaps - factor * of_pair).max()))
        high = max(high, float((gaps + factor * of_pair).max()))
    return Interval(low=low, high=max(high, float(np.ptp(means))), level=level, method="simultaneous")


def _errors(
    residual: NDArray[np.float64], number: NDArray[np.int64], counts: NDArray[np.int64], span: float
) -> NDArray[np.float64]:
    """Standard error of each group's mean, from its own variance or the pooled one if that is larger."""
    squares, n = np.bincount(number, residual**2), len(residual)
    pooled = max(float(squares.sum()) / max(1, n - len(counts)), span**2 * 0.5 / (n + 1))
    error: NDArray[np.float64] = np.sqrt(np.maximum((squares + pooled) / counts, pooled) / counts)
    return error


def gap_draws(
    means: tuple[NDArray[np.float64], NDArray[np.float64]],
    drawn: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    same_groups: bool = True,
) -> NDArray[np.float64]:
    """What resampling says of the difference of two largest gaps, made wider by what a maximum hides: sorted (R,).

    The sample's gap is that of the groups that look extreme; which ones truly are is known only up to the groups near
    them (within two standard errors). The gap of a is at most what the groups near its ends leave possible, and at
    least the true gap of any pair; so its error lies between two maxima over nearby pairs (Chernozhukov, Lee and Rosen
    2013, Econometrica 81:667, on such bounds). Another bound keeps what a and b have in common: a's gap less b's is at
    most what a - b shows for a's true extremes, at least for b's. Each end is the tighter of the two, but never inside
    the percentiles of the resampled difference.

    Args:
        means: (K,) each group's mean in a, and in b.
        drawn: (R, K) the same in each resample, of the same images for both.
        same_groups: whether both are of the same groups and images; else they have nothing in common.
    """
    value = float(np.ptp(means[0]) - np.ptp(means[1]))
    plain = np.sort(np.ptp(drawn[0], axis=1) - np.ptp(drawn[1], axis=1))
    near = [_near(own, own_draws) for own, own_draws in zip(means, drawn, strict=True)]
    wide, exact = zip(*(_errors_of_gap(*each) for each in zip(means, drawn, near, strict=True)), strict=True)
    low, high = np.sort(value - (wide[0] - exact[1])), np.sort(value - (exact[0] - wide[1]))
    if same_groups:
        by_pair = drawn[0] - drawn[1]
        low = np.maximum(low, _pairs(by_pair, near[1], np.minimum, -np.inf))
        high = np.minimum(high, _pairs(by_pair, near[0], np.maximum, np.inf))
    half = len(plain) // 2
    return np.concatenate([np.minimum(low, plain)[:half], np.maximum(high, plain)[half:]])


def _near(means: NDArray[np.float64], drawn: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The groups that may have the largest mean, and the smallest."""
    errors, top, bottom = drawn.std(axis=0), int(means.argmax()), int(means.argmin())
    upper = means >= means[top] - _NEAR * np.hypot(errors, errors[top])
    lower = means <= means[bottom] + _NEAR * np.hypot(errors, errors[bottom])
    return np.flatnonzero(upper), np.flatnonzero(lower)


def _errors_of_gap(
    means: NDArray[np.float64], drawn: NDArray[np.float64], near: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The gap's error in each resample if all near groups are truly equal, and if the extremes are who they seem."""
    error = drawn - means
    wide = error[:, near[0]].max(axis=1) - error[:, near[1]].min(axis=1)
    return wide, error[:, means.argmax()] - error[:, means.argmin()]


def _pairs(
    by_group: NDArray[np.float64], near: tuple[NDArray[np.int64], NDArray[np.int64]], worse: np.ufunc, unknown: float
) -> NDArray[np.float64]:
    """The worst, quantile by quantile, of what the pairs of near groups show; `unknown` for more pairs than 1000."""
    worst = np.full(len(by_group), unknown)
    if len(near[0]) * len(near[1]) > _MOST_PAIRS:
        return worst
    worst = -worst
    for top in near[0]:
        for bottom in near[1]:
            worst = worse(worst, np.sort(by_group[:, top] - by_group[:, bottom]))
    return worst
