"""Programs that were exported for a number of images, behind a module that takes any number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable


class FixedBatch(nn.Module):
    """Runs a module on pieces of `most` images; a piece of fewer than `least` is filled up with copies of its first.

    `pick` takes the logits, (n, K), out of what the module answers for n images.
    """

    def __init__(self, module: nn.Module, least: int, most: int, pick: Callable[[Any, int], Tensor]) -> None:
        super().__init__()
        self.module, self.least, self.most, self.pick = module, least, most, pick

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W), N at least 1 -> logits (N, K)."""
        return torch.cat([self._answer(piece) for piece in torch.split(images, self.most)])

    def full(self, image: Tensor) -> Tensor:
        """The smallest batch that the module takes, (least, C, H, W), from (n, C, H, W)."""
        missing = self.least - len(image)
        return torch.cat([image, image[:1].expand(missing, -1, -1, -1)]) if missing > 0 else image

    def _answer(self, images: Tensor) -> Tensor:
        whole = self.full(images)
        return self.pick(self.module(whole), len(whole))[: len(images)]
