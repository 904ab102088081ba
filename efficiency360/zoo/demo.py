"""The demo model: a hierarchical vision transformer small enough to ship inside the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 32
_PATCH = 4
_WIDTHS = (48, 96)
_DEPTHS = (2, 2)
_HEAD_WIDTH = 16
_MLP_RATIO = 2
_CLASSES = 10
_PIXEL_MEAN = 0.3
_PIXEL_STD = 0.35


class Attention(nn.Module):
    """Multi-head self-attention among all cells of a grid.

    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.2.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // _HEAD_WIDTH
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C)."""
        qkv = self.qkv(x).flatten(1, 2).unflatten(-1, (3, self.heads, _HEAD_WIDTH))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.out(mixed.transpose(1, 2).reshape_as(x))
        return y


class Block(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added after.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, 2021, equations 2 and 3.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, _MLP_RATIO * width),
            nn.GELU(),
            nn.Linear(_MLP_RATIO * width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C)."""
        x = x + self.attention(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class Positions(nn.Module):
    """Adds a learned embedding to each cell of a grid."""

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(nn.init.trunc_normal_(torch.empty(side, side, width), std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        """(N, side, side, C) -> (N, side, side, C)."""
        return x + self.embedding


class Merge(nn.Module):
    """Joins each 2x2 square of cells into one wider cell.

    Source: Liu et al., Swin Transformer, 2021, section 3.1.
    """

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduce = nn.Linear(4 * width, wider)

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, C) -> (N, H/2, W/2, D), H and W even."""
        corners = [x[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
        y: Tensor = self.reduce(self.norm(torch.cat(corners, dim=-1)))
        return y


class DigitsTransformer(nn.Module):
    """Reads handwritten digits: (N, 1, 32, 32) float in [0, 1], ink near 1 -> (N, 10) logits; any N.

    4x4 patches make an 8x8 grid of tokens, two blocks, a 2x2 merge to a wider 4x4 grid, two blocks, mean pool,
    linear head. Another image size raises RuntimeError.
    """

    def __init__(self) -> None:
        super().__init__()
        narrow, wide = _WIDTHS
        grid = _SIDE // _PATCH
        self.stem = nn.Conv2d(1, narrow, kernel_size=_PATCH, stride=_PATCH)
        self.stage1 = _stage(grid, narrow, _DEPTHS[0])
        self.merge = Merge(narrow, wide)
        self.stage2 = _stage(grid // 2, wide, _DEPTHS[1])
        self.norm = nn.LayerNorm(wide)
        self.head = nn.Linear(wide, _CLASSES)

    def features(self, images: Tensor) -> Tensor:
        """What the head sees: (N, 1, 32, 32) in [0, 1] -> (N, 96)."""
        patches = self.stem((images - _PIXEL_MEAN) / _PIXEL_STD).permute(0, 2, 3, 1)
        pooled: Tensor = self.norm(self.stage2(self.merge(self.stage1(patches)))).mean(dim=(1, 2))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 32, 32) in [0, 1] -> (N, 10) logits."""
        logits: Tensor = self.head(self.features(images))
        return logits


def digits_transformer() -> DigitsTransformer:
    """A `DigitsTransformer` with random weights from torch's global generator."""
    return DigitsTransformer()


def _stage(side: int, width: int, depth: int) -> nn.Sequential:
    return nn.Sequential(Positions(side, width), *(Block(width) for _ in range(depth)))
