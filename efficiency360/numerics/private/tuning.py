"""Private training of a model itself: Poisson samples, in physical batches that fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from efficiency360.numerics.private.head import Trail, normalised
from efficiency360.numerics.private.watching import Plan, clipped_gradients

if TYPE_CHECKING:
    from collections.abc import Callable

    from efficiency360.numerics.private.recipe import Recipe, Run


class NewHead(nn.Module):
    """A linear layer that starts from 0, on features normalised image by image, as `head.train` trains one."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width + 1, classes, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(N, width) -> (N, classes)."""
        logits: Tensor = self.linear(normalised(features))
        return logits


def tune(  # noqa: PLR0913, PLR0917 - each is needed
    chosen: Plan,
    forward: Callable[[Tensor], Tensor],
    images: Callable[[Tensor], Tensor],
    targets: Tensor,
    recipe: Recipe,
    run: Run,
    physical: int,
    progress: Callable[[], None] = lambda: None,
) -> Trail:
    """Train the parameters of a plan in place. Without privacy gradients are clipped too: deep models need it.

    Args:
        chosen: what is trained; no parameter of the model wants a gradient.
        forward: images -> logits.
        images: rows of training images (B,) -> images (B, C, H, W) as `forward` takes them.
        targets: classes (n,) int64.
        recipe: how it is trained.
        run: seed and noise multiplier.
        physical: how many images are in memory at once; the result does not depend on it but for rounding.
        progress: called after every step.
    """
    generator = torch.Generator().manual_seed(run.seed)
    parameters = chosen.parameters
    velocity = [torch.zeros_like(one) for one in parameters]
    trail = Trail.none(1)
    for _ in range(recipe.steps):
        rows = (torch.rand(recipe.n, generator=generator) < recipe.rate).nonzero()[:, 0]
        sums = [torch.zeros_like(one) for one in parameters]
        for some in torch.split(rows, physical):
            if not len(some):
                continue
            found = clipped_gradients(
                chosen, forward, images(some), targets[some].to(parameters[0].device), recipe.clip
            )
            torch._foreach_add_(sums, found.sums)
            trail.longest = torch.maximum(trail.longest, found.lengths.max().double().cpu())
        trail.taken += len(rows)
        for parameter, total, speed in zip(parameters, sums, velocity, strict=True):
            noise = torch.randn(parameter.shape, generator=generator).to(parameter.device)
            noisy = total + (run.sigma or 0.0) * recipe.clip * noise
            trail.noise += ((noisy - total) / recipe.clip).square().sum().double().cpu()
            trail.cells += parameter.numel()
            speed.mul_(recipe.momentum).add_(noisy / recipe.expected)
            parameter.data.sub_(recipe.learning_rate * speed)
        progress()
    return trail
