"""Hiera as members of the TurboViT family: the names of its weights in timm, and ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_BLOCK = re.compile(r"(blocks\.\d+)\.(.+)\.(weight|bias)")
_INSIDE = {
    "norm1": "norm1",
    "norm2": "norm2",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.out",
    "proj": "widen",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
}
_OUTSIDE = {"patch_embed.proj": "stem", "head.norm": "norm", "head.fc": "head"}


def from_hiera(state: Mapping[str, Tensor], grid: tuple[int, int]) -> dict[str, Tensor]:
    """Weights of timm's `Hiera` under the names of `TurboViT`; `grid` is the rows and columns of the stem's tokens.

    Raises:
        InputError: a weight that this family does not have, such as the window's own positions of `abswin`, or
            positions of another grid.
    """
    return dict(_renamed(name, tensor, grid) for name, tensor in state.items())


def _renamed(name: str, tensor: Tensor, grid: tuple[int, int]) -> tuple[str, Tensor]:
    if name == "pos_embed" and tensor.ndim == 3:  # noqa: PLR2004 - (1, T, C); abswin has planes
        if tensor.shape[1] != grid[0] * grid[1]:
            raise InputError(f"{name} has {tensor.shape[1]} tokens, not {grid[0]} x {grid[1]}: make it for that size")
        return "positions.embedding", tensor[0].reshape(*grid, -1)
    layer, _, kind = name.rpartition(".")
    if layer in _OUTSIDE:
        return f"{_OUTSIDE[layer]}.{kind}", tensor
    if (found := _BLOCK.fullmatch(name)) and found[2] in _INSIDE:
        return f"{found[1]}.{_INSIDE[found[2]]}.{kind}", tensor
    raise InputError(f"'{name}' is no weight of a Hiera with plain positions; only these can be taken over")
