"""What noisy sums over Poisson samples hide: their privacy loss, added up over steps by Fourier transforms. Numpy only.

The loss of an outcome is the logarithm of how much likelier it is with a record than without. Its distribution gives
the least delta for every epsilon, and so all that anybody can tell from what was released (Sommer, Meiser and Mohammadi
2019; Koskela, Jalko and Honkela 2020). Losses lie on a grid such that delta is never too small (Doroshenko et al. 2022,
connect the dots).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REACH = 13.0
"""Standard deviations of noise beyond which nothing is looked for."""
_PER_DEVIATION, _MOST_CELLS = 16, 1 << 17
"""Cells of the grid in a standard deviation of a step's loss, if there are no more than so many in all."""
_LOST = math.log(1e-12)
"""Logarithm of the chance with which the sum of losses may leave the grid, on either side."""
_NEVER = 1e-25
"""Chance of a cell in one step below which nothing of it is seen in all."""
_MOST_SUMS = 1 << 22
_MOST = 700.0
"""The largest number whose exponential is one."""
_CLOSE, _MOST_NOISE = 5e-4, 1e6


@dataclass(frozen=True)
class Losses:
    """Chances `p` (N,) of losses from `first` on, `width` apart."""

    p: NDArray[np.float64]
    first: float
    width: float

    def deltas(self, epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
        """The least delta for each epsilon >= 0 (E,): the sum over losses above it of p (1 - e^(epsilon - loss))."""
        at = self.first + self.width * np.arange(len(self.p))
        above = np.concatenate([np.cumsum(self.p[::-1])[::-1], [0.0]])
        weighed = np.concatenate([np.cumsum((self.p * np.exp(-at.clip(0)))[::-1])[::-1], [0.0]])
        rows = np.searchsorted(at, epsilons, side="right")
        found: NDArray[np.float64] = (above[rows] - np.exp(epsilons.clip(0, _MOST)) * weighed[rows]).clip(0, 1)
        return found


@lru_cache(maxsize=256)
def of_training(rate: float, sigma: float, steps: int) -> tuple[Losses, Losses]:
    """The losses of `steps` noisy sums, of a record that is removed and of one that is added.

    Args:
        rate: probability with which a step takes a record, in (0, 1].
        sigma: standard deviation of the noise, in units of what a record can add, > 0.
        steps: number of steps, >= 1.
    """
    removed, added = (_composed(_step(rate, sigma, added=one), steps) for one in (False, True))
    return removed, added


def deltas(rate: float, sigma: float, steps: int, epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The least delta for each epsilon >= 0 (E,), under adding or removing one record."""
    removed, added = of_training(rate, sigma, steps)
    return np.maximum(removed.deltas(epsilons), added.deltas(epsilons))


def epsilon(rate: float, sigma: float, steps: int, delta: float) -> float:
    """The least epsilon for a delta in (0, 1), under adding or removing one record, by bisection; infinite if none."""
    low, high = 0.0, max(one.first + one.width * len(one.p) for one in of_training(rate, sigma, steps))
    if deltas(rate, sigma, steps, np.array([high]))[0] > delta:
        return math.inf
    for _ in range(50):
        middle = (low + high) / 2
        if deltas(rate, sigma, steps, np.array([middle]))[0] > delta:
            low = middle
        else:
            high = middle
    return high


def noise_for(target: float, rate: float, steps: int, delta: float) -> float:
    """The least noise multiplier, to half a thousandth, with which a training spends an epsilon of `target` > 0.

    Raises:
        ValueError: its privacy cannot be computed, or no noise is enough.
    """
    low = high = 1.0
    while epsilon(rate, high, steps, delta) > target:
        low, high = high, 2 * high
        if high > _MOST_NOISE:
            raise ValueError(f"no noise keeps epsilon below {target} at delta {delta}")
    while low == high or epsilon(rate, low, steps, delta) <= target:
        low, high = low / 2, low
    while high > low * (1 + _CLOSE):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if epsilon(rate, middle, steps, delta) <= target else (middle, high)
    return high


def _step(rate: float, sigma: float, *, added: bool) -> Losses:
    """One step: what is seen is N(0, sigma^2) without the record, and with it N(1, sigma^2) with probability `rate`."""
    seen = np.linspace(-_REACH * sigma, 1 + _REACH * sigma, 4001)
    losses = _loss(seen, rate, sigma)
    weights = _normal(seen, sigma) * (1 if added else np.exp(losses))
    deviation = math.sqrt(
        float((weights * losses**2).sum() / weights.sum() - ((weights * losses).sum() / weights.sum()) ** 2)
    )
    width = max(deviation / _PER_DEVIATION, float(losses[-1] - losses[0]) / _MOST_CELLS)
    edges = width * np.arange(math.floor(losses[0] / width), math.ceil(losses[-1] / width) + 1)
    cuts = np.concatenate([[-np.inf], _seen_at(edges[1:-1], rate, sigma), [np.inf]])
    without, shifted = np.diff(_below(cuts / sigma)), np.diff(_below((cuts - 1) / sigma))
    mixed = (1 - rate) * without + rate * shifted
    if added:
        return _dotted(without[::-1], mixed[::-1], -edges[::-1], width)
    return _dotted(mixed, without, edges, width)


def _dotted(p: NDArray[np.float64], q: NDArray[np.float64], edges: NDArray[np.float64], width: float) -> Losses:
    """Chances at the edges (C + 1,) of cells with chances p (C,) with the record and q (C,) without it, both kept."""
    low = ((q * np.exp(edges[1:]) - p) / math.expm1(width)).clip(0, p)
    found = np.zeros(len(edges))
    found[:-1] += low
    found[1:] += p - low
    return Losses(found, float(edges[0]), width)


def _composed(step: Losses, steps: int) -> Losses:
    """The sum of so many independent losses; what leaves the grid is less likely than 1e-12."""
    at = step.first + step.width * np.arange(len(step.p), dtype=np.float64)
    low, high = -_reach(step.p, -at, steps), _reach(step.p, at, steps)
    first = max(math.floor(low / step.width), round(step.first / step.width) * steps)
    size = 1 << max(4, math.ceil(math.log2(high / step.width - first + 2)))
    if size > _MOST_SUMS:
        raise ValueError(f"the losses of {steps} steps do not fit a grid that is fine enough")
    ring = np.zeros(size)
    np.add.at(ring, (np.arange(len(step.p)) + round(step.first / step.width)) % size, step.p)
    summed = np.fft.irfft(np.fft.rfft(ring) ** steps, size).clip(0)
    return Losses(np.roll(summed, -(first % size)), first * step.width, step.width)


def _reach(p: NDArray[np.float64], at: NDArray[np.float64], steps: int) -> float:
    """What the sum of so many losses exceeds with a chance of 1e-12 at most (Chernoff's bound)."""
    mean = float((p * at).sum())
    deviation = math.sqrt(max(float((p * (at - mean) ** 2).sum()), 1e-300))
    seen = p > _NEVER
    logs, at = np.log(p[seen]), at[seen]
    bounds = []
    for slope in np.geomspace(0.005, 30, 40) / (deviation * math.sqrt(steps)):
        grown = logs + slope * at
        top = float(grown.max())
        bounds.append((steps * (top + math.log(float(np.exp(grown - top).sum()))) - _LOST) / slope)
    return float(min(bounds))


def _loss(seen: NDArray[np.float64], rate: float, sigma: float) -> NDArray[np.float64]:
    """The logarithm of how much likelier it is to see this with the record than without."""
    full = (2 * seen - 1) / (2 * sigma**2)
    return full if rate == 1 else np.logaddexp(math.log1p(-rate), math.log(rate) + full)


def _seen_at(losses: NDArray[np.float64], rate: float, sigma: float) -> NDArray[np.float64]:
    """What has these losses; the inverse of `_loss`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        full = losses if rate == 1 else losses + np.log1p(-(1 - rate) * np.exp(-losses)) - math.log(rate)
    return np.where(np.isnan(full), -np.inf, full) * sigma**2 + 0.5


def _normal(seen: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    density: NDArray[np.float64] = np.exp(-((seen / sigma) ** 2) / 2)
    return density


def _below(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard normal distribution function."""
    return np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in z.tolist()])
