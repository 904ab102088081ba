"""Searching for the subgroup that is served worst, with a p-value that knows how hard was searched.

A subgroup is a conjunction of up to three attributes' values. The whole search is repeated with shuffled outcomes; what
is found counts only if it is worse than what the search finds by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_EDGE = 1e-9
_CELLS_AT_ONCE = 4_000_000
_MOST_COMBINATIONS = 2000
_LEAST_SCORE = 1.0
"""What is nearer to the rest than a standard error is not worth telling."""


@dataclass(frozen=True)
class Subgroup:
    """A conjunction of (attribute, value) pairs, ascending by attribute.

    `n` units of which something holds for `hits`; `score` is how many standard errors that is below the share of all
    units; `p` in (0, 1] is how often the search finds as much by chance.
    """

    members: tuple[tuple[int, int], ...]
    n: int
    hits: int
    score: float
    p: float

    def related(self, other: Subgroup) -> bool:
        """Whether one of the two is part of the other."""
        mine, theirs = set(self.members), set(other.members)
        return mine <= theirs or theirs <= mine


@dataclass(frozen=True)
class _Combination:
    """All subgroups of one combination of attributes; cells (C,) sorted by subgroup, which begin at `starts` (S,)."""

    attributes: tuple[int, ...]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    kept: NDArray[np.bool_]
    n: NDArray[np.int64]

    def sums(self, by_cell: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sums (S, ...) over each kept subgroup's cells of `by_cell` (C, ...)."""
        found: NDArray[np.int64] = np.add.reduceat(by_cell[self.order], self.starts, axis=0)[self.kept]
        return found


def worst_subgroups(  # noqa: PLR0913 - the search has three bounds
    attributes: Sequence[NDArray[np.int64]],
    holds: NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    depth: int = 3,
    least: int = 30,
    resamples: int = 1000,
) -> list[Subgroup]:
    """All subgroups of at least `least` units that fall short by a standard error or more, the worst first.

    The p-value of each is that of the worst one found in each permutation (Westfall and Young 1993, single-step
    max-T), so it holds for all of them together.

    Args:
        attributes: for each attribute the value (N,) of each unit, small numbers from 0.
        holds: (N,) whether what is wanted holds, such as the right answer.
        rng: where random numbers come from.
        depth: how many attributes a subgroup may join.
        least: units that a subgroup has to have.
        resamples: permutations of the outcomes.

    Raises:
        ValueError: more than 2000 combinations of attributes.
    """
    cells, cell, size = np.unique(np.stack(attributes), axis=1, return_inverse=True, return_counts=True)
    hits = np.bincount(cell.reshape(-1)[holds], minlength=len(size))
    total, share = len(holds), float(holds.mean())
    searched = list(_combinations(cells, size, depth, least))
    if not searched or not 0 < share < 1:
        return []
    largest = _by_chance(searched, size, int(hits.sum()), rng, resamples)
    found = []
    for one in searched:
        mine = one.sums(hits)
        scores = _scores(mine, one.n, total, share)
        values = cells[:, one.order][:, one.starts][:, one.kept]
        for row in np.flatnonzero(scores > _LEAST_SCORE):
            members = tuple((attribute, int(values[attribute, row])) for attribute in one.attributes)
            p = (1 + int((largest >= scores[row] - _EDGE).sum())) / (1 + resamples)
            found.append(Subgroup(members, int(one.n[row]), int(mine[row]), float(scores[row]), p))
    return sorted(found, key=lambda one: (-one.score, len(one.members), one.members))


def distinct(found: Sequence[Subgroup], most: int) -> list[Subgroup]:
    """The worst `most`, without those that are part of a worse one or hold it: they fall short because it does."""
    told: list[Subgroup] = []
    for one in found:
        if len(told) == most:
            break
        if not any(one.related(other) for other in told):
            told.append(one)
    return told


def _combinations(cells: NDArray[np.int64], size: NDArray[np.int64], depth: int, least: int) -> Iterator[_Combination]:
    chosen = [some for k in range(1, depth + 1) for some in combinations(range(len(cells)), k)]
    if len(chosen) > _MOST_COMBINATIONS:
        raise ValueError(f"{len(chosen)} combinations of {len(cells)} attributes are too many to search")
    for some in chosen:
        _, number = np.unique(cells[list(some)], axis=1, return_inverse=True)
        number = number.reshape(-1)
        order = np.argsort(number, kind="stable")
        starts = np.flatnonzero(np.diff(number[order], prepend=-1))
        n = np.add.reduceat(size[order], starts)
        kept = (n >= least) & (n < size.sum())
        if kept.any():
            yield _Combination(some, order, starts, kept, n[kept])


def _scores(hits: NDArray[np.int64], n: NDArray[np.int64], total: int, share: float) -> NDArray[np.float64]:
    """How far below `share` each subgroup is, in standard errors of drawing it without replacement."""
    error = np.sqrt(share * (1 - share) * (1 / n - 1 / total))
    shortfall = share - hits / (n if hits.ndim == 1 else n[:, None])
    scores: NDArray[np.float64] = shortfall / (error if hits.ndim == 1 else error[:, None])
    return scores


def _by_chance(
    searched: Sequence[_Combination], size: NDArray[np.int64], hits: int, rng: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """The worst score (R,) that the search finds in each permutation."""
    total = int(size.sum())
    at_once = max(1, _CELLS_AT_ONCE // len(size))
    largest = []
    for start in range(0, resamples, at_once):
        many = min(at_once, resamples - start)
        drawn = rng.multivariate_hypergeometric(size, hits, size=many, method="marginals").T
        drawn = np.ascontiguousarray(drawn, dtype=np.int32)
        worst = np.full(many, -np.inf)
        for one in searched:
            np.maximum(worst, _scores(one.sums(drawn), one.n, total, hits / total).max(axis=0), out=worst)
        largest.append(worst)
    return np.concatenate(largest)
