"""How many images would settle a question, and how likely a number of images is to settle it.

All take the numbers as found for the true ones, so they are as uncertain as those. None stands for "no number of images
will do": the truth is on the limit itself, or more than a billion would be needed.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from efficiency360.statistics.differences import score_variance
from efficiency360.statistics.intervals import LEVEL

_MOST = 10**9
_NORMAL = NormalDist()


def images_for_limit(p: float, limit: float, *, power: float = 0.8, level: float = LEVEL) -> int | None:
    """How many images until Wilson's interval of a proportion that is truly `p` leaves out `limit`.

    The score test's sample size (Fleiss, Levin and Paik 2003, sec. 2.5) with continuity correction, so that the exact
    power is seldom below the one asked for.

    Args:
        p: the true proportion, 0 to 1.
        limit: what it is compared with, 0 to 1.
        power: the chance that so many images suffice, in (0, 1).
        level: confidence level of the interval, in (0, 1).

    Raises:
        ValueError: p or limit out of range.
    """
    _within(0, 1, p=p, limit=limit)
    distance = abs(p - limit)
    if distance == 0:
        return None
    if limit in (0, 1):  # a single image on the other side refutes it
        return _whole(math.log(1 - power) / math.log1p(-distance) if distance < 1 else 1)
    n = _needed(limit * (1 - limit), p * (1 - p), distance, power, level)
    return _whole(n / 4 * (1 + math.sqrt(1 + 2 / (n * distance))) ** 2 if 0 < p < 1 else n)


def images_for_margin(
    drop: float, discordance: float, margin: float, *, power: float = 0.8, level: float = LEVEL
) -> int | None:
    """How many paired images until Tango's interval of a drop lies wholly on that side of `margin` where the drop is.

    The score test's variance on the margin is never 0 unless the margin is, so that models that agreed on all images so
    far do not count as alike: discordance 0 and margin 0.01 need 381 images for a level of 0.95.

    Args:
        drop: the true difference of proportions, -1 to 1.
        discordance: share of images on which exactly one is right, 0 to 1; at least the drop's size.
        margin: the difference allowed, -1 to 1.
        power: the chance that so many images suffice, in (0, 1).
        level: confidence level of the interval, in (0, 1).

    Raises:
        ValueError: numbers out of range.
    """
    on_margin, true = _variances(drop, discordance, margin)
    if drop == margin:
        return None
    return _whole(_needed(on_margin, true, abs(drop - margin), power, level))


def power_of_margin(drop: float, discordance: float, margin: float, n: int, level: float = LEVEL) -> float:
    """The chance that Tango's interval of `n` images lies wholly on that side of `margin` where the drop is.

    (1 - level) / 2, about, for a drop on the margin. Arguments as in `images_for_margin`.

    Raises:
        ValueError: numbers out of range, or n < 1.
    """
    on_margin, true = _variances(drop, discordance, margin)
    if n < 1:
        raise ValueError(f"power needs at least one image, not {n}")
    excess = abs(drop - margin) * math.sqrt(n) - _NORMAL.inv_cdf((1 + level) / 2) * math.sqrt(on_margin)
    return _NORMAL.cdf(excess / math.sqrt(true)) if true > 0 else float(excess > 0)


def _variances(drop: float, discordance: float, margin: float) -> tuple[float, float]:
    """An image's variance as the score test on the margin sees it, and the true one."""
    _within(-1, 1, drop=drop, margin=margin)
    _within(0, 1, discordance=discordance)
    discordance = max(discordance, abs(drop))
    lost, gained = (discordance + drop) / 2, (discordance - drop) / 2
    return score_variance(lost, gained, 1.0, margin), max(0.0, discordance - drop**2)


def images_for_mean(effect: float, sd: float, *, power: float = 0.8, level: float = LEVEL) -> int | None:
    """How many images until the interval of a mean leaves out a number `effect` away from the truth.

    Guenther's (1981, The American Statistician 35:243) formula for Student's test; at least 2.

    Args:
        effect: the distance, in the unit of the values; None for 0.
        sd: standard deviation of one image's value, >= 0.
        power: the chance that so many images suffice, in (0, 1).
        level: confidence level of the interval, in (0, 1).

    Raises:
        ValueError: a number is not finite, or sd < 0.
    """
    _within(-math.inf, math.inf, effect=effect)
    _within(0, math.inf, sd=sd)
    if effect == 0:
        return None
    z = _NORMAL.inv_cdf((1 + level) / 2)
    n = _whole(_needed(sd**2, sd**2, abs(effect), power, level) + z**2 / 2)
    return n and max(n, 2)


def more_by_width(
    width_now: float, n_now: int, distance: float, *, power: float = 0.8, level: float = LEVEL
) -> int | None:
    """How many images until an interval of half-width `width_now` at `n_now` leaves out a number `distance` away.

    For anything whose interval shrinks with 1 / sqrt(n).

    Raises:
        ValueError: a number is not finite, or the width or n is negative.
    """
    _within(0, math.inf, width_now=width_now, n_now=n_now)
    _within(-math.inf, math.inf, distance=distance)
    if distance == 0:
        return None
    ratio = 1 + _NORMAL.inv_cdf(power) / _NORMAL.inv_cdf((1 + level) / 2)
    return _whole(n_now * _squared(width_now * ratio, distance))


def _needed(variance_there: float, variance: float, distance: float, power: float, level: float) -> float:
    """The score test's sample size for a distance, with an image's variance there and in truth."""
    z, z_power = _NORMAL.inv_cdf((1 + level) / 2), _NORMAL.inv_cdf(power)
    return _squared(z * math.sqrt(variance_there) + z_power * math.sqrt(variance), distance)


def _squared(width: float, distance: float) -> float:
    """(width / distance)^2, infinite where that is too large to compute."""
    try:
        return float((width / distance) ** 2)
    except OverflowError:
        return math.inf


def _whole(n: float) -> int | None:
    return max(1, math.ceil(n - 1e-9)) if n <= _MOST else None


def _within(low: float, high: float, **numbers: float) -> None:
    for name, number in numbers.items():
        if not (math.isfinite(number) and low <= number <= high):
            raise ValueError(f"{name} has to be a number from {low} to {high}, not {number}")
