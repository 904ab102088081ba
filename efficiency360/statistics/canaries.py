"""What the guesses of a one-run audit prove of epsilon (Steinke, Nasr and Jagielski 2023, arXiv 2305.08846).

Each of `m` canaries was included in the training by a fair coin of its own. The auditor names some as included and some
as left out, a number fixed in advance, and abstains on the others; `right` of `guesses` are right. Adjacency is adding
or removing one canary.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = 40.0
_STEPS = 60
_PER_ROOT = 2.0


def guesses_each_way(m: int) -> int:
    """How many of m >= 1 canaries are guessed in, and as many out: 2 sqrt(m), at most half of them.

    Few guesses are the surest, but prove little even if all are right; this is near the best for Gaussian noise and
    epsilons of 1 to 8, and known before anything is seen.
    """
    return max(1, min(m // 2, round(_PER_ROOT * math.sqrt(m))))


def right_guesses(scores: NDArray[np.float64], included: NDArray[np.bool_], each_way: int) -> int:
    """How many guesses are right: the highest scores (m,) are guessed in, the lowest out, `each_way` of either.

    Raises:
        ValueError: scores are NaN, or there are fewer than twice as many canaries.
    """
    if np.isnan(scores).any() or len(scores) != len(included) or 2 * each_way > len(scores) or each_way < 1:
        raise ValueError("the scores of the canaries do not fit their number, or are NaN")
    order = np.argsort(scores, kind="stable")
    return int(included[order[-each_way:]].sum() + (~included[order[:each_way]]).sum())


def p_value(m: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """The largest chance of at least so many right guesses for any (epsilon, delta)-private training.

    Theorem 5.2: with f(v) = P(B >= v) of a binomial B of the guesses at e^epsilon / (1 + e^epsilon), it is
    f(right) + 2 m delta max_i (f(right - i) - f(right)) / i.

    Raises:
        ValueError: not 0 <= right <= guesses <= m, epsilon below 0, or delta outside of [0, 1].
    """
    if not (0 <= right <= guesses <= m and epsilon >= 0 and 0 <= delta <= 1):
        raise ValueError("an audit needs 0 <= right <= guesses <= m, epsilon >= 0 and delta in [0, 1]")
    chances = _binomial(guesses, epsilon)
    tail = float(chances[right:].sum())
    below = np.cumsum(chances[:right][::-1])
    slope = float((below / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, tail + 2 * m * delta * slope)


def _binomial(n: int, epsilon: float) -> NDArray[np.float64]:
    """P(B = k), k = 0 to n, for a chance of e^epsilon / (1 + e^epsilon), by logarithms."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    k = np.arange(n + 1)
    ways = factorials[n] - factorials - factorials[::-1]
    logs = ways - k * math.log1p(math.exp(-epsilon)) - (n - k) * (epsilon + math.log1p(math.exp(-epsilon)))
    chances: NDArray[np.float64] = np.exp(logs)
    return chances


def epsilon_bound(m: int, guesses: int, right: int, delta: float, confidence: float = 0.95) -> float:
    """The epsilon that training exceeds with this confidence; 0 where the guesses prove nothing.

    The p-value grows with epsilon: bisection for where it is 1 - confidence, at most 40, rounded down.
    """
    low, high = 0.0, _LARGEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if p_value(m, guesses, right, middle, delta) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low
