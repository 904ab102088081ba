"""Rank tests and Hodges-Lehmann intervals of shifts, for values without a known distribution (latencies, losses).

Tests are exact by counting, ties included, where that takes no more than a few million additions: the two samples'
smaller size times the size of both up to 3,000, or up to 60 differences from zero. Beyond, they use the normal
approximation with corrections for ties and continuity. Shifts are found by bisection over counts of sorted values, so
thousands of values take milliseconds and no memory for all pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT_PRODUCT = 3000
_EXACT_DIFFERENCES = 60


def mann_whitney(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Two-sided p-value of two independent samples (n,) and (m,) being alike (Mann and Whitney 1947).

    Raises:
        ValueError: a sample is empty or holds NaN.
    """
    _check(a, b)
    if len(b) < len(a):
        a, b = b, a
    n, m = len(a), len(b)
    ranks, ties = _doubled_ranks(np.concatenate([a, b]))
    found = int(ranks[:n].sum())
    if n * (n + m) <= _EXACT_PRODUCT:
        return _two_sided(_subset_sums(ranks, n), found)
    u = found / 2 - n * (n + 1) / 2
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    return _normal(u - n * m / 2, variance)


def signed_rank(differences: NDArray[np.float64]) -> float:
    """Two-sided p-value of differences (n,) being symmetric about 0 (Wilcoxon 1945); those of 0 are dropped.

    1 where none is left.

    Raises:
        ValueError: there is no difference, or one is NaN.
    """
    _check(differences)
    d = differences[differences != 0]
    n = len(d)
    if not n:
        return 1.0
    ranks, ties = _doubled_ranks(np.abs(d))
    found = int(ranks[d > 0].sum())
    if n <= _EXACT_DIFFERENCES:
        return _two_sided(_sign_sums(ranks), found)
    return _normal(found / 2 - n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24 - ties / 48)


def _check(*samples: NDArray[np.float64]) -> None:
    if not all(len(sample) for sample in samples) or any(np.isnan(sample).any() for sample in samples):
        raise ValueError("rank statistics need at least one value in each sample, and no NaN")


def _doubled_ranks(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    """Twice the rank of each value from 1, those of ties shared; and the sum over ties of t^3 - t."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (2 * last - counts + 1)[group], int(np.sum(counts.astype(np.float64) ** 3 - counts))


def _subset_sums(ranks: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """The chance of each sum of ranks, over all choices of `size` of them."""
    ways = np.zeros((size + 1, int(np.sort(ranks)[-size:].sum()) + 1))
    ways[0, 0] = 1
    for rank in ranks.tolist():
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    chances: NDArray[np.float64] = ways[size] / ways[size].sum()
    return chances


def _sign_sums(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chance of each sum of the ranks with a plus, over all signs."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1
    for rank in ranks.tolist():
        chances[rank:] += chances[: len(chances) - rank].copy()
        chances /= 2
    return chances


def _two_sided(chances: NDArray[np.float64], found: int) -> float:
    return min(1.0, 2 * min(float(chances[: found + 1].sum()), float(chances[found:].sum())))


def _normal(excess: float, variance: float) -> float:
    """Two-sided p-value with continuity correction; 1 where all values are tied."""
    if variance <= 0:
        return 1.0
    return min(1.0, math.erfc(max(0.0, abs(excess) - 0.5) / math.sqrt(2 * variance)))


def shift(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The median of all differences of a value of a from one of b (Hodges and Lehmann 1963).

    Raises:
        ValueError: a sample is empty or holds NaN.
    """
    _check(a, b)
    return _Pairs.of(a, b).median()


def shift_interval(a: NDArray[np.float64], b: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """Interval for the shift of a from b: between two of their ordered differences (Hollander and Wolfe 1999, 4.3).

    It holds the shifts that Mann and Whitney's test does not refuse. None where the samples are too small for the level
    (two of three values give at most 90 %).

    Raises:
        ValueError: a sample is empty or holds NaN.
    """
    _check(a, b)
    n, m = sorted((len(a), len(b)))
    if n * (n + m) <= _EXACT_PRODUCT:
        sums = _subset_sums(2 * np.arange(1, n + m + 1), n)[n * (n + 1) :: 2]
        rank = _rank(sums, level)
    else:
        rank = _normal_rank(n * m, n * m * (n + m + 1) / 12, level)
    return _between(_Pairs.of(a, b), rank, level)


def centre(differences: NDArray[np.float64]) -> float:
    """The median of the means of all pairs of differences (n,), each with itself too (Hodges and Lehmann 1963).

    Raises:
        ValueError: there is no difference, or one is NaN.
    """
    _check(differences)
    return _Pairs.of(differences).median() / 2


def centre_interval(differences: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """Interval for the centre of symmetric differences (n,): between two ordered Walsh averages (Tukey 1949).

    None where they are too few for the level (fewer than six for 95 %).

    Raises:
        ValueError: there is no difference, or one is NaN.
    """
    _check(differences)
    n = len(differences)
    if n <= _EXACT_DIFFERENCES:
        rank = _rank(_sign_sums(np.arange(1, n + 1)), level)
    else:
        rank = _normal_rank(n * (n + 1) // 2, n * (n + 1) * (2 * n + 1) / 24, level)
    found = _between(_Pairs.of(differences), rank, level)
    return found and found.model_copy(update={"low": found.low / 2, "high": found.high / 2})


def _rank(chances: NDArray[np.float64], level: float) -> int:
    """The largest r with a chance of at most (1 - level) / 2 to be below r."""
    return int(np.searchsorted(np.cumsum(chances), (1 - level) / 2 + 1e-12, side="right"))


def _normal_rank(pairs: int, variance: float, level: float) -> int:
    return math.floor((pairs + 1) / 2 - NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance))


def _between(pairs: _Pairs, rank: int, level: float) -> Interval | None:
    if rank < 1:
        return None
    low, high = pairs.nth(rank), pairs.nth(len(pairs) + 1 - rank)
    return Interval(low=low, high=high, level=level, method="hodges-lehmann")


@dataclass(frozen=True)
class _Pairs:
    """All differences of a value of `a` from one of `b`, both sorted; or all sums of two of `a`, each pair once."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    sums: bool

    @staticmethod
    def of(a: NDArray[np.float64], b: NDArray[np.float64] | None = None) -> _Pairs:
        a = np.sort(a.astype(np.float64))
        return _Pairs(a, -a[::-1] if b is None else np.sort(b.astype(np.float64)), sums=b is None)

    def __len__(self) -> int:
        return len(self.a) * (len(self.a) + 1) // 2 if self.sums else len(self.a) * len(self.b)

    def median(self) -> float:
        return (self.nth((len(self) + 1) // 2) + self.nth(len(self) // 2 + 1)) / 2

    def nth(self, rank: int) -> float:
        """The rank-th smallest, from 1: bisection over how many are at most so large, then the nearest below."""
        low, high = float(self.a[0] - self.b[-1]), float(self.a[-1] - self.b[0])
        slack = 1e-12 * max(abs(low), abs(high))
        for _ in range(60):
            if high - low <= slack / 4:
                break
            middle = (low + high) / 2
            low, high = (low, middle) if self._at_most(middle) >= rank else (middle, high)
        first = np.searchsorted(self.b, self.a - (high + slack))
        some = first < len(self.b)
        return float((self.a[some] - self.b[first[some]]).max())

    def _at_most(self, x: float) -> int:
        ordered = len(self.a) * len(self.b) - int(np.searchsorted(self.b, self.a - x).sum())
        return (ordered + int(np.count_nonzero(2 * self.a <= x))) // 2 if self.sums else ordered
