"""What right guesses about canaries prove of a training that says how it hides them: by noise on sums over samples.

Of a training with a known mechanism all of its trade-off curve can be held against the guesses, not one (epsilon,
delta) of it, which finds far more (Mahloujifar, Melis and Chaudhuri 2025, Auditing f-differential privacy in one run,
arXiv 2410.22235). What is proven is that the noise was less than some amount: as an epsilon, that of this mechanism
with so much noise. Canaries, guesses and adjacency are as in `statistics.canaries`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.statistics import losses

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPSILONS, _LARGEST = 300, 40.0
_CLOSE = 1e-3
_HALVINGS = 12


@dataclass(frozen=True)
class Mechanism:
    """`steps` noisy sums, each over a sample that takes every record with probability `rate`."""

    rate: float
    steps: int

    def refuted(self, sigma: float, m: int, guesses: int, right: int, confidence: float) -> bool:
        """Whether so many right guesses are too unlikely, by 1 - confidence, for a noise multiplier of `sigma`.

        Raises:
            ValueError: `sigma` is too small for its privacy to be computed.
        """
        both = losses.of_training(self.rate, sigma, self.steps)
        top = min(_LARGEST, max(one.first + one.width * len(one.p) for one in both))
        epsilons = np.linspace(0, top, _EPSILONS)
        return too_unlikely(
            epsilons, losses.deltas(self.rate, sigma, self.steps, epsilons), m, guesses, right, 1 - confidence
        )

    def epsilon(self, sigma: float, delta: float) -> float:
        """The epsilon of this mechanism with so much noise."""
        return losses.epsilon(self.rate, sigma, self.steps, delta)


def too_unlikely(  # noqa: PLR0913, PLR0917 - the curve and the counts
    epsilons: NDArray[np.float64], deltas: NDArray[np.float64], m: int, guesses: int, right: int, chance: float
) -> bool:
    """Whether `right` or more right guesses are less likely than `chance` under (epsilon, delta) for all pairs (E,).

    With p_i the chance of i right guesses, right ones R_c = sum over i >= c of i p_i / m and wrong ones H_c = sum over
    i >= c of (guesses - i) p_i / m, it holds that R_c <= e^epsilon H_(c-1) + delta for every c (theorem 3.2). The least
    chances that let `right` be as likely as `chance` follow from the top down (algorithm 2); where they add up to more
    than 1, it cannot be.
    """
    slopes = np.exp(-epsilons)
    offsets = slopes * deltas
    correct, wrong = chance * right / m, chance * (guesses - right) / m
    for count in range(right - 1, -1, -1):
        least = max(wrong, float((slopes * correct - offsets).max()))
        correct += count / (guesses - count) * (least - wrong)
        wrong = least
        if correct + wrong > guesses / m:
            return True
    return False


def epsilon_bound(  # noqa: PLR0913, PLR0917 - what was claimed, seen and asked
    mechanism: Mechanism, sigma: float, m: int, guesses: int, right: int, delta: float, confidence: float = 0.95
) -> float:
    """The epsilon that training exceeds with this confidence, 0 where the guesses prove nothing.

    Args:
        mechanism: of the training.
        sigma: its noise multiplier, where the search begins.
        m: canaries.
        guesses: how many were guessed, fixed in advance.
        right: how many of these were right.
        delta: at which epsilon is given.
        confidence: of the bound.
    """
    if 2 * right <= guesses:
        return 0.0

    def refuted(some: float) -> bool:
        try:
            return mechanism.refuted(some, m, guesses, right, confidence)
        except ValueError:
            return False

    low = high = sigma
    for _ in range(_HALVINGS):
        if refuted(high):
            break
        low, high = high, 2 * high
    else:
        return 0.0
    for _ in range(_HALVINGS):
        if not refuted(low):
            break
        low, high = low / 2, low
    while high > low * (1 + _CLOSE):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return mechanism.epsilon(high, delta)
