"""What goes wrong with a cheap camera over an inspection line: little light, noise, lost focus, motion, strong JPEG.

Light is counted in the linear domain (grey values to the power of 2.2), as electrons of a small sensor's pixel that
holds 5000 of them, and the result is rounded to 8 bits, as a camera's own picture is. Lengths are shares of the image's
side, so the same fault looks the same at every resolution. The severities are ours, each from a setting of such a line.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.digital import compressed, to_bytes
from efficiency360.numerics.corruptions.filters import along, convolve, each
from efficiency360.numerics.corruptions.recipe import Corruption

if TYPE_CHECKING:
    from efficiency360.numerics.corruptions.recipe import Chance, Params

GAMMA = 2.2
FULL_WELL = 5000.0  # electrons of a 2 to 3 micrometre pixel
READ_NOISE = 4.0  # electrons, rms, of an inexpensive rolling-shutter sensor
FINE = 8  # subpixels a side when a disk's edge is drawn


def eight_bit(images: Tensor) -> Tensor:
    """Round to the 256 grey levels that a camera gives, in [0, 1]."""
    return to_bytes(images).float() / 255


def electrons(image: Tensor, white: float, generator: Generator) -> Tensor:
    """Draw what a sensor reads: Poisson arrivals, `white` electrons where the image is 1, and Gaussian read noise."""
    arrived = torch.poisson(image.clamp(0, 1) ** GAMMA * white, generator=generator)
    return arrived + READ_NOISE * torch.randn(image.shape, generator=generator)


def dim(image: Tensor, params: Params, generator: Generator) -> Chance:
    """Draw the electrons that remain when the light is halved `params[0]` times."""
    return (electrons(image, FULL_WELL / 2 ** params[0], generator),)


def _low_light(_: Tensor, __: Params, chance: Chance) -> Tensor:
    return eight_bit((chance[0] / FULL_WELL).clamp(0, 1) ** (1 / GAMMA))


def gained(image: Tensor, params: Params, generator: Generator) -> Chance:
    """Draw the electrons behind a picture that `params[0]` decibels of gain brought to its usual lightness."""
    return (electrons(image, white_at(params[0]), generator),)


def white_at(decibels: float) -> float:
    """Return how many electrons make white at this gain."""
    return float(FULL_WELL / 10 ** (decibels / 20))


def _sensor_noise(_: Tensor, params: Params, chance: Chance) -> Tensor:
    return eight_bit((chance[0] / white_at(params[0])).clamp(0, 1) ** (1 / GAMMA))


@lru_cache(maxsize=16)
def lens(radius: float) -> Tensor:
    """Return a disk of `radius` pixels (K, K), every pixel weighing what the disk covers of it."""
    reach = math.ceil(radius - 0.5)
    places = (torch.arange((2 * reach + 1) * FINE) + 0.5) / FINE - reach - 0.5
    covered = (places[:, None] ** 2 + places**2 <= radius**2).float()
    kernel = covered.reshape(2 * reach + 1, FINE, 2 * reach + 1, FINE).mean(dim=(1, 3))
    return kernel / kernel.sum()


def _defocus(images: Tensor, params: Params, _: Chance) -> Tensor:
    radius = 0.6 + params[0] * min(images.shape[-2:])  # a little over half a pixel: the smallest images blur too
    return eight_bit(convolve(images, lens(radius), "mirror"))


def _motion(images: Tensor, params: Params, _: Chance) -> Tensor:
    width = images.shape[-1]
    travel = 1 + params[0] * width
    whole = math.ceil((travel - 1) / 2)
    end = (travel - (2 * whole - 1)) / 2
    weights = (end, *[1.0] * (2 * whole - 1), end)
    across = along(width, tuple(weight / travel for weight in weights), "nearest")
    return eight_bit(each(lambda image: image @ across.to(image.device).mT, images))


def _strong_jpeg(images: Tensor, params: Params, chance: Chance) -> Tensor:
    return compressed(images, params, chance)


FAULTS = {
    "low_light": Corruption(  # stops
        # A lamp loses one stop with age; at five the line is lit by the hall alone.
        [(1,), (2,), (3,), (4,), (5,)],
        None,
        _low_light,
        dim,
    ),
    "sensor_noise": Corruption(  # decibels
        # 12 dB is where automatic gain starts to show, 36 to 44 dB the end of its range in inexpensive cameras.
        [(12,), (20,), (28,), (36,), (44,)],
        None,
        _sensor_noise,
        gained,
    ),
    "defocus": Corruption(  # radius of the circle of confusion as a share of the shorter side
        # 0.5 % is a part that stands a little too high; at 6 % the whole lens has slipped.
        [(0.005,), (0.01,), (0.02,), (0.04,), (0.06,)],
        None,
        _defocus,
    ),
    "motion": Corruption(  # travel during the exposure as a share of the width, along the rows, where the belt runs
        # On a belt at 0.5 m/s seen 100 mm wide, exposures of 2, 4, 8, 16 and 32 ms.
        [(0.01,), (0.02,), (0.04,), (0.08,), (0.16,)],
        None,
        _motion,
    ),
    "strong_jpeg": Corruption(  # quality of the JPEG encoder
        # 30 is what network cameras send when the link is shared; 5 is where blocks are all that is left of texture.
        [(30,), (20,), (12,), (8,), (5,)],
        None,
        _strong_jpeg,
    ),
}
