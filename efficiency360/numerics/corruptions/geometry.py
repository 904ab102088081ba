"""Small rotations and translations: a camera or a part that sits a little askew.

The ranges are those of Engstrom et al. 2019, "Exploring the Landscape of Spatial Robustness" (rotations of up to 30
degrees, translations of about a tenth of the side), spread over five severities. What comes into view at the border is
the mirrored image, so that no black wedge gives the corruption away. The side is drawn for each image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.filters import outside, resampled
from efficiency360.numerics.corruptions.recipe import Corruption

if TYPE_CHECKING:
    from efficiency360.numerics.corruptions.recipe import Chance, Params


def sides(_: Tensor, __: Params, generator: Generator) -> Chance:
    """Draw two signs, (2,) of -1 and 1."""
    return (torch.randint(0, 2, (2,), generator=generator) * 2 - 1,)


def _rotated(images: Tensor, params: Params, chance: Chance) -> Tensor:
    height, width = images.shape[-2:]
    radians = (chance[0][:, 0] * math.radians(params[0]))[:, None, None]
    rows = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    columns = torch.arange(width, device=images.device) - (width - 1) / 2
    cosine, sine = radians.cos(), radians.sin()
    down, across = cosine * rows - sine * columns, sine * rows + cosine * columns
    return resampled(images, down + (height - 1) / 2, across + (width - 1) / 2)


def _translated(images: Tensor, params: Params, chance: Chance) -> Tensor:
    for axis, signs in ((-2, chance[0][:, 0]), (-1, chance[0][:, 1])):
        size = images.shape[axis]
        pixels = math.ceil(params[0] * size)  # whole pixels, since half ones would also blur; at least one
        index = outside(torch.arange(size, device=images.device) - signs[:, None] * pixels, size, "symmetric")
        shape = (-1, 1, size, 1) if axis == -2 else (-1, 1, 1, size)  # noqa: PLR2004 - rows
        images = images.gather(axis, index.reshape(shape).expand_as(images))
    return images


GEOMETRY = {
    "rotation": Corruption(  # degrees, either way
        # 2 is what a hand-mounted camera is off by, 5 and 10 a part that lies askew, 20 and 30 the literature's limit.
        [(2,), (5,), (10,), (20,), (30,)],
        None,
        _rotated,
        sides,
    ),
    "translation": Corruption(  # share of the side, along both axes
        # 3 % is a pixel of a CIFAR image, where shifted benchmarks begin; 15 % still leaves a centred object in view.
        [(0.03,), (0.06,), (0.09,), (0.12,), (0.15,)],
        None,
        _translated,
        sides,
    ),
}
