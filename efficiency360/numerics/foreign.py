"""Images that are not of the data's kind, for asking whether a model notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

_GRID = 4


def noise(images: Tensor, generator: Generator) -> Tensor:
    """Uniform noise in [0, 1) of the shape of `images`; `generator` lives on the CPU."""
    return torch.rand(images.shape, generator=generator).to(images.device)


def patches(images: Tensor, generator: Generator) -> Tensor:
    """The images (N, C, H, W) with a 4 x 4 grid of patches shuffled, alike for all; what the grid leaves over stays."""
    height, width = images.shape[2] // _GRID, images.shape[3] // _GRID
    shuffled = images.clone()
    order = torch.randperm(_GRID * _GRID, generator=generator).tolist()
    for target, source in enumerate(order):
        shuffled[_patch(target, height, width)] = images[_patch(source, height, width)]
    return shuffled


def _patch(number: int, height: int, width: int) -> tuple[slice, slice, slice, slice]:
    row, column = divmod(number, _GRID)
    rows = slice(row * height, (row + 1) * height)
    return slice(None), slice(None), rows, slice(column * width, (column + 1) * width)


FOREIGN: dict[str, Callable[[Tensor, Generator], Tensor]] = {"noise": noise, "patches": patches}
