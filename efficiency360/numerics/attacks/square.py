"""Square attack (Andriushchenko et al. 2020, arXiv 1912.00049): random squares, kept where the margin shrinks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import losses, noise
from efficiency360.numerics.attacks.ball import per_row
from efficiency360.numerics.attacks.method import Fresh, Method, Rows, Seen, misclassified, zeros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.spec import Spec

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
_PLANNED = 10000
_DRAWS = 2
_AHEAD = 16
DICE = 5
"""Random numbers of a query beside a sign for each channel: two places of two coordinates, and a turn."""


class Square(Method):
    """What both norms share: the schedule of the squares' sizes, and keeping what raises the margin.

    The share of pixels p halves after 10, 50, 200, 500, 1000, 2000, 4000, 6000 and 8000 queries.
    """

    gradients = False

    def __init__(self, spec: Spec, ball: Ball, classes: int) -> None:
        super().__init__(spec, ball, classes)
        self._queries = spec.count("queries")
        stretch = self._queries / _PLANNED if spec.number("rescale") else 1.0
        self._ends = torch.tensor([end * stretch for end in _HALVINGS])
        self._known: dict[tuple[int, int], Tensor] = {}

    def begin(self, fresh: Fresh) -> Rows:
        """The first proposal is the start, and is kept whatever the model says of it."""
        x = self.start(fresh)
        return {
            "x": x, "clean": fresh.clean, "best": x.clone(), "label": fresh.labels, "key": fresh.keys,
            "it": zeros(x), "margin": zeros(x, x.dtype) - torch.inf, "side": zeros(x), "row": zeros(x),
            "dice": x.new_zeros((len(x), DICE + x.shape[1])),
            "bank": x.new_zeros((len(x), _AHEAD, DICE + x.shape[1])), "banked": zeros(x) - _AHEAD,
            "column": zeros(x), "began": zeros(x, x.dtype) - torch.inf,
        }  # fmt: skip

    def advance(self, rows: Rows, seen: Seen) -> Tensor:
        """Keep the proposal where it came nearer to misclassification, take it back elsewhere, propose the next."""
        margin = losses.margin(seen.logits, rows["label"])
        began = rows["it"] == 0
        rows["began"] = torch.where(began, margin, rows["began"])
        kept = (margin > rows["margin"]) | misclassified(seen.logits, rows["label"]) | began
        rows["margin"] = torch.where(kept, margin, rows["margin"])
        self.settle(rows, kept)
        self._next(rows)
        return rows["it"] > self._queries

    def idle(self, rows: Rows) -> Tensor:
        """Rows whose margin is that of the start."""
        return rows["margin"] <= rows["began"]

    @abstractmethod
    def start(self, fresh: Fresh) -> Tensor:
        """The first proposal (N, C, H, W)."""

    @abstractmethod
    def propose(self, rows: Rows, sides: Tensor) -> Tensor:
        """Write the next proposal into `x`, which is `best`, where `sides` (N,) is not 0; (N,) bool: what changed.

        `row`, `column` and `dice` are drawn.
        """

    @abstractmethod
    def settle(self, rows: Rows, kept: Tensor) -> None:
        """Make `best` and `x` the same: the proposal where `kept`, else what was best."""

    @abstractmethod
    def side_of(self, share: Tensor, height: int, width: int) -> Tensor:
        """(N,) side in pixels of a square that covers a share of the image."""

    def signs(self, rows: Rows) -> Tensor:
        """(N, C, 1, 1), -1 or 1: the drawn sign of each channel."""
        return ((rows["dice"][:, DICE:, None, None] < 0.5).to(rows["x"].dtype) * 2).sub_(1)  # noqa: PLR2004 - a fair coin

    def _next(self, rows: Rows) -> None:
        """Go on to the next proposal; that of one that changes no pixel is known, so the one after it is drawn.

        After a few of these in a row it is asked nevertheless, for looking on would cost more.
        """
        waits = torch.ones_like(rows["it"], dtype=torch.bool)
        for _ in range(_DRAWS):
            self._draw(rows, waits)
            rows["it"] += waits
            changed = self.propose(rows, rows["side"] * waits)
            waits &= ~changed & (rows["it"] <= self._queries)
            if not waits.any():
                return

    def _draw(self, rows: Rows, chosen: Tensor) -> None:
        """The size and the place of the coming square of chosen rows (N,) bool."""
        height, width = rows["x"].shape[-2:]
        side = self._sides(height, width).to(rows["it"].device)[rows["it"].clamp(max=self._queries)]
        dice = self._thrown(rows)
        drawn = {
            "side": side,
            "row": (dice[:, 0] * (height - side + 1)).long(),
            "column": (dice[:, 1] * (width - side + 1)).long(),
            "dice": dice,
        }
        everyone = bool(chosen.all())
        for name, tensor in drawn.items():
            rows[name] = tensor if everyone else torch.where(per_row(chosen, tensor), tensor, rows[name])

    def _sides(self, height: int, width: int) -> Tensor:
        """(Q + 1,) the side of the square of each query."""
        if (height, width) not in self._known:
            halvings = torch.bucketize(torch.arange(self._queries + 1.0), self._ends)
            self._known[height, width] = self.side_of(self.spec.number("p") / 2.0**halvings, height, width)
        return self._known[height, width]

    def _thrown(self, rows: Rows) -> Tensor:
        """(N, D) the random numbers of this query, drawn ahead: one large tensor costs less than many small ones."""
        at = rows["it"] - rows["banked"]
        if (at >= _AHEAD).any():
            empty = (at >= _AHEAD // 2).nonzero()[:, 0]
            first = rows["it"][empty]
            draws = first[:, None] + torch.arange(_AHEAD, device=first.device)
            keys = rows["key"][empty].repeat_interleave(_AHEAD)
            drawn = noise.uniform(keys, rows["bank"].shape[2:], draws.flatten())
            rows["bank"][empty] = drawn.view(len(empty), *rows["bank"].shape[1:]).to(rows["bank"].dtype)
            rows["banked"][empty] = first
            at = rows["it"] - rows["banked"]
        return rows["bank"][torch.arange(len(at), device=at.device), at]


@dataclass(frozen=True)
class Window:
    """Rows whose squares have one size, and the places of their pixels in the flattened images."""

    rows: Tensor
    places: Tensor

    def read(self, images: Tensor) -> Tensor:
        """The squares (n, C, side, side) of images (N, C, H, W), contiguous."""
        return images.view(-1).index_select(0, self.places.view(-1)).view(self.places.shape)

    def write(self, images: Tensor, squares: Tensor) -> None:
        """Put squares into images."""
        images.put_(self.places, squares)


def windows(images: Tensor, sides: Tensor, tops: Tensor, lefts: Tensor) -> Iterator[Window]:
    """The squares of images (N, C, H, W), grouped by size; a side of 0 has none."""
    _, channels, height, width = images.shape
    for side in sorted(set(sides.tolist())):
        if side == 0:
            continue
        rows = (sides == side).nonzero()[:, 0]
        first = (rows * channels * height + tops[rows]) * width + lefts[rows]
        yield Window(rows, first[:, None, None, None] + _square(side, channels, height, width, images.device))


@lru_cache(maxsize=64)
def _square(side: int, channels: int, height: int, width: int, device: torch.device) -> Tensor:
    """(C, side, side) the places of a square's pixels behind that of its first."""
    along = torch.arange(side, device=device)
    return torch.arange(channels, device=device)[:, None, None] * height * width + along[:, None] * width + along
