"""A model as attribution asks it: in batches, about one class an image, counting what it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from efficiency360.errors import AxisError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    Logits = Callable[[Tensor], Tensor]


@dataclass
class Model:
    """`logits` maps images (N, C, H, W) in [0, 1] to (N, K); `module` is what computes them.

    No more than `batch` images go through it at once. `gives_probabilities` says that its outputs are no logits but
    probabilities already. `black_box` says why it gives no gradients (empty: it may). `forwards` and `backwards` count
    images that went through it, and gradients that came back.
    """

    module: nn.Module
    logits: Logits
    batch: int = 32
    gives_probabilities: bool = False
    black_box: str = ""
    forwards: int = 0
    backwards: int = 0

    def outputs(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K) float32, without gradients."""
        with torch.no_grad():
            found = [self.logits(some).float() for some in torch.split(images, self.batch)]
        self.forwards += len(images)
        return torch.cat(found)

    def scores(self, images: Tensor, classes: Tensor) -> Tensor:
        """The output for each image's class: (N, C, H, W), (N,) -> (N,)."""
        return self.outputs(images).gather(1, classes[:, None])[:, 0]

    def probabilities(self, images: Tensor, classes: Tensor) -> Tensor:
        """The probability of each image's class: (N, C, H, W), (N,) -> (N,) in [0, 1]."""
        outputs = self.outputs(images)
        shares = outputs if self.gives_probabilities else outputs.softmax(dim=1)
        return shares.gather(1, classes[:, None])[:, 0]

    def gradients(self, images: Tensor, classes: Tensor) -> Tensor:
        """Of the output for its class with respect to each image: (n, C, H, W), n <= `batch` -> the same shape.

        Raises:
            AxisError: torch finds no way from the image to the output.
        """
        with torch.enable_grad():
            given = images.detach().clone().requires_grad_(True)
            score = self.scored(given, classes)
            (found,) = torch.autograd.grad(score, given)
        self.backwards += len(images)
        return found.detach()

    def scored(self, images: Tensor, classes: Tensor) -> Tensor:
        """The sum of the outputs for the classes, to be differentiated.

        Raises:
            AxisError: it cannot be.
        """
        score = self.logits(images).gather(1, classes[:, None]).sum()
        self.forwards += len(images)
        if not score.requires_grad:
            raise AxisError("its answers do not depend on the image as far as gradients can tell")
        return score
