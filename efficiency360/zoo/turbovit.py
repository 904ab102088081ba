"""The TurboViT family: hierarchical vision transformers with attention inside mask units, made from a `TurboViTSpec`.

Sources: Wong, Abbasi and Nair, TurboViT: Generating Fast Vision Transformers via Generative Architecture Search, 2023
(arXiv 2308.11421), for the family; Ryali et al., Hiera: A Hierarchical Vision Transformer without the
Bells-and-Whistles, 2023 (arXiv 2306.00989), for mask units and the pooling of queries.

Tokens travel unit by unit: (N, units x tokens of a unit, C). Inside a unit the 2 x 2 neighbours that the first pool
joins are a quarter of the unit apart, so the first axis of (2 x 2, rest) is reduced by it, and what is left has the
same order for the next pool. Units stay together and stay in place, so neither attention nor pooling moves a token.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.zoo.spec import BlockSpec, TurboViTSpec

_EPS = 1e-6
_STD = 0.02
_SQUARE = 4
_ADDED = ("attention.out.weight", "mlp.2.weight")


class Positions(nn.Module):
    """Adds a learned embedding to each token of a grid; a layer of its own, so that opacus finds its parameter."""

    def __init__(self, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(*grid, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, rows, columns, C) -> the same."""
        return x + self.embedding


class UnitAttention(nn.Module):
    """Multi-head attention among the tokens of each unit, or of all; where it pools, a query stands for 2 x 2 tokens.

    Source: Ryali et al. 2023, section 3.2; of a pooled query each channel is the largest of the four.
    """

    def __init__(self, spec: BlockSpec, units: int) -> None:
        super().__init__()
        self.heads, self.width = spec.heads, spec.width
        self.pool, self.units = spec.pool, units
        self.groups = units if spec.attention == "units" else 1
        self.qkv = nn.Linear(spec.width_in, 3 * spec.width)
        self.out = nn.Linear(spec.width, spec.width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, D), or (N, T/4, D) where it pools."""
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        if self.pool:
            query = pooled(query, self.units)
        mixed = functional.scaled_dot_product_attention(self._split(query), self._split(key), self._split(value))
        y: Tensor = self.out(mixed.transpose(1, 2).reshape(query.shape))
        return y

    def _split(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N x groups, heads, T/groups, D/heads), a view."""
        groups, tokens = x.shape[0] * self.groups, x.shape[1] // self.groups
        return x.reshape(groups, tokens, self.heads, self.width // self.heads).transpose(1, 2)


class Block(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added after.

    Where the width changes, what attention is added to is made from its normalised input by a linear layer; where it
    pools, that is pooled like the queries (Ryali et al. 2023, figure 5).
    """

    def __init__(self, spec: BlockSpec, units: int) -> None:
        super().__init__()
        self.pool, self.units = spec.pool, units
        self.norm1 = nn.LayerNorm(spec.width_in, eps=_EPS)
        self.attention = UnitAttention(spec, units)
        self.widen = nn.Linear(spec.width_in, spec.width) if spec.width != spec.width_in else None
        self.norm2 = nn.LayerNorm(spec.width, eps=_EPS)
        self.mlp = nn.Sequential(nn.Linear(spec.width, spec.hidden), nn.GELU(), nn.Linear(spec.hidden, spec.width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, D), or (N, T/4, D) where it pools."""
        normed = self.norm1(x)
        kept = x if self.widen is None else self.widen(normed)
        x = (pooled(kept, self.units) if self.pool else kept) + self.attention(normed)
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class TurboViT(nn.Module):
    """A model of the family: (N, channels, height, width) -> (N, classes) logits; any N, the spec's size.

    Positions are learned for that size. For another, make the model with `spec.adapted(size=...)` and, to go on from
    weights of the first, pass these through `resized`; weights of another size are not loaded as they are, since
    interpolating positions changes what the model answers (Bolya et al., Window Attention is Bugged, 2023).
    Weights are random, from torch's global generator. Another image size raises ValueError.
    """

    def __init__(self, spec: TurboViTSpec) -> None:
        super().__init__()
        self.spec = spec
        self.tokens_in_rows = spec.units == 1 and not spec.pools
        stem, width = spec.stem, spec.blocks[-1].width
        self.stem = nn.Conv2d(spec.channels, spec.stem_width, stem.kernel, stem.stride, stem.padding)
        self.positions = Positions(spec.grid, spec.stem_width)
        self.blocks = nn.Sequential(*(Block(block, spec.units) for block in spec.blocks))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.head = nn.Linear(width, spec.classes)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Draw the weights anew: normal with deviation 0.02, and what a block adds the smaller the deeper it is.

        Source: Bao et al., BEiT, 2022, section 2.5 (division by the square root of twice the depth).
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
                nn.init.trunc_normal_(module.weight, std=_STD)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.positions.embedding, std=_STD)
        for name, parameter in self.named_parameters():
            if name.endswith(_ADDED):
                parameter.div_(math.sqrt(2 * (int(name.split(".")[1]) + 1)))

    def features(self, images: Tensor) -> Tensor:
        """What the head sees: (N, channels, height, width) -> (N, C)."""
        tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if not tracing and tuple(images.shape[-2:]) != self.spec.size:
            wanted, given = ("x".join(map(str, size)) for size in (self.spec.size, images.shape[-2:]))
            raise ValueError(f"images of {given} pixels for a model of {wanted}; make it with spec.adapted(size=...)")
        tokens = self.positions(self.stem(images).permute(0, 2, 3, 1))
        x: Tensor = self.norm(self.blocks(unrolled(tokens, self.spec.unit, self.spec.pools)).mean(dim=1))
        return x

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) -> (N, classes) logits."""
        logits: Tensor = self.head(self.features(images))
        return logits


def unrolled(x: Tensor, unit: int, pools: int) -> Tensor:
    """(N, rows, columns, C) -> (N, rows x columns, C) unit by unit, ready for `pools` times `pooled`.

    A unit of `unit` x `unit` tokens is ordered by the place in its 2 x 2 square, then by the place of that square in
    its own 2 x 2, and so on, then by row and column of what is left.
    """
    rows, columns = x.shape[1] // unit, x.shape[2] // unit
    side = (unit >> pools, *[2] * pools)
    x = x.reshape(x.shape[0], rows, *side, columns, *side, x.shape[3])
    own = [(2 + place, 3 + len(side) + place) for place in reversed(range(len(side)))]
    order = [0, 1, 2 + len(side), *(axis for pair in own for axis in pair), x.ndim - 1]
    return x.permute(order).flatten(1, -2)


def pooled(x: Tensor, units: int) -> Tensor:
    """The largest of each 2 x 2 tokens, channel by channel: (N, T, C) -> (N, T/4, C)."""
    squares = x.reshape(x.shape[0], units, _SQUARE, x.shape[1] // (_SQUARE * units), x.shape[2])
    return squares.amax(dim=2).flatten(1, 2)


def resized(state: dict[str, Tensor], spec: TurboViTSpec) -> dict[str, Tensor]:
    """A TurboViT's weights with its positions interpolated (bicubic) to the grid of `spec`; all else is passed on."""
    positions = state["positions.embedding"]
    planes = positions.permute(2, 0, 1)[None]
    moved = functional.interpolate(planes, size=spec.grid, mode="bicubic", antialias=True, align_corners=False)
    return {**state, "positions.embedding": moved[0].permute(1, 2, 0).contiguous()}
