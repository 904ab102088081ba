"""What a private training spends: (epsilon, delta) under adding or removing one training image.

Epsilon is that of `steps` releases of a sum to which each image contributes with probability `rate` (Poisson sampling)
and at most `clip`, plus Gaussian noise of `sigma` x `clip` (Abadi et al. 2016). It is computed by numerical composition
of privacy loss random variables (PRV; Gopi, Lee and Wutschitz 2021), by opacus, as an upper bound.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

from efficiency360.statistics import losses, renyi

_ERROR, _CLOSE = 0.004, 0.003
"""Of epsilon: how coarse the grid of the accountant may be, and how close noise has to come to the target."""
_LOOSE = 0.92
"""Noise for the same epsilon as Renyi divergences ask for, about."""
_FULL = 1 - 1e-7
"""The accountant's formulas divide by 1 - rate."""
_TRIES = 40


@lru_cache(maxsize=512)
def epsilon(rate: float, sigma: float, steps: int, delta: float, error: float = _ERROR) -> float:
    """The epsilon spent, an upper bound that is too high by about `error` x epsilon at most.

    Args:
        rate: probability with which a step takes an image, in (0, 1].
        sigma: noise multiplier, > 0.
        steps: number of steps, >= 1.
        delta: in (0, 1).
        error: how coarse the computation may be, relative to epsilon.

    Raises:
        ValueError: arguments out of range, or beyond what the accountant can compute.
    """
    if not (0 < rate <= 1 and sigma > 0 and math.isfinite(sigma) and steps >= 1 and 0 < delta < 1):
        raise ValueError(f"no training has rate {rate}, sigma {sigma}, {steps} steps and delta {delta}")
    return _prv(rate, sigma, steps, delta, max(error * _near(rate, sigma, steps, delta), 1e-4))


def noise_for(target: float, rate: float, steps: int, delta: float) -> float:
    """The noise multiplier with which a training spends `target`, or up to half a percent less.

    Args:
        target: epsilon, > 0.
        rate: probability with which a step takes an image, in (0, 1].
        steps: number of steps, >= 1.
        delta: in (0, 1).

    Raises:
        ValueError: arguments out of range, or beyond what the accountant can compute.
    """
    if not (target > 0 and math.isfinite(target)):
        raise ValueError(f"no training has an epsilon of {target}")
    sigma, slope = _about(target * (1 - _ERROR - _CLOSE / 2), rate, steps, delta), -1.2
    before: tuple[float, float] | None = None
    for _ in range(_TRIES):  # secants: log epsilon is nearly a straight line in log sigma
        spent = epsilon(rate, sigma, steps, delta)
        if target * (1 - _CLOSE) <= spent <= target:
            return sigma
        here = (math.log(sigma), math.log(spent))
        if before is not None and here[0] != before[0]:
            slope = min(-0.3, max(-4.0, (here[1] - before[1]) / (here[0] - before[0])))
        before = here
        sigma *= math.exp((math.log(target * (1 - _CLOSE / 2)) - here[1]) / slope)
    raise ValueError(f"no noise was found that spends an epsilon of {target:g}")


def _near(rate: float, sigma: float, steps: int, delta: float) -> float:
    """The epsilon spent by other means, to know how fine the computation has to be."""
    try:
        return losses.epsilon(rate, sigma, steps, delta)
    except ValueError:
        return renyi.epsilon(rate, sigma, steps, delta)


def _about(target: float, rate: float, steps: int, delta: float) -> float:
    """The noise multiplier by other means, so that the accountant has to be asked once or twice only."""
    try:
        return losses.noise_for(target, rate, steps, delta)
    except ValueError:
        return _LOOSE * renyi.noise_for(target, rate, steps, delta)


def _prv(rate: float, sigma: float, steps: int, delta: float, eps_error: float) -> float:
    from opacus.accountants import PRVAccountant  # noqa: PLC0415 - half a second, and only where noise is solved for

    accountant = PRVAccountant()
    accountant.history = [(sigma, min(rate, _FULL), steps)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they speak of how large its grid has to be, which it gets wide enough
            return float(accountant.get_epsilon(delta=delta, eps_error=eps_error))
    except (RuntimeError, IndexError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"the accountant cannot tell the epsilon of sigma {sigma:.3g} ({error})") from error
