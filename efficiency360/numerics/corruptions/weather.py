"""Weather: snow, frost, fog and brightness, with the severities of ImageNet-C and CIFAR-10-C.

Frost is ours. The original lays photographs of frozen windows over the image, which cannot be shipped; here a texture
of icy needles on a cloudy ground, with about the photographs' lightness, contrast and tint, takes their place and is
mixed in at the original's shares. Its figures are not comparable with published ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.filters import each, magnified, smear
from efficiency360.numerics.corruptions.plasma import plasma, side_for
from efficiency360.numerics.corruptions.recipe import Corruption, per_image

if TYPE_CHECKING:
    from efficiency360.numerics.corruptions.recipe import Chance, Params

LUMA = (0.299, 0.587, 0.114)
ICE_CONTRAST = 0.11  # standard deviation of the photographs' grey values; their means lie between 0.48 and 0.81
ICE_LIGHTNESS = (0.48, 0.81)
ICE_TINT = (0.9, 1.02, 1.08)
ICE_NEEDLES = 3


def grey(images: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) of images of one or three channels."""
    if images.shape[1] == 1:
        return images
    return (images * torch.tensor(LUMA, device=images.device)[:, None, None]).sum(dim=1, keepdim=True)


def flakes(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw standard normal noise (1, H, W) and the wind's direction in degrees, from -135 to -45."""
    noise = torch.randn(1, *image.shape[-2:], generator=generator)
    return noise, torch.rand((), generator=generator) * 90 - 135


def _snow(images: Tensor, params: Params, chance: Chance) -> Tensor:
    mean, deviation, zoom, threshold, radius, sigma, share = params
    noise, wind = chance
    height, width = images.shape[-2:]
    fallen = _enlarged(mean + deviation * noise, zoom)
    fallen = fallen.masked_fill(fallen < threshold, 0).clamp(0, 1)
    fallen = (smear(fallen, int(radius), sigma, wind) * 255).round()[..., :height, :width] / 255
    pale = torch.maximum(images, grey(images) * 1.5 + 0.5)
    return share * images + (1 - share) * pale + fallen + fallen.rot90(2, (-2, -1))


def _enlarged(noise: Tensor, zoom: float) -> Tensor:
    return noise if zoom == 1 else magnified(noise, zoom)


def haze(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw the displacements from which the haze grows, in [-1, 1]."""
    return (torch.rand(side_for(*image.shape[-2:]) ** 2 - 1, generator=generator) * 2 - 1,)


def _fog(images: Tensor, params: Params, chance: Chance) -> Tensor:
    thickness, decay = params
    height, width = images.shape[-2:]
    lightest = images.flatten(1).amax(dim=1)
    hazy = images + thickness * plasma(chance[0], decay)[:, None, :height, :width]
    return hazy * per_image(lightest / (lightest + thickness))


def _brightness(images: Tensor, params: Params, _: Chance) -> Tensor:
    value = images.amax(dim=1, keepdim=True)  # V of HSV; the other two stay when all channels grow by one factor
    lighter = (value + params[0]).clamp(max=1)
    return torch.where(value > 0, images * lighter / value.clamp(min=1e-12), lighter)


def ice(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw noise for needles (ICE_NEEDLES, H, W), their directions, the ground's displacements and the lightness."""
    noise = torch.rand(ICE_NEEDLES, *image.shape[-2:], generator=generator)
    directions = torch.rand(ICE_NEEDLES, generator=generator) * 360
    ground = haze(image, (), generator)[0]
    return noise, directions, ground, torch.rand((), generator=generator)


def frosted(chance: Chance) -> Tensor:
    """Return textures of frost (N, 1, H, W): lightness drawn for each, contrast the same for all."""
    noise, directions, ground, lightness = chance
    height, width = noise.shape[-2:]
    length = max(2, min(height, width) // 16)
    seeds = (noise > 1 - 0.25 / length).float().flatten(0, 1)[:, None]
    needles = smear(seeds, length, float(length), directions.flatten()).reshape(noise.shape).amax(dim=1, keepdim=True)
    texture = plasma(ground, 1.6)[:, None, :height, :width] + needles * length / 2
    low, high = ICE_LIGHTNESS
    return (each(_standard, texture) * ICE_CONTRAST + per_image(low + (high - low) * lightness)).clamp(0, 1)


def _standard(texture: Tensor) -> Tensor:
    deviation, mean = torch.std_mean(texture)
    return (texture - mean) / deviation


def _frost(images: Tensor, params: Params, chance: Chance) -> Tensor:
    keep, share = params
    tint = torch.tensor(ICE_TINT if images.shape[1] > 1 else (math.fsum(ICE_TINT) / 3,), device=images.device)
    return keep * images + share * (frosted(chance) * tint[:, None, None]).clamp(max=1)


WEATHER = {
    "snow": Corruption(  # the layer's mean and deviation, zoom, threshold, radius, sigma; how much of the image stays
        [
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ],
        [
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ],
        _snow,
        flakes,
    ),
    "frost": Corruption(
        [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
        [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
        _frost,
        ice,
    ),
    "fog": Corruption(
        [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
        [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)],
        _fog,
        haze,
    ),
    "brightness": Corruption(
        [(0.1,), (0.2,), (0.3,), (0.4,), (0.5,)], [(0.05,), (0.1,), (0.15,), (0.2,), (0.3,)], _brightness
    ),
}
