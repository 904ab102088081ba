"""Successive halving without waiting: of the candidates on a rung one of a few goes on; others may be called later.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020 (ASHA), algorithm 2. Candidates are
ranked by fronts of accuracy against latency, within a front by NetScore: a fast one need not be as right as a slow one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from efficiency360.search.score import layers, netscore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.search.constraints import Weights
    from efficiency360.searched import Candidate


def rank(candidate: Candidate, others: Sequence[Candidate], epochs: int, weights: Weights) -> tuple[int, int]:
    """The place, from 1, of a candidate among all that have been trained for so many epochs, and how many these are."""
    there = [one for one in (candidate, *others) if _accuracy(one, epochs) is not None]
    points = [(_accuracy(one, epochs) or 0.0, one.latency_ms or math.inf) for one in there]
    scores = [
        netscore(accuracy, one.params, one.macs, latency, weights)
        for one, (accuracy, latency) in zip(there, points, strict=True)
    ]
    order = sorted(zip(layers(points).tolist(), (-score for score in scores), range(len(there)), strict=True))
    return 1 + next(place for place, (_, _, index) in enumerate(order) if index == 0), len(there)


def goes_on(place: int, n: int, keep_one_of: int) -> bool:
    """Whether a candidate at this place of n is trained on: one of `keep_one_of`, and the first in any case."""
    return place <= max(1, math.ceil(n / keep_one_of))


def called(
    candidates: Sequence[Candidate], schedule: Sequence[int], keep_one_of: int, weights: Weights
) -> Candidate | None:
    """A candidate that was stopped and would now go on, the furthest first; None where there is none."""
    for epochs in reversed(schedule[:-1]):
        for one in candidates:
            if one.state == "stopped" and one.rungs[-1].epochs == epochs:
                others = [other for other in candidates if other is not one]
                if goes_on(*rank(one, others, epochs, weights), keep_one_of):
                    return one
    return None


def _accuracy(candidate: Candidate, epochs: int) -> float | None:
    return next((rung.accuracy for rung in candidate.rungs if rung.epochs == epochs), None)
