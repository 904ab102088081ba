"""The search space: genomes, what they stand for, and their neighbours. No torch.

A genome is one value a gene. Genes that have no effect (those of stages that are not there) or none that is possible
(a unit that does not divide the grid) are set by `canonical`, so that two genomes are equal iff their models are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.files import canonical_json
from efficiency360.zoo.spec import parse_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from efficiency360.search.constraints import Constraints
    from efficiency360.zoo.spec import TurboViTSpec

Value = int | float | str | bool
Genome = dict[str, Value]
_WHOLE = ("size", "patch", "unit", "head_width", "stages")
_STAGE = ("depth", "width", "mlp_ratio", "attention", "pool")


def key_of(genome: Genome) -> str:
    """A genome as text, the same for the same genome."""
    return canonical_json(genome)


@dataclass(frozen=True)
class SearchSpace:
    """The genes of a constraints file and what may be chosen for each; `classes` are those of the data."""

    constraints: Constraints
    classes: int
    _specs: dict[str, TurboViTSpec] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a space without any model.

        Raises:
            InputError: no size can be divided into patches and units.
        """
        if not self._plans:
            space = self.constraints.space
            raise InputError(
                f"space: no size of {list(space.size)} can be cut into patches of {list(space.patch)} and units of"
                f" {list(space.unit)} of them; add a size that is a multiple of patch x unit"
            )

    @cached_property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        """Each gene and what may be chosen for it, in the order of the model."""
        space, most = self.constraints.space, max(self.constraints.space.stages)
        found: dict[str, tuple[Value, ...]] = {gene: getattr(space, gene) for gene in _WHOLE}
        for stage in range(1, most + 1):
            found |= {f"{gene}_{stage}": getattr(space, gene) for gene in _STAGE if gene != "pool" or stage > 1}
            if stage <= self.constraints.require.unit_attention_stages:
                found[f"attention_{stage}"] = ("units",)
        return found

    @cached_property
    def free(self) -> dict[str, tuple[Value, ...]]:
        """The genes that leave a choice."""
        return {gene: values for gene, values in self.choices.items() if len(values) > 1}

    def random(self, rng: np.random.Generator) -> Genome:
        """A canonical genome, each gene drawn alike."""
        return self.canonical({gene: values[rng.integers(len(values))] for gene, values in self.choices.items()})

    def completed(self, free: Genome) -> Genome:
        """A canonical genome from the free genes."""
        return self.canonical({gene: free.get(gene, values[0]) for gene, values in self.choices.items()})

    def canonical(self, genome: Genome) -> Genome:
        """The same model with every gene possible, and genes without effect at their first choice."""
        choices = self.choices
        found = dict(genome)
        stages = int(found["stages"])
        for gene in found:
            name, _, stage = gene.rpartition("_")
            if name in _STAGE and int(stage) > stages:
                found[gene] = choices[gene][0]
        if self.constraints.require.global_attention_last:
            found[f"attention_{stages}"] = "global"
        self._make_room(found)
        return found

    def _make_room(self, genome: Genome) -> None:
        """Make the units fit: another size or patch where none does, fewer pools, then the nearest possible unit."""
        plans = self._plans
        wanted = int(genome["size"]), int(genome["patch"])
        if wanted not in plans:
            wanted = min(plans, key=lambda plan: (abs(plan[0] - wanted[0]), abs(plan[1] - wanted[1]), plan))
            genome["size"], genome["patch"] = wanted
        units = plans[wanted]
        pools = [f"pool_{stage}" for stage in range(2, int(genome["stages"]) + 1) if genome[f"pool_{stage}"]]
        possible = [unit for unit in units if unit % 2 ** len(pools) == 0]
        if not possible and False in self.constraints.space.pool:
            while not possible:
                genome[pools.pop()] = False
                possible = [unit for unit in units if unit % 2 ** len(pools) == 0]
        genome["unit"] = min(possible or units, key=lambda unit: (abs(unit - int(genome["unit"])), unit))

    @cached_property
    def _plans(self) -> dict[tuple[int, int], list[int]]:
        """The units that fit each possible (size, patch)."""
        space = self.constraints.space
        found = {
            (size, patch): [
                unit for unit in space.unit if size % (unit * patch) == 0 and self._fits(size // patch, unit)
            ]
            for size in space.size
            for patch in space.patch
        }
        return {plan: units for plan, units in found.items() if units}

    def _fits(self, grid: int, unit: int) -> bool:
        """Whether a unit can be halved as often as must be, and is only a part of the image where that is asked."""
        if unit == grid and self.constraints.require.unit_attention_stages:
            return False
        must = min(self.constraints.space.stages) - 1 if False not in self.constraints.space.pool else 0
        return not unit % int(2**must)

    def spec(self, genome: Genome) -> TurboViTSpec:
        """The architecture of a canonical genome; the same one is made once."""
        if (key := key_of(genome)) not in self._specs:
            self._specs[key] = self._made(genome)
        return self._specs[key]

    def _made(self, genome: Genome) -> TurboViTSpec:
        patch = int(genome["patch"])
        stages = [_stage(genome, number) for number in range(1, int(genome["stages"]) + 1)]
        return parse_spec(
            {
                "channels": self.constraints.channels,
                "size": genome["size"],
                "classes": self.classes,
                "unit": genome["unit"],
                "stem": {"kernel": 2 * patch - 1, "stride": patch, "padding": patch - 1},
                "stages": stages,
            },
            "the architecture",
        )

    def neighbours(self, genome: Genome) -> Iterator[tuple[str, Genome]]:
        """Each other canonical genome that one changed gene leads to, and the gene; a number moves by one choice."""
        seen = {key_of(genome)}
        for gene, values in self.free.items():
            at = values.index(genome[gene])
            near = (at - 1, at + 1) if not isinstance(genome[gene], str | bool) else range(len(values))
            for index in near:
                if 0 <= index < len(values) and index != at:
                    other = self.canonical({**genome, gene: values[index]})
                    if key_of(other) not in seen:
                        seen.add(key_of(other))
                        yield gene, other

    def mutated(self, genome: Genome, rng: np.random.Generator) -> Genome:
        """The genome with one gene drawn anew (Real et al. 2019, section 3); the same only where nothing is free."""
        genes = list(self.free)
        for _ in range(32):
            gene = genes[rng.integers(len(genes))]
            others = [value for value in self.free[gene] if value != genome[gene]]
            other = self.canonical({**genome, gene: others[rng.integers(len(others))]})
            if other != genome:
                return other
        return genome

    def size_of(self) -> float:
        """How many genomes there are, before those that stand for one model are counted once."""
        return math.prod(len(values) for values in self.choices.values())


def _stage(genome: Genome, number: int) -> dict[str, Any]:
    width = int(genome[f"width_{number}"])
    return {
        "depth": genome[f"depth_{number}"],
        "width": width,
        "heads": _heads(width, int(genome["head_width"])),
        "mlp_ratio": genome[f"mlp_ratio_{number}"],
        "attention": genome[f"attention_{number}"],
        "pool": bool(genome.get(f"pool_{number}", False)),
    }


def _heads(width: int, head_width: int) -> int:
    """The most heads of at least this width that divide a width."""
    return next(heads for heads in range(max(1, width // head_width), 0, -1) if width % heads == 0)
