"""The Square attack in the L2 ball: the length of the change moves from one window into another."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import noise
from efficiency360.numerics.attacks.apgd import unit
from efficiency360.numerics.attacks.ball import per_row
from efficiency360.numerics.attacks.square import Square, windows

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.method import Fresh, Rows

_TILES = 5
_SMALLEST = 3
_OTHER_ROW, _OTHER_COLUMN, _TURN = 2, 3, 4
_TINY = 1e-12


class SquareL2(Square):
    """`square` for L2: starts with a grid of 5 x 5 bumps (algorithm 3 and section 3.4)."""

    def start(self, fresh: Fresh) -> Tensor:
        """A grid of bumps with random signs, at the radius."""
        n, channels, height, width = fresh.clean.shape
        side = max(min(height, width) // _TILES, 1)
        down, across = height // side, width // side
        signs = noise.signs(fresh.keys, (channels, down, across))
        turned = noise.signs(fresh.keys, (1, down, across), draw=1) > 0
        bumps = torch.where(turned[..., None, None], bump(side).T, bump(side)).to(fresh.clean) * signs[..., None, None]
        change = torch.zeros_like(fresh.clean, memory_format=torch.contiguous_format)
        grid = bumps.transpose(3, 4).reshape(n, channels, down * side, across * side)
        top, left = (height - down * side) // 2, (width - across * side) // 2
        change[:, :, top : top + down * side, left : left + across * side] = grid
        return (fresh.clean + self.ball.eps * unit(change)).clamp_(0, 1)

    def propose(self, rows: Rows, sides: Tensor) -> Tensor:
        """Take the length of a second window and what the radius still allows, and put it into the first as a bump."""
        clean = rows["clean"]
        change = (rows["best"] - clean).contiguous()
        unused = (self.ball.eps**2 - self.ball.length(change) ** 2).clamp(min=0).to(clean.dtype)
        signs, dice = self.signs(rows), rows["dice"]
        turned = dice[:, _TURN] < 0.5  # noqa: PLR2004 - a fair coin
        others = [
            (dice[:, what] * (length - rows["side"] + 1)).long()
            for what, length in ((_OTHER_ROW, clean.shape[2]), (_OTHER_COLUMN, clean.shape[3]))
        ]
        first = windows(change, sides, rows["row"], rows["column"])
        for to, source in zip(first, windows(change, sides, *others), strict=True):
            old = to.read(change)
            shape = bump(old.shape[-1]).to(clean)
            shape = torch.where(per_row(turned[to.rows], old), shape.T, shape)
            new = shape * signs[to.rows] + old / _length(old).clamp(min=_TINY)
            taken = old.square().sum((2, 3), keepdim=True)
            to.write(change, torch.zeros_like(old))
            taken += source.read(change).square().sum((2, 3), keepdim=True)
            source.write(change, torch.zeros_like(old))
            allowed = (taken + per_row(unused[to.rows], old) / clean.shape[1]).sqrt()
            to.write(change, new / _length(new).clamp(min=_TINY) * allowed)
        rows["x"] = (clean + self.ball.eps * unit(change)).clamp_(0, 1)
        return torch.ones_like(sides, dtype=torch.bool)

    def settle(self, rows: Rows, kept: Tensor) -> None:
        """The whole image changes with the length of the square."""
        rows["best"] = torch.where(per_row(kept, rows["x"]), rows["x"], rows["best"])

    def side_of(self, share: Tensor, height: int, width: int) -> Tensor:
        """An odd number of at least three pixels, at most the shorter side."""
        side = (share * height * width).sqrt().round().long().clamp(min=_SMALLEST)
        return (side + (side % 2 == 0)).clamp(max=min(height, width))


def _length(squares: Tensor) -> Tensor:
    """(n, C, 1, 1) Euclidean lengths."""
    return squares.square().sum((2, 3), keepdim=True).sqrt()


@cache
def bump(side: int) -> Tensor:
    """(side, side) of length 1: two rectangles of opposite signs, each highest in its middle (equation 2)."""
    upper = side // 2
    shape = torch.cat([_rectangle(upper, side), -_rectangle(side - upper, side)])
    return unit(shape[None])[0]


def _rectangle(height: int, width: int) -> Tensor:
    """(height, width) of length 1: nested rectangles around the middle, the k-th adding 1 / k^2."""
    shape = torch.zeros(height, width)
    middle_row, middle_column = height // 2, width // 2
    for k in range(max(height // 2, width // 2) + 1):
        rows = slice(max(middle_row - k, 0), middle_row + k + 1)
        columns = slice(max(middle_column - k, 0), middle_column + k + 1)
        shape[rows, columns] += 1 / (k + 1) ** 2
    return unit(shape[None])[0]
