"""Whether a ceiling can be met at all: the lightest model that a descent finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.errors import InputError
from efficiency360.search.analytic import cost_of
from efficiency360.search.score import Seen, overshoot
from efficiency360.search.space import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from efficiency360.search.analytic import Cost
    from efficiency360.search.space import Genome, SearchSpace

_MEASURES: dict[str, Callable[[Cost], float]] = {
    "macs": lambda cost: cost.macs,
    "params": lambda cost: cost.params,
    "memory_mb": lambda cost: cost.memory_bytes / 1e6,
}


def lightest(space: SearchSpace, measure: str = "macs") -> Genome:
    """The genome with the least of a measure, as far as steps to neighbours lead."""
    of = _MEASURES[measure]
    best = space.canonical({gene: values[0] for gene, values in space.choices.items()})
    least = of(cost_of(space.spec(best)))
    while True:
        steps = [(of(cost_of(space.spec(other))), key_of(other), other) for _, other in space.neighbours(best)]
        lower = min(steps, default=None, key=lambda step: step[:2])
        if lower is None or lower[0] >= least:
            return best
        least, _, best = lower


def check_ceilings(space: SearchSpace) -> None:
    """Refuse limits that no model of the space can meet, before anything is trained.

    Raises:
        InputError: which limit binds, and the nearest that could be met.
    """
    limits = space.constraints.limits
    for key, of in _MEASURES.items():
        limit = getattr(limits, key)
        if limit is None:
            continue
        genome = lightest(space, key)
        least = of(cost_of(space.spec(genome)))
        if least > limit:
            raise InputError(
                f"limits.{key} = {limit:g} is met by no model of the space; the nearest is {least:.6g}"
                f" ({told(genome)}); raise the limit, or add smaller choices to [space]"
            )
    genome = _together(space)
    missed = overshoot(_seen(space, genome), limits)
    if missed and (worst := max(missed, key=lambda key: missed[key])) and missed[worst] > 0:
        raise InputError(
            f"the limits are met by no model of the space together: limits.{worst} binds; the nearest misses it by"
            f" {missed[worst]:.0%} ({told(genome)})"
        )


def _together(space: SearchSpace) -> Genome:
    """The genome whose worst miss of a ceiling is least, from the lightest by each measure."""

    def worst(genome: Genome) -> float:
        return max(overshoot(_seen(space, genome), space.constraints.limits).values(), default=0.0)

    best = min((lightest(space, key) for key in _MEASURES), key=worst)
    while (least := worst(best)) > 0:
        other = min((genome for _, genome in space.neighbours(best)), default=best, key=worst)
        if worst(other) >= least:
            break
        best = other
    return best


def _seen(space: SearchSpace, genome: Genome) -> Seen:
    cost = cost_of(space.spec(genome))
    return Seen(genome, key_of(genome), cost.macs, cost.params, cost.memory_bytes)


def told(genome: Genome) -> str:
    """A genome in words, without the stages that are not there."""
    stages = int(genome["stages"])
    shown = {
        gene: value
        for gene, value in genome.items()
        if not gene.rpartition("_")[2].isdigit() or int(gene.rpartition("_")[2]) <= stages
    }
    return ", ".join(
        f"{gene} {str(value).lower() if isinstance(value, bool) else value}" for gene, value in shown.items()
    )
