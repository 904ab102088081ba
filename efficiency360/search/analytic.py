"""What an architecture costs, in closed form: parameters, multiply-adds and memory. No torch.

The convention is that of `cost.macs` for convolutions, matrix products and attention: a multiply-add is one. Norms and
activations are left out of it (up to 6 % of what an audit counts in models of a few thousand parameters).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficiency360.zoo.spec import BlockSpec, TurboViTSpec

_ITEM = 4  # bytes of a float32
_SQUARE = 4


@dataclass(frozen=True)
class StageCost:
    """A stage: its parameters, multiply-adds of linear layers and of attention, tokens on leaving, and blocks."""

    params: int
    linear_macs: int
    attention_macs: int
    tokens: int
    blocks: int
    elements: int
    """Elements of all activations that its layers write."""

    @property
    def macs(self) -> int:
        """All multiply-adds."""
        return self.linear_macs + self.attention_macs


@dataclass(frozen=True)
class Cost:
    """A whole model, of one image."""

    params: int
    macs: int
    memory_bytes: int
    """Weights and the activations that live at the fullest moment, in float32, as PyTorch keeps them in inference."""
    stem_macs: int
    stages: tuple[StageCost, ...]

    @property
    def heaviest(self) -> int:
        """The number, from 1, of the stage with the most multiply-adds."""
        return 1 + max(range(len(self.stages)), key=lambda index: self.stages[index].macs)


@lru_cache(maxsize=4096)
def cost_of(spec: TurboViTSpec) -> Cost:
    """The cost of a model of the family."""
    tokens, width = spec.grid[0] * spec.grid[1], spec.stem_width
    taken = spec.channels * spec.stem.kernel**2
    stem_params, stem_macs = width * (taken + 1) + tokens * width, tokens * width * taken
    peak = spec.channels * spec.size[0] * spec.size[1] + 2 * tokens * width
    blocks, stages = iter(spec.blocks), []
    for stage in spec.stages:
        found = []
        for _ in range(stage.depth):
            block = next(blocks)
            cost, live = _block(block, tokens, spec.units)
            found.append(cost)
            tokens, peak = cost.tokens, max(peak, live)
        stages.append(_sum(found))
    last = spec.blocks[-1].width
    head = last * spec.classes + spec.classes
    params = stem_params + sum(stage.params for stage in stages) + 2 * last + head
    macs = stem_macs + sum(stage.macs for stage in stages) + last * spec.classes
    return Cost(params, macs, _ITEM * (params + peak), stem_macs, tuple(stages))


def _block(block: BlockSpec, tokens: int, units: int) -> tuple[StageCost, int]:
    """A block's cost, and how many elements live at its fullest moment."""
    w_in, width, hidden = block.width_in, block.width, block.hidden
    left = tokens // _SQUARE if block.pool else tokens
    groups = units if block.attention == "units" else 1
    params = 3 * width * (w_in + 1) + width * (width + 1) + hidden * (width + 1) + width * (hidden + 1)
    params += 2 * w_in + 2 * width
    linear = tokens * 3 * width * w_in + left * width * width + 2 * left * width * hidden
    elements = tokens * (w_in + 3 * width) + left * (5 * width + 2 * hidden)
    if width != w_in:
        params += width * (w_in + 1)
        linear += tokens * width * w_in
        elements += tokens * width
    attention = 2 * groups * (left // groups) * (tokens // groups) * width
    held = 2 * tokens * w_in + (tokens * width if width != w_in else 0)  # the block's input, normed, widened
    attending = held + 3 * tokens * width + left * width * (4 if block.pool else 3)
    thinking = held + 2 * left * width + 2 * left * hidden
    cost = StageCost(params, linear, attention, left, 1, elements)
    return cost, max(attending, thinking)


def _sum(blocks: list[StageCost]) -> StageCost:
    return StageCost(
        params=sum(block.params for block in blocks),
        linear_macs=sum(block.linear_macs for block in blocks),
        attention_macs=sum(block.attention_macs for block in blocks),
        tokens=blocks[-1].tokens,
        blocks=len(blocks),
        elements=sum(block.elements for block in blocks),
    )
