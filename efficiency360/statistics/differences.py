"""Differences of two numbers and their intervals: always the first minus the second.

A difference of proportions is a share of images, -1 to 1. Paired: both models saw the same images, and only those tell
of a difference on which exactly one is right (`only_a`, `only_b`). Independent: each number comes from its own images,
or only as a value with its interval. Counts may be fractions where they are effective ones.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL, wilson


def newcombe(successes_a: float, n_a: float, successes_b: float, n_b: float, level: float = LEVEL) -> Interval:
    """Interval for p_a - p_b of independent proportions (Newcombe 1998, Statistics in Medicine 17:873, method 10).

    Args:
        successes_a: number of successes in a, 0 <= successes_a <= n_a.
        n_a: number of trials in a, > 0.
        successes_b: as in a.
        n_b: as in a.
        level: confidence level in (0, 1).

    Raises:
        ValueError: counts out of range.
    """
    a, b = wilson(successes_a, n_a, level), wilson(successes_b, n_b, level)
    found = square_and_add(successes_a / n_a, a, successes_b / n_b, b)
    return Interval(low=max(-1.0, found.low), high=min(1.0, found.high), level=level, method="newcombe")


def newcombe_paired(only_a: float, only_b: float, both: float, neither: float, level: float = LEVEL) -> Interval:
    """Interval for p_a - p_b of paired proportions (Newcombe 1998, Statistics in Medicine 17:2635, method 10).

    Args:
        only_a: images that are successes in a only, >= 0; likewise the others; at least one image in all.
        only_b: successes in b only.
        both: successes in both.
        neither: successes in neither.
        level: confidence level in (0, 1).

    Raises:
        ValueError: a count is negative, or there is no image.
    """
    n = only_a + only_b + both + neither
    _check(only_a, only_b, n)
    hits_a, hits_b = only_a + both, only_b + both
    a, b = wilson(hits_a, n, level), wilson(hits_b, n, level)
    p_a, p_b, phi = hits_a / n, hits_b / n, _correlation(only_a, only_b, both, neither)
    below = _joined(p_a - a.low, b.high - p_b, phi)
    above = _joined(a.high - p_a, p_b - b.low, phi)
    low, high = max(-1.0, p_a - p_b - below), min(1.0, p_a - p_b + above)
    return Interval(low=low, high=high, level=level, method="newcombe, paired")


def _correlation(only_a: float, only_b: float, both: float, neither: float) -> float:
    """Phi of the fourfold table with Newcombe's continuity correction, which keeps it below 1."""
    margins = (only_a + both) * (only_b + neither) * (only_b + both) * (only_a + neither)
    if margins <= 0:
        return 0.0
    excess = both * neither - only_a * only_b
    if excess > 0:
        excess = max(excess - (only_a + only_b + both + neither) / 2, 0.0)
    return excess / math.sqrt(margins)


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one**2 + other**2 - 2 * phi * one * other))


def tango(only_a: float, only_b: float, n: float, level: float = LEVEL) -> Interval:
    """Score interval for p_a - p_b of paired proportions (Tango 1998, Statistics in Medicine 17:891).

    It holds (only_a - only_b) / n, stays within [-1, 1], and always has a width: where no image tells the
    two apart, it is what Wilson's interval leaves possible, z^2 / (n + z^2) to either side.

    Args:
        only_a: images that are successes in a only, >= 0.
        only_b: images that are successes in b only, >= 0.
        n: all images, > 0 and >= only_a + only_b.
        level: confidence level in (0, 1).

    Raises:
        ValueError: counts out of range.
    """
    _check(only_a, only_b, n)
    z = NormalDist().inv_cdf((1 + level) / 2)
    low, high = _lower(only_a, only_b, n, z), -_lower(only_b, only_a, n, z)
    return Interval(low=low, high=high, level=level, method="tango")


def _lower(gained: float, lost: float, n: float, z: float) -> float:
    """The least difference that the score test does not refuse, by bisection between -1 and the estimate."""
    low, high = -1.0, (gained - lost) / n
    for _ in range(60):
        middle = (low + high) / 2
        if gained - lost - n * middle > z * math.sqrt(n * score_variance(gained, lost, n, middle)):
            low = middle
        else:
            high = middle
    return high


def tango_p(only_a: float, only_b: float, n: float, difference: float) -> float:
    """One-sided p-value of p_a - p_b <= `difference` against greater, from the statistic of `tango`.

    Below (1 - level) / 2 exactly where the lower end of `tango` is above `difference`.

    Args:
        only_a: images that are successes in a only, >= 0.
        only_b: images that are successes in b only, >= 0.
        n: all images, > 0 and >= only_a + only_b.
        difference: any number; what no difference of proportions can be is refused or kept for certain.

    Raises:
        ValueError: counts out of range, or `difference` is not finite.
    """
    _check(only_a, only_b, n)
    _finite(difference)
    if abs(difference) > 1:
        return float(difference > 1)
    excess = only_a - only_b - n * difference
    return _tail(excess, math.sqrt(n * score_variance(only_a, only_b, n, difference)))


def score_variance(only_a: float, only_b: float, n: float, difference: float) -> float:
    """Variance of one image's difference, 0 to 1, if the true one is `difference` and the rest as likely as can be.

    The restricted maximum of the likelihood is the root of a quadratic (Tango 1998, eq. 5). Shares do as well as
    counts: only their ratios to `n` matter.
    """
    if difference < 0:
        only_a, only_b, difference = only_b, only_a, -difference
    room = difference * (1 - difference)
    linear = (2 * n - only_a + only_b) * difference - only_a - only_b
    root = math.sqrt(linear**2 + 8 * n * only_b * room)
    # The same root twice: above 0, without a difference of nearly equal numbers.
    share_b = (root - linear) / (4 * n) if linear <= 0 else 2 * only_b * room / (root + linear)
    return max(0.0, 2 * share_b + room)


def square_and_add(a: float, a_interval: Interval, b: float, b_interval: Interval) -> Interval:
    """Interval for a - b from two independent estimates (MOVER; Zou and Donner 2008, Statistics in Medicine 27:1693).

    Raises:
        ValueError: the intervals are of different levels.
    """
    below, above = _sides(a, a_interval, b, b_interval)
    return Interval(low=a - b - below, high=a - b + above, level=a_interval.level, method="square-and-add")


def mover_p(a: float, a_interval: Interval, b: float, b_interval: Interval, difference: float) -> float:
    """One-sided p-value of a - b <= `difference` against greater, for independent estimates with intervals.

    A normal approximation with the standard error that the intervals imply on the side of `difference`: below
    (1 - level) / 2 exactly where the lower end of `square_and_add` is above `difference`.

    Raises:
        ValueError: the intervals are of different levels, or `difference` is not finite.
    """
    _finite(difference)
    below, above = _sides(a, a_interval, b, b_interval)
    excess = a - b - difference
    z = NormalDist().inv_cdf((1 + a_interval.level) / 2)
    return _tail(excess, (below if excess > 0 else above) / z)


def _sides(a: float, a_interval: Interval, b: float, b_interval: Interval) -> tuple[float, float]:
    """How far below and above a - b its interval reaches."""
    if a_interval.level != b_interval.level:
        raise ValueError(f"intervals of one level are needed, not of {a_interval.level} and {b_interval.level}")
    below = math.hypot(max(0.0, a - a_interval.low), max(0.0, b_interval.high - b))
    return below, math.hypot(max(0.0, a_interval.high - a), max(0.0, b - b_interval.low))


def _tail(excess: float, error: float) -> float:
    """The chance that a normal number of this standard error exceeds `excess`; one half where both are 0."""
    if error > 0:
        return 0.5 * math.erfc(excess / error / math.sqrt(2))
    return 0.5 if excess == 0 else float(excess < 0)


def _check(only_a: float, only_b: float, n: float) -> None:
    if not (n > 0 and only_a >= 0 and only_b >= 0 and only_a + only_b <= n * (1 + 1e-12)):
        raise ValueError(f"paired counts need 0 <= {only_a} + {only_b} <= n and n > 0, not n = {n}")


def _finite(difference: float) -> None:
    if not math.isfinite(difference):
        raise ValueError(f"a difference has to be a finite number, not {difference}")
