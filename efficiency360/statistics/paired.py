"""Two models on the same images: bootstrap of a difference, and whether a drop stays within a margin.

Throughout, `a` (N,) and `b` (N,) are a number of each image under either model (right or wrong, a loss), the difference
is a - b, and `groups` (N,) says which group each image is of. Images are resampled, never the models' answers apart,
so what the two have in common cancels. Two models that answered alike so far are not proven to be alike: wherever few
images differ, the interval is at least what the score interval of that few allows (`Floor`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from efficiency360.records import Interval
from efficiency360.statistics.differences import tango, tango_p
from efficiency360.statistics.intervals import LEVEL
from efficiency360.statistics.resampling import means_of_resamples

if TYPE_CHECKING:
    from efficiency360.records import Outcome

Statistic = Callable[[NDArray[np.int64]], float]
FEW = 30
_SPARSE = 5
_LEAST, _MANY = 1e-12, 200


@dataclass(frozen=True)
class Floor:
    """The least that can be unknown of a difference: the score interval of `n` images that gain or lose up to `span`.

    A mean of numbers within [-span, span] varies no more than one of -span, 0 and span with the same mean absolute
    value, so Tango's interval of the `gained` and `lost` shares holds for it (and is Tango's for right and wrong).
    """

    gained: float
    lost: float
    n: float
    span: float

    @staticmethod
    def of(value: float, spread: float, n: float, span: float) -> Floor:
        """For a difference of this value, where `spread` is the mean absolute difference of one image."""
        value, spread = min(max(value / span, -1.0), 1.0), min(spread / span, 1.0)
        spread = max(spread, abs(value))
        return Floor(n * (spread + value) / 2, n * (spread - value) / 2, n, span)

    def interval(self, level: float) -> Interval:
        """The interval in units of the difference."""
        found = tango(self.gained, self.lost, self.n, level)
        return Interval(low=self.span * found.low, high=self.span * found.high, level=level, method="tango")

    def p(self, difference: float) -> float:
        """One-sided p-value of the difference being at most `difference`."""
        return tango_p(self.gained, self.lost, self.n, difference / self.span)


@dataclass(frozen=True)
class Bootstrap:
    """A difference, what it was in each resample (R,), and the least that its interval has to allow for."""

    value: float
    draws: NDArray[np.float64]
    floor: Floor | None = None

    def interval(self, level: float = LEVEL) -> Interval:
        """Percentile interval (Efron and Tibshirani 1993, ch. 13), widened to hold the value and the floor's."""
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        ends = [(float(low), float(high)), (self.value, self.value)]
        if self.floor is not None:
            least = self.floor.interval(level)
            ends.append((least.low, least.high))
        method = "bootstrap" if self.floor is None else "bootstrap, widened"
        return Interval(low=min(e[0] for e in ends), high=max(e[1] for e in ends), level=level, method=method)

    def p(self, difference: float) -> float:
        """One-sided p-value of the true difference being at most `difference`; never 0.

        The share of resamples at or below it, itself counted; where there is none, what a normal number of their
        spread says, if that is less: many comparisons need smaller ones than resamples can show. At least one half
        where the value is, and at least what the floor says.
        """
        below = int(np.count_nonzero(self.draws <= difference))
        share = (1 + below) / (1 + len(self.draws))
        if not below and len(self.draws) >= _MANY and (spread := float(self.draws.std())) > 0:
            share = min(share, max(NormalDist().cdf((difference - self.value) / spread), _LEAST))
        least = self.floor.p(difference) if self.floor is not None else 0.0
        return max(share, least, 0.5 if self.value <= difference else 0.0)


def paired_bootstrap(
    statistic: Statistic, n: int, *, rng: np.random.Generator, resamples: int = 2000, span: float = 1.0
) -> Bootstrap:
    """Bootstrap any difference of two models.

    Args:
        statistic: maps positions of images (n,), which may repeat, to a difference of -span to span.
        n: number of images, > 0.
        rng: where random numbers come from.
        resamples: how many.
        span: the largest difference possible; one image is taken to move it by span / n at most. Used where fewer than
            30 images, or resamples that are all alike, say too little.
    """
    value = statistic(np.arange(n))
    draws = np.array([statistic(rng.integers(0, n, n)) for _ in range(resamples)])
    alike = float(np.ptp(draws)) <= 1e-9 * span  # what rounding leaves of no difference
    floor = Floor.of(value, span if n < FEW else 0.0, n, span) if alike or n < FEW else None
    return Bootstrap(value, draws, floor)


def mean_difference(
    a: NDArray[np.floating] | NDArray[np.bool_],
    b: NDArray[np.floating] | NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    span: float = 1.0,
) -> Bootstrap:
    """Bootstrap the mean of a - b.

    `span`: how far apart an image's two numbers can be, if more than is seen; used only where few images differ.
    """
    d = a.astype(np.float64) - b
    return _of_means(d, float(d.mean()), np.ones(len(d)), rng, resamples, span_of(a, b, span))


def group_means_difference(  # noqa: PLR0913 - resampling has its own three
    a: NDArray[np.floating] | NDArray[np.bool_],
    b: NDArray[np.floating] | NDArray[np.bool_],
    groups: NDArray[np.int64],
    *,
    rng: np.random.Generator,
    resamples: int = 2000,
    span: float = 1.0,
) -> Bootstrap:
    """Bootstrap the difference of the mean over groups of each group's mean, as of balanced accuracy.

    Images are resampled over all groups at once, each with the fixed weight of its group and as its deviation from the
    group's own mean: the variance is that of resampling within groups, no group can vanish, and one image alone does
    not count as certain. Groups of fewer than five images share one mean (as in `intervals.mean_recall`), with all
    images if they are fewer than five together; deviations are scaled by sqrt(n / (n - 1)) so that small groups' are
    not too small.
    """
    d = a.astype(np.float64) - b
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    shares = len(d) / (len(counts) * counts[number])
    value = float(np.mean(shares * d))
    residual = _residuals(d, shares, number, counts, value)
    return _of_means(value + shares * residual, value, shares, rng, resamples, span_of(a, b, span), d)


def _residuals(
    d: NDArray[np.float64],
    shares: NDArray[np.float64],
    number: NDArray[np.int64],
    counts: NDArray[np.int64],
    value: float,
) -> NDArray[np.float64]:
    """Each image's deviation from its group's mean, or from that of all sparse groups."""
    means = np.bincount(number, d) / counts
    sizes = counts.astype(np.float64)
    few = (counts < _SPARSE)[number]
    if (sparse := int(few.sum())) >= _SPARSE:
        means[counts < _SPARSE], sizes[counts < _SPARSE] = np.average(d[few], weights=shares[few]), sparse
    elif sparse:
        means[counts < _SPARSE], sizes[counts < _SPARSE] = value, max(len(d), 2)
    residual: NDArray[np.float64] = (d - means[number]) * np.sqrt(sizes / (sizes - 1))[number]
    return residual


def span_of(a: NDArray[np.generic], b: NDArray[np.generic], span: float) -> float:
    """At least `span`, and what the numbers show."""
    return max(span, float(max(a.max(), b.max())) - float(min(a.min(), b.min())))


def _of_means(  # noqa: PLR0913, PLR0917 - private, every one is needed
    parts: NDArray[np.float64],
    value: float,
    shares: NDArray[np.float64],
    rng: np.random.Generator,
    resamples: int,
    span: float,
    d: NDArray[np.float64] | None = None,
) -> Bootstrap:
    """Bootstrap a mean of `parts` (N,); the floor is that of `d` weighted by `shares`, which have mean 1."""
    d = parts if d is None else d
    differing = shares[d != 0]
    effective = len(d) / float(np.mean(shares**2))
    telling = float(differing.sum() ** 2 / (differing**2).sum()) if len(differing) else 0.0
    draws = value + _expansion(effective) * (means_of_resamples(parts, rng, resamples) - value)
    if min(telling, effective) >= FEW:
        return Bootstrap(value, draws)
    behind = min(effective, telling / float(differing.sum() / len(d))) if telling else effective
    return Bootstrap(value, draws, Floor.of(value, float(np.mean(shares * np.abs(d))), behind, span))


def _expansion(n: float) -> float:
    """How much wider than resampling shows: what Student's interval is to it (Hesterberg 2015, Am. Stat. 69:371)."""
    freedom = max(n - 1, 1.0)
    return math.sqrt(1 + 1 / freedom) * (1 + (NormalDist().inv_cdf((1 + LEVEL) / 2) ** 2 + 1) / (4 * freedom))


def decide(drop: Interval, margin: float) -> Outcome:
    """Whether a drop stays within a margin: pass if all of its interval does, fail if none of it, else inconclusive.

    Raises:
        ValueError: the margin is negative or not finite.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise ValueError(f"a margin has to be a finite number of at least 0, not {margin}")
    if drop.high <= margin:
        return "pass"
    return "fail" if drop.low > margin else "inconclusive"
