"""The inquisitor: what is wrong with a candidate, and which gene of it to change because of that. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.search.analytic import cost_of
from efficiency360.search.score import overshoot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.search.constraints import Limits
    from efficiency360.search.score import Seen
    from efficiency360.search.space import Genome, SearchSpace, Value

_ROOM = -0.25
_HEAVY = ("macs", "latency_p95_ms")
_SAID = {
    "macs": "multiply-adds",
    "params": "parameters",
    "memory_mb": "memory",
    "latency_p95_ms": "latency",
    "accuracy": "accuracy",
}


@dataclass(frozen=True)
class Advice:
    """A change of one gene and the finding behind it."""

    genome: Genome
    gene: str
    reason: str


def advice(space: SearchSpace, seen: Seen, limits: Limits) -> Iterator[Advice]:
    """What to change in a candidate, the most pressing first.

    A ceiling that is missed: the stage that weighs most in it shrinks. Accuracy that is missed, or room below every
    ceiling: the stage that weighs least grows. Else: trade, the heaviest shrinks.
    """
    missed = {key: value for key, value in overshoot(seen, limits).items() if value > 0}
    ceilings = {key: value for key, value in missed.items() if key != "accuracy"}
    if ceilings:
        worst = max(ceilings, key=lambda key: ceilings[key])
        stage, share = _weighing(space, seen, worst, most=True)
        why = f"{_SAID[worst]} is {1 + ceilings[worst]:.2g} times its limit, and stage {stage} has {share:.0%} of it"
        yield from _changed(space, seen, stage, -1, why)
        return
    room = {key: value for key, value in overshoot(seen, limits).items() if key != "accuracy"}
    if "accuracy" in missed or (room and max(room.values()) < _ROOM):
        stage, share = _weighing(space, seen, "macs", most=False)
        why = "accuracy is below its floor" if "accuracy" in missed else "there is room below every limit"
        yield from _changed(space, seen, stage, +1, f"{why}, and stage {stage} has only {share:.0%} of the compute")
    if "accuracy" not in missed:
        stage, share = _weighing(space, seen, "latency_p95_ms", most=True)
        yield from _changed(space, seen, stage, -1, f"stage {stage} has {share:.0%} of the compute: is it worth it?")


def _weighing(space: SearchSpace, seen: Seen, key: str, *, most: bool) -> tuple[int, float]:
    """The stage, from 1, that weighs most or least, and its share."""
    cost = cost_of(space.spec(seen.genome))
    name = {"params": "params", "memory_mb": "elements"}.get(key, "macs")
    values = [int(getattr(stage, name)) for stage in cost.stages]
    index = (max if most else min)(range(len(values)), key=lambda at: values[at])
    return index + 1, values[index] / max(1, sum(values))


def _changed(space: SearchSpace, seen: Seen, stage: int, step: int, why: str) -> Iterator[Advice]:
    """One step down or up in each gene of a stage that has a weight, the widest effects first."""
    for name in ("width", "depth", "mlp_ratio", "pool", "attention"):
        gene = f"{name}_{stage}"
        values = space.free.get(gene, ())
        wanted = _next(values, seen.genome.get(gene), step)
        if wanted is None:
            continue
        genome = space.canonical({**seen.genome, gene: wanted})
        if genome != seen.genome:
            yield Advice(genome, gene, f"{why}: {gene} {plain(seen.genome[gene])} -> {plain(wanted)}")


def _next(values: tuple[Value, ...], at: Value | None, step: int) -> Value | None:
    """The next choice that costs less (step -1) or more (+1); None where there is none."""
    if at is None or at not in values:
        return None
    costs: list[Value] = sorted(values, key=_weight)
    place = costs.index(at) + step
    return costs[place] if 0 <= place < len(costs) else None


def _weight(value: Value) -> float:
    """How much a choice costs, in order: pooling saves, attention among all costs."""
    if isinstance(value, str):
        return float(value == "global")
    return -float(value) if isinstance(value, bool) else float(value)


def plain(value: Value) -> str:
    """A gene's value in words."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value}"
