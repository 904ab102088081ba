"""The cells of an image: what maps are averaged over, and what is taken away or put back as one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Cells:
    """A grid of `rows` x `columns` cells over images of `height` x `width` pixels, as equal as whole pixels allow."""

    height: int
    width: int
    rows: int
    columns: int

    @classmethod
    def of(cls, height: int, width: int, most: int) -> Cells:
        """At most `most` cells along each side, and no cell smaller than a pixel."""
        return cls(height, width, min(most, height), min(most, width))

    def __len__(self) -> int:
        """Return the number of cells."""
        return self.rows * self.columns

    def means(self, maps: Tensor) -> Tensor:
        """The mean of each cell: (N, H, W) -> (N, rows, columns)."""
        down, across = _membership(self.height, self.rows), _membership(self.width, self.columns)
        found = down.to(maps) @ maps @ across.to(maps).T
        return found / (down.sum(1)[:, None] * across.sum(1)).to(maps)

    def totals(self, means: Tensor) -> Tensor:
        """The sum over all pixels of what has these means: (N, rows, columns) -> (N,)."""
        down, across = _membership(self.height, self.rows).sum(1), _membership(self.width, self.columns).sum(1)
        return (means * (down[:, None] * across).to(means)).sum(dim=(1, 2))

    def spread(self, values: Tensor) -> Tensor:
        """Each pixel with what its cell has: (..., rows, columns) -> (..., H, W)."""
        down, across = _cell_of(self.height, self.rows), _cell_of(self.width, self.columns)
        return values[..., down.to(values.device), :][..., across.to(values.device)]


def _cell_of(pixels: int, cells: int) -> Tensor:
    return torch.arange(pixels) * cells // pixels


def _membership(pixels: int, cells: int) -> Tensor:
    """(cells, pixels) float: 1 where the pixel belongs to the cell."""
    return (_cell_of(pixels, cells)[None] == torch.arange(cells)[:, None]).float()
