"""Shares of groups and their largest gap, from counts of cells: intervals, resamples and permutations touch no rows.

A gap is the largest share less the smallest. Several families of shares (true and false positive rates, or those of
several classes) are compared at once: their gap is the largest of their gaps, and one factor serves all pairs of all
families, so that the interval holds for whichever pair turns out to be the worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL, wilson
from efficiency360.statistics.multiplicity import max_t

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_EDGE = 1e-9


@dataclass(frozen=True)
class Shares:
    """Of each group (G,) how many units `n` it has, and of how many of them something holds (`hits`)."""

    hits: NDArray[np.int64]
    n: NDArray[np.int64]

    @staticmethod
    def of(holds: NDArray[np.bool_], groups: NDArray[np.int64], count: int) -> Shares:
        """Count what holds (N,) by group (N,), of which there are `count`."""
        return Shares(np.bincount(groups[holds], minlength=count), np.bincount(groups, minlength=count))

    @property
    def known(self) -> NDArray[np.bool_]:
        """The groups (G,) that have a share at all: no unit is not a share of 0."""
        return self.n > 0

    @property
    def rates(self) -> NDArray[np.float64]:
        """Each group's share (G,), NaN where it has no unit."""
        return np.where(self.known, self.hits / np.maximum(self.n, 1), np.nan)

    @property
    def comparable(self) -> bool:
        """Whether at least two groups have a share."""
        return int(self.known.sum()) > 1

    @property
    def gap(self) -> float:
        """The largest less the smallest share; 0 for fewer than two groups."""
        rates = self.rates[self.known]
        return float(np.ptp(rates)) if len(rates) > 1 else 0.0

    @property
    def lowest(self) -> int:
        """The group with the smallest share; the first of several."""
        return int(np.nanargmin(self.rates))

    @property
    def highest(self) -> int:
        """The group with the largest share; the first of several."""
        return int(np.nanargmax(self.rates))

    def without_empty(self) -> Shares:
        """Only the groups that have a share."""
        return Shares(self.hits[self.known], self.n[self.known])


def worst_family(families: Sequence[Shares]) -> int:
    """The family with the largest gap; the first of several."""
    return int(np.argmax([family.gap for family in families]))


def simultaneous_gap(
    families: Sequence[Shares], *, rng: np.random.Generator, resamples: int = 1000, level: float = LEVEL
) -> Interval:
    """Interval for the largest gap of any family; its low end is 0 where all groups may be alike.

    As `multiplicity.largest_gap`, but from counts and for several families: a studentized range with unequal numbers
    (Games and Howell 1976), its quantile simulated over all pairs of all families. No group's variance counts as less
    than the pooled one of its family, so that a small group without an error is not certain.

    Args:
        families: shares of groups; groups without a unit are left out.
        rng: where random numbers come from.
        resamples: how often the range is simulated.
        level: confidence level in (0, 1).
    """
    compared = [family.without_empty() for family in families]
    compared = [family for family in compared if len(family.n) > 1]
    if not compared:
        return Interval(low=0.0, high=0.0, level=level, method="simultaneous")
    errors = [_errors(family) for family in compared]
    largest = np.zeros(resamples)
    for family, error in zip(compared, errors, strict=True):
        student = rng.standard_t(family.n, size=(resamples, len(error))) * error
        for one, of_pair in _pairs(error):
            np.maximum(largest, (np.abs(student[:, one + 1 :] - student[:, [one]]) / of_pair).max(axis=1), out=largest)
    factor = float(np.quantile(largest, level))
    low, high = 0.0, max(family.gap for family in compared)
    for family, error in zip(compared, errors, strict=True):
        for one, of_pair in _pairs(error):
            gaps = np.abs(family.rates[one + 1 :] - family.rates[one])
            low = max(low, float((gaps - factor * of_pair).max()))
            high = max(high, float((gaps + factor * of_pair).max()))
    return Interval(low=low, high=min(high, 1.0), level=level, method="simultaneous")


def _pairs(errors: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Each group but the last, and the standard errors of its differences from those after it."""
    for one in range(len(errors) - 1):
        yield one, np.hypot(errors[one], errors[one + 1 :])


def _errors(shares: Shares) -> NDArray[np.float64]:
    """Standard error of each group's share, from its own variance or the pooled one if that is larger."""
    squares, total = shares.n * shares.rates * (1 - shares.rates), int(shares.n.sum())
    pooled = max(float(squares.sum()) / max(1, total - len(squares)), 0.5 / (total + 1))
    error: NDArray[np.float64] = np.sqrt(np.maximum((squares + pooled) / shares.n, pooled) / shares.n)
    return error


def lowest_share(shares: Shares, level: float = LEVEL) -> Interval:
    """Interval for the smallest true share of the groups, from Wilson intervals that hold for all groups together."""
    kept = shares.without_empty()
    each = 1 - (1 - level) / len(kept.n)  # Bonferroni
    found = [wilson(hits, n, each) for hits, n in zip(kept.hits.tolist(), kept.n.tolist(), strict=True)]
    value = float(kept.rates.min())
    low, high = min(one.low for one in found), min(one.high for one in found)
    return Interval(low=min(low, value), high=max(high, value), level=level, method="wilson, for all groups together")


def resampled_rates(shares: Shares, *, rng: np.random.Generator, resamples: int = 1000) -> NDArray[np.float64]:
    """The shares (R, G) in resamples of all units: how often each cell (group, hit or not) is drawn, not which rows.

    NaN where a resample holds no unit of a group.
    """
    cells = np.concatenate([shares.hits, shares.n - shares.hits])
    drawn = rng.multinomial(int(cells.sum()), cells / cells.sum(), size=resamples)
    hits, misses = drawn[:, : len(shares.n)], drawn[:, len(shares.n) :]
    with np.errstate(invalid="ignore"):
        rates: NDArray[np.float64] = hits / (hits + misses)
    return rates


def smallest_ratio(
    shares: Shares, *, rng: np.random.Generator, resamples: int = 1000, level: float = LEVEL
) -> tuple[float, Interval]:
    """The smallest share over the largest (1: all alike; 0 where one is 0), with an interval that can reach 1.

    The interval is from max-t intervals (Romano and Wolf 2005) of all pairs' log ratios over resampled counts; a share
    of 0 counts as half a unit, so that it has a logarithm.
    """
    kept = shares.without_empty()
    top = float(kept.rates.max())
    value = float(kept.rates.min()) / top if top > 0 else 1.0
    if len(kept.n) < 2 or top == 0:  # noqa: PLR2004 - nothing to compare
        return value, Interval(low=0.0 if top == 0 else 1.0, high=1.0, level=level, method="max-t")
    floor = 0.5 / (kept.n + 1)
    drawn = np.nan_to_num(resampled_rates(kept, rng=rng, resamples=resamples))
    logs, drawn = np.log(np.maximum(kept.rates, floor)), np.log(np.maximum(drawn, floor))
    first, second = np.triu_indices(len(kept.n), 1)
    pairs = max_t(logs[first] - logs[second], drawn[:, first] - drawn[:, second], level)
    least = max(max(0.0, one.low, -one.high) for one in pairs)
    most = max(max(one.high, -one.low) for one in pairs)
    low, high = float(np.exp(-most)), float(np.exp(-least))
    return value, Interval(low=min(value, low), high=max(value, high), level=level, method="max-t")


def shuffled_tables(table: NDArray[np.int64], *, rng: np.random.Generator, resamples: int = 1000) -> NDArray[np.int64]:
    """Tables (R, G, K) of counts as shuffling the groups of all units gives them: the same row and column sums.

    Drawn cell by cell (Patefield 1981, Applied Statistics 30:91), so the number of units does not matter.
    """
    groups, kinds = table.shape
    found = np.zeros((resamples, groups, kinds), np.int64)
    left = np.tile(table.sum(axis=0), (resamples, 1))
    for group in range(groups - 1):
        wanted, rest = np.full(resamples, table[group].sum()), left.sum(axis=1)
        for kind in range(kinds - 1):
            rest = rest - left[:, kind]
            drawn = rng.hypergeometric(left[:, kind], rest, wanted)
            found[:, group, kind] = drawn
            wanted = wanted - drawn
        found[:, group, kinds - 1] = wanted
        left = left - found[:, group]
    found[:, groups - 1] = left
    return found


def p_value(families: Sequence[Shares], shuffled: Sequence[NDArray[np.int64]]) -> float:
    """How often shuffled groups differ as much as these do, itself counted: (1 + larger) / (1 + R).

    What is compared is the largest difference of any pair of groups in any family, each in units of its standard error
    if all groups were alike, so that small groups do not drown the rest.

    Args:
        families: the shares as they are.
        shuffled: for each family the hits (R, G) after shuffling.
    """
    observed, drawn = 0.0, np.zeros(len(shuffled[0]))
    for family, hits in zip(families, shuffled, strict=True):
        known = family.known
        n, p = family.n[known], float(family.hits.sum()) / max(1, int(family.n.sum()))
        if len(n) < 2 or not 0 < p < 1:  # noqa: PLR2004 - nothing to compare
            continue
        observed = max(observed, float(_studentized(family.hits[known][None] / n, n, p)[0]))
        np.maximum(drawn, _studentized(hits[:, known] / n, n, p), out=drawn)
    return (1 + int((drawn >= observed - _EDGE).sum())) / (1 + len(drawn))


def _studentized(rates: NDArray[np.float64], n: NDArray[np.int64], p: float) -> NDArray[np.float64]:
    """The largest difference (R,) between two groups in standard errors."""
    largest = np.zeros(len(rates))
    for one in range(len(n) - 1):
        error = np.sqrt(p * (1 - p) * (1 / n[one] + 1 / n[one + 1 :]))
        np.maximum(largest, (np.abs(rates[:, one + 1 :] - rates[:, [one]]) / error).max(axis=1), out=largest)
    return largest
