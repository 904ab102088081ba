"""The Square attack in the L-infinity ball: squares whose every channel is at one edge of the ball."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import noise
from efficiency360.numerics.attacks.square import Square, windows

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.method import Fresh, Rows


class SquareLinf(Square):
    """`square` for Linf: starts with vertical stripes (algorithm 2).

    Only the pixels of the square are touched: a small square in a large image costs next to nothing.
    """

    def start(self, fresh: Fresh) -> Tensor:
        """Vertical stripes, each channel of a column at one edge of the ball."""
        _, channels, _, width = fresh.clean.shape
        stripes = noise.signs(fresh.keys, (channels, 1, width)).to(fresh.clean.dtype)
        return (fresh.clean + self.ball.eps * stripes).clamp_(0, 1)

    def propose(self, rows: Rows, sides: Tensor) -> Tensor:
        """One square per row, each channel of it at the upper or the lower edge of the ball."""
        x = rows["x"]
        signs = self.signs(rows)
        changed = torch.zeros_like(sides, dtype=torch.bool)
        for window in windows(x, sides, rows["row"], rows["column"]):
            edge = (window.read(rows["clean"]) + self.ball.eps * signs[window.rows]).clamp_(0, 1)
            changed[window.rows] = (edge != window.read(x)).flatten(1).any(dim=1)
            window.write(x, edge)
        return changed

    def settle(self, rows: Rows, kept: Tensor) -> None:
        """Copy the squares one way or the other."""
        for into, out_of, chosen in (("best", "x", kept), ("x", "best", ~kept)):
            for window in windows(rows[into], rows["side"] * chosen, rows["row"], rows["column"]):
                window.write(rows[into], window.read(rows[out_of]))

    def side_of(self, share: Tensor, height: int, width: int) -> Tensor:
        """At least one pixel, at most the shorter side."""
        return (share * height * width).sqrt().round().long().clamp(1, min(height, width))
