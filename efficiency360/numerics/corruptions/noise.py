"""Noise: Gaussian, shot, impulse and speckle, with the severities of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.recipe import Corruption

if TYPE_CHECKING:
    from efficiency360.numerics.corruptions.recipe import Chance, Params


def normal(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw standard normal noise of the image's shape."""
    return (torch.randn(image.shape, generator=generator),)


def counts(image: Tensor, params: Params, generator: Generator) -> Chance:
    """Draw how many of `params[0]` photons at white every pixel catches."""
    return (torch.poisson(image.clamp(0, 1) * params[0], generator=generator),)


def uniform(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw numbers from [0, 1) of the image's shape."""
    return (torch.rand(image.shape, generator=generator),)


def _gaussian(images: Tensor, params: Params, chance: Chance) -> Tensor:
    return images + params[0] * chance[0]


def _shot(_: Tensor, params: Params, chance: Chance) -> Tensor:
    return chance[0] / params[0]


def _impulse(images: Tensor, params: Params, chance: Chance) -> Tensor:
    half = params[0] / 2  # salt and pepper in equal parts
    return images.masked_fill(chance[0] < half, 0).masked_fill(chance[0] >= 1 - half, 1)


def _speckle(images: Tensor, params: Params, chance: Chance) -> Tensor:
    return images + images * params[0] * chance[0]


def _each(*values: float) -> list[Params]:
    return [(value,) for value in values]


NOISE = {
    "gaussian_noise": Corruption(
        _each(0.08, 0.12, 0.18, 0.26, 0.38), _each(0.04, 0.06, 0.08, 0.09, 0.10), _gaussian, normal
    ),
    "shot_noise": Corruption(_each(60, 25, 12, 5, 3), _each(500, 250, 100, 75, 50), _shot, counts),
    "impulse_noise": Corruption(
        _each(0.03, 0.06, 0.09, 0.17, 0.27), _each(0.01, 0.02, 0.03, 0.05, 0.07), _impulse, uniform
    ),
    "speckle_noise": Corruption(_each(0.15, 0.2, 0.35, 0.45, 0.6), _each(0.06, 0.1, 0.12, 0.16, 0.2), _speckle, normal),
}
