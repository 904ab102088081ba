"""What thresholds of their own for each group would change: chosen on one half of the units, judged on the other.

Post-processing as in Hardt, Price and Srebro (2016), with one threshold a group and without chance: among thresholds
that give all groups the same share of positive answers (or the same true positive rate) those with the most right ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Equal = Literal["selection_rate", "true_positive_rate"]
_STEPS = 201
_AS_IT_IS = 0.5


@dataclass(frozen=True)
class Policy:
    """Thresholds: a unit is answered positive where its score is above that of its group (G,)."""

    thresholds: NDArray[np.float64]

    def answers(self, scores: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The answers (N,) to units with these scores and groups."""
        above: NDArray[np.bool_] = scores > self.thresholds[groups]
        return above


def halves(
    groups: NDArray[np.int64], positive: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of two halves, each with half of every group's positives and negatives."""
    order = rng.permutation(len(groups))
    stratum = (2 * groups + positive)[order]
    order = order[np.argsort(stratum, kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def equalizing(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], groups: NDArray[np.int64], equal: Equal
) -> Policy:
    """The thresholds that make `equal` alike in all groups and answer the most units right.

    Args:
        scores: (N,) in [0, 1], higher is more positive.
        positive: (N,) the truth.
        groups: (N,) small numbers from 0; each with both positives and negatives.
        equal: what is to be alike.
    """
    rates = np.linspace(0.0, 1.0, _STEPS)
    found = list(_by_group(scores, positive, groups, equal, rates))
    right = np.sum([hits for _, hits in found], axis=0)
    best = int(right.argmax())
    return Policy(np.array([thresholds[best] for thresholds, _ in found]))


def unchanged(count: int) -> Policy:
    """The threshold of one half for all `count` groups."""
    return Policy(np.full(count, _AS_IT_IS))


def _by_group(
    scores: NDArray[np.float64],
    positive: NDArray[np.bool_],
    groups: NDArray[np.int64],
    equal: Equal,
    rates: NDArray[np.float64],
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Of each group the threshold (S,) for each rate, and how many of its units (S,) are then right."""
    for group in range(int(groups.max()) + 1):
        mine, truth = scores[groups == group], positive[groups == group]
        among = np.sort(mine if equal == "selection_rate" else mine[truth])[::-1]
        ladder = np.concatenate([[np.inf], (among[:-1] + among[1:]) / 2, [-np.inf]])
        thresholds = ladder[np.rint(rates * len(among)).astype(np.int64)]
        order = np.argsort(mine, kind="stable")
        below = np.searchsorted(mine[order], thresholds, side="right")
        positives = np.concatenate([[0], np.cumsum(truth[order])])
        yield thresholds, (below - positives[below]) + (positives[-1] - positives[below])
