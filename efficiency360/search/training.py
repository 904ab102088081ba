"""Short training of candidates: AdamW under a cosine, on images that are mirrored and shifted. Needs torch.

The same architecture, epochs and seed give the same weights, to the bit on one machine with one number of threads.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from efficiency360.zoo.turbovit import TurboViT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Generator, Tensor, nn

    from efficiency360.search.constraints import Training
    from efficiency360.search.data import Part, Sized
    from efficiency360.zoo.spec import TurboViTSpec

_WARMUP = 0.1
_SHIFT = 8  # a side is shifted by up to an eighth
_LONGEST_STEP = 1.0
_ANSWERING = 256


@dataclass(frozen=True)
class Trained:
    """A model after training, and of each class (K,) how many of the images to choose by are right, of how many.

    `seconds` is what training and answering took.
    """

    model: nn.Module
    right: NDArray[np.int64]
    n: NDArray[np.int64]
    seconds: float


def _unseen(_done: int, _total: int) -> None:
    """Nobody watches."""


def train(  # noqa: PLR0913 - what, on what, how, how long; the rest by name
    spec: TurboViTSpec,
    data: Sized,
    training: Training,
    epochs: int,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = _unseen,
) -> Trained:
    """Train an architecture from random weights for some epochs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Normalised(TurboViT(spec), data)
    return fit(model, data, training, epochs, classes=spec.classes, seed=seed, progress=progress)


def fit(  # noqa: PLR0913 - what, on what, how, how long; the rest by name
    model: nn.Module,
    data: Sized,
    training: Training,
    epochs: int,
    *,
    classes: int,
    seed: int = 0,
    progress: Callable[[int, int], None] = _unseen,
) -> Trained:
    """Train a model of images in [0, 1] for some epochs, from the weights that it has.

    A loss that is no longer finite ends it early; the model then answers as it does.
    """
    began = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    optimiser = _optimiser(model, training)
    pixels, labels = torch.from_numpy(data.train.pixels), torch.from_numpy(data.train.labels)
    weights = _weights(data.train.labels, classes) if training.balanced else None
    steps = epochs * math.ceil(len(labels) / training.batch)
    model.train()
    step = 0
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(labels), generator=generator), training.batch):
            for group in optimiser.param_groups:
                group["lr"] = training.rate * _share(step, steps)
            images = _moved(pixels[rows], generator, flip=training.flip).float() / 255
            loss = functional.cross_entropy(
                model(images), labels[rows], weight=weights, label_smoothing=training.smoothing
            )
            if not math.isfinite(loss.item()):
                break
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), _LONGEST_STEP)
            optimiser.step()
            step += 1
        progress(min(step, steps), steps)
    return Trained(model, *answered(model, data.choose, classes), time.perf_counter() - began)


class Normalised(torch.nn.Module):
    """A model of normalised images behind their normalisation; its weights are `model`'s."""

    def __init__(self, model: nn.Module, data: Sized) -> None:
        super().__init__()
        self.model = model
        self._mean, self._std = (torch.from_numpy(one).view(-1, 1, 1) for one in (data.mean, data.std))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> (N, K) logits."""
        logits: Tensor = self.model((images - self._mean) / self._std)
        return logits


@torch.inference_mode()
def answered(model: nn.Module, part: Part, classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each class (K,) how many images get the largest logit at their label, and how many there are."""
    model.eval()
    pixels, labels = torch.from_numpy(part.pixels), torch.from_numpy(part.labels)
    found = np.zeros(classes, np.int64)
    for images, wanted in zip(torch.split(pixels, _ANSWERING), torch.split(labels, _ANSWERING), strict=True):
        hit = wanted[model(images.float() / 255).argmax(dim=1) == wanted]
        found += np.bincount(hit.numpy(), minlength=classes)
    return found, np.bincount(part.labels, minlength=classes)


def _weights(labels: NDArray[np.int64], classes: int) -> Tensor:
    """The weight of each class (K,), so that all weigh alike; 1 on average over the images."""
    counts = np.bincount(labels, minlength=classes).clip(min=1)
    return torch.from_numpy(len(labels) / (classes * counts)).float()


def _optimiser(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW that lets biases, scales of norms and learned positions alone."""
    decayed = [one for name, one in model.named_parameters() if one.ndim > 1 and "positions" not in name]
    free = [one for name, one in model.named_parameters() if one.ndim == 1 or "positions" in name]
    groups = [{"params": decayed, "weight_decay": training.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=training.rate)


def _share(step: int, steps: int) -> float:
    """Share of the full rate: a linear warm-up, then half a cosine down to 0."""
    warmup = max(1, round(_WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup + 1) / (steps - warmup + 1))) / 2


def _moved(pixels: Tensor, generator: Generator, *, flip: bool) -> Tensor:
    """Images (N, C, H, W), each mirrored or not and shifted, with what is missing reflected at the edge."""
    n, _, height, width = pixels.shape
    rows, columns = (_places(n, side, generator) for side in (height, width))
    if flip:
        mirror = torch.rand(n, generator=generator) < 0.5  # noqa: PLR2004 - one in two
        columns = torch.where(mirror[:, None], columns.flip(1), columns)
    batch = torch.arange(n)[:, None, None]
    return pixels.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _places(n: int, side: int, generator: Generator) -> Tensor:
    """Where each of `side` pixels comes from, (N, side), all moved by as much, reflected at both ends."""
    most = side // _SHIFT
    shift = torch.randint(-most, most + 1, (n, 1), generator=generator)
    at = (torch.arange(side)[None, :] + shift).abs()
    return torch.where(at >= side, 2 * side - 2 - at, at)
