"""The recipe of train.py: AdamW, a cosine, mixup, smoothed labels, and a teacher where there is one.

Everything random in an epoch is drawn from (seed, epoch), so an epoch gives the same weights whether the training ran
through or was resumed before it: to the bit on a CPU with the same number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

WARMUP_SHARE = 0.1
MAX_SHIFT = 0.1  # of the side
MAX_SCALE = 0.15
MAX_CONTRAST = 0.3
MAX_BRIGHTNESS = 0.15  # in [0, 1] pixel units
LONGEST_STEP = 1.0  # gradients are cut to this norm


@dataclass(frozen=True)
class Recipe:
    """How to train; `distil` is the teacher's share of the loss, `mixup` the parameter of its beta distribution.

    `keep_statistics` leaves the means and variances of batch norms as they are.
    """

    epochs: int
    batch: int
    rate: float
    weight_decay: float
    smoothing: float
    mixup: float
    distil: float
    temperature: float
    flip: bool
    seed: int
    keep_statistics: bool = False


@dataclass(frozen=True)
class Images:
    """Decoded images (N, C, H, W) uint8 and their classes (N,); `mean` and `std` (C, 1, 1) are in [0, 1] units."""

    pixels: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor

    def normalised(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] as the model takes it."""
        return (images - self.mean.to(images.device)) / self.std.to(images.device)


@dataclass(frozen=True)
class Lessons:
    """What is trained on and how; `teacher` maps images in [0, 1] to logits."""

    data: Images
    recipe: Recipe
    teacher: Callable[[Tensor], Tensor] | None = None


def optimiser_of(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW that lets biases, scales of norms and learned positions alone."""
    trained = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    free = [one for name, one in trained if one.ndim == 1 or "positions" in name or "pos_embed" in name]
    decayed = [one for _, one in trained if not any(one is other for other in free)]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.rate)


def rate_at(step: int, steps: int) -> float:
    """Share of the full learning rate at `step` of `steps`: a linear warm-up, then half a cosine down to 0."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup + 1) / (steps - warmup + 1))) / 2


def augment(images: Tensor, generator: Generator, *, flip: bool) -> Tensor:
    """Each image in [0, 1] shifted, scaled, perhaps mirrored, brightened or darkened; same shape and range."""
    n = len(images)

    def uniform(limit: float) -> Tensor:
        return limit * (2 * torch.rand(n, generator=generator) - 1)

    scale, none = 1 + uniform(MAX_SCALE), torch.zeros(n)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0) if flip else torch.ones(n)  # noqa: PLR2004
    # affine_grid counts from -1 to 1, so a shift of the whole side is 2
    rows = [scale * mirror, none, uniform(2 * MAX_SHIFT), none, scale, uniform(2 * MAX_SHIFT)]
    affine = torch.stack(rows, dim=1).view(n, 2, 3).to(images.device)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    contrast, brightness = (
        values.view(-1, 1, 1, 1).to(images.device) for values in (1 + uniform(MAX_CONTRAST), uniform(MAX_BRIGHTNESS))
    )
    middle = moved.mean(dim=(1, 2, 3), keepdim=True)
    return ((moved - middle) * contrast + middle + brightness).clamp(0, 1)


def loss_of(logits: Tensor, targets: Tensor, taught: Tensor | None, recipe: Recipe) -> Tensor:
    """Cross-entropy with targets (N, K), and where `taught` holds a teacher's logits (N, K) the divergence from these.

    Source: Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015, section 2.
    """
    loss = functional.cross_entropy(logits, targets, label_smoothing=recipe.smoothing)
    if taught is None:
        return loss
    ours, theirs = ((one / recipe.temperature).log_softmax(dim=1) for one in (logits, taught))
    apart = functional.kl_div(ours, theirs, reduction="batchmean", log_target=True) * recipe.temperature**2
    return (1 - recipe.distil) * loss + recipe.distil * apart


def train_epoch(model: nn.Module, optimiser: torch.optim.Optimizer, lessons: Lessons, epoch: int) -> Iterator[float]:
    """Train through epoch number `epoch` (from 0) and give the loss of each step as it is made."""
    data, recipe, teacher = lessons.data, lessons.recipe, lessons.teacher
    chance = np.random.default_rng([recipe.seed, epoch])
    generator = torch.Generator().manual_seed(int(chance.integers(1 << 62)))
    device = next(model.parameters()).device
    classes = int(data.labels.max()) + 1
    order = torch.split(torch.randperm(len(data.labels), generator=generator), recipe.batch)
    to_training(model, keep_statistics=recipe.keep_statistics)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(chance.integers(1 << 62)))  # for dropout
        for number, rows in enumerate(order):
            share = rate_at(epoch * len(order) + number, recipe.epochs * len(order))
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * share
            images = augment(data.pixels[rows].to(device).float() / 255, generator, flip=recipe.flip)
            targets = functional.one_hot(data.labels[rows], classes).float().to(device)
            if recipe.mixup:
                images, targets = mixed(images, targets, float(chance.beta(recipe.mixup, recipe.mixup)))
            with torch.no_grad():
                taught = teacher(images) if teacher else None
            loss = loss_of(model(data.normalised(images)), targets, taught, recipe)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), LONGEST_STEP)
            optimiser.step()
            yield loss.item()


def to_training(model: nn.Module, *, keep_statistics: bool) -> None:
    """Training mode, but for frozen layers, and for all batch norms where these keep their statistics.

    A few hundred images that look alike have other statistics than those that pretrained weights are used to, and
    what the head has learned of the features is then lost.
    """
    model.train()
    for layer in model.modules():
        own = list(layer.parameters(recurse=False))
        frozen = bool(own) and not any(one.requires_grad for one in own)
        if frozen or (keep_statistics and isinstance(layer, nn.modules.batchnorm._BatchNorm)):  # noqa: SLF001 - of all ranks
            layer.eval()


def mixed(images: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Images and targets, `share` of each, the rest of its neighbour (Zhang et al., mixup, 2018, section 2)."""
    return (
        share * images + (1 - share) * images.roll(1, 0),
        share * targets + (1 - share) * targets.roll(1, 0),
    )


@torch.inference_mode()
def right(model: nn.Module, data: Images, batch: int) -> int:
    """How many images get the largest logit at their label."""
    device = next(model.parameters()).device
    model.eval()
    found = 0
    for images, labels in zip(torch.split(data.pixels, batch), torch.split(data.labels, batch), strict=True):
        logits = model(data.normalised(images.to(device).float() / 255))
        found += int((logits.argmax(dim=1).cpu() == labels).sum())
    return found
