"""Between what is kept of a candidate (`searched.Candidate`) and what strategies see of it (`score.Seen`)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.search.analytic import cost_of
from efficiency360.search.score import Seen
from efficiency360.search.space import key_of
from efficiency360.searched import Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.search.space import SearchSpace
    from efficiency360.search.strategies import Proposal

TAIL = 1.5


def candidate_of(proposal: Proposal, space: SearchSpace) -> Candidate:
    """A candidate as it is entered: with what is known in closed form."""
    cost = cost_of(space.spec(proposal.genome))
    return Candidate(
        number=0,
        genome=dict(proposal.genome),
        origin=proposal.origin,
        reason=proposal.reason,
        macs=cost.macs,
        params=cost.params,
        memory_bytes=cost.memory_bytes,
    )


def seen_of(candidate: Candidate, gains: Mapping[int, float] | None = None) -> Seen:
    """A candidate as strategies see it; one stopped early with what the rest of its training would have added."""
    last = candidate.rungs[-1] if candidate.rungs else None
    accuracy = None if last is None else min(1.0, last.accuracy + (gains or {}).get(last.epochs, 0.0))
    return Seen(
        genome=candidate.genome,
        key=key_of(candidate.genome),
        macs=candidate.macs,
        params=candidate.params,
        memory_bytes=candidate.memory_bytes,
        latency_ms=candidate.latency_ms,
        p95_ms=_steady(candidate),
        accuracy=accuracy,
        rungs={rung.epochs: rung.accuracy for rung in candidate.rungs},
        proxies=candidate.proxies,
    )


def _steady(candidate: Candidate) -> float | None:
    """The 95th percentile that a candidate is judged by while the search runs.

    Other programs may interrupt one answer in twenty for as long as the system likes, whatever the model; so no more is
    held against a candidate than `TAIL` times its median. What is measured in the end is taken as it is.
    """
    if candidate.latency is None:
        return None
    return min(candidate.latency.p95_ms, TAIL * (candidate.latency_ms or candidate.latency.p50_ms))


def gains_of(candidates: Sequence[Candidate], schedule: Sequence[int]) -> dict[int, float]:
    """What training on from each rung to the last adds to accuracy, on average over those that went on."""
    steps: dict[int, float] = {}
    for low, high in pairwise(schedule):
        pairs = [(_at(one, low), _at(one, high)) for one in candidates]
        known = [after - before for before, after in pairs if before is not None and after is not None]
        steps[low] = float(np.mean(known)) if known else 0.0
    return {rung: sum(steps[other] for other in steps if other >= rung) for rung in steps}


def all_seen(candidates: Sequence[Candidate], schedule: Sequence[int]) -> list[Seen]:
    """All candidates as strategies see them."""
    gains = gains_of(candidates, schedule)
    return [seen_of(one, gains) for one in candidates]


def _at(candidate: Candidate, epochs: int) -> float | None:
    return next((rung.accuracy for rung in candidate.rungs if rung.epochs == epochs), None)
