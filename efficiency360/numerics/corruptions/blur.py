"""Blur: defocus, glass, motion, zoom and Gaussian, with the severities of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.filters import bell, convolve, extend, gaussian, magnified, smear
from efficiency360.numerics.corruptions.recipe import Corruption

if TYPE_CHECKING:
    from efficiency360.numerics.corruptions.recipe import Chance, Params


@lru_cache(maxsize=16)
def disk(radius: float, alias: float) -> Tensor:
    """Return a lens's disk of `radius` pixels (K, K), its edge softened by a narrow Gaussian of `alias` pixels."""
    reach = max(8, int(radius))  # the support that the original gives small disks; it matters at the edge of radius 8
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    inside = (steps[:, None] ** 2 + steps**2 <= radius**2).double()
    half = 1 if reach == 8 else 2  # noqa: PLR2004 - the original's widths, 3 and 5
    weights = torch.tensor(bell(alias, half / alias), dtype=torch.float64)
    padded = extend((inside / inside.sum())[None], half, "mirror")[0]
    soft = padded.unfold(0, 2 * half + 1, 1) @ weights
    return trimmed((soft.unfold(1, 2 * half + 1, 1) @ weights).float())


def trimmed(kernel: Tensor) -> Tensor:
    """Cut the empty frame off a kernel (K, K)."""
    used = int((kernel.abs() > 1e-9).any(dim=0).nonzero().min())  # noqa: PLR2004 - far below a grey level
    return kernel[used : len(kernel) - used, used : len(kernel) - used]


def _defocus(images: Tensor, params: Params, _: Chance) -> Tensor:
    return convolve(images, disk(*params), "mirror")


def _gaussian(images: Tensor, params: Params, _: Chance) -> Tensor:
    return gaussian(images, params[0])


def _zoom(images: Tensor, params: Params, _: Chance) -> Tensor:
    stop, step = params
    factors = np.arange(1, stop, step)  # numpy's rounding decides whether `stop` itself is among them, as it did there
    height, width = images.shape[-2:]
    total = images.clone()
    for factor in factors:
        total += magnified(images, float(factor))[..., :height, :width]
    return total / (len(factors) + 1)


def angle(_: Tensor, __: Params, generator: Generator) -> Chance:
    """Draw a direction in degrees from -45 to 45."""
    return (torch.rand((), generator=generator) * 90 - 45,)


def _motion(images: Tensor, params: Params, chance: Chance) -> Tensor:
    return smear(images, int(params[0]), params[1], chance[0])


def steps(image: Tensor, params: Params, generator: Generator) -> Chance:
    """Draw for every pass and pixel how far it looks (passes, 2, H, W): rows and columns from -reach to reach - 1."""
    _, reach, passes = (int(value) for value in params)
    return (torch.randint(-reach, reach, (passes, 2, *image.shape[-2:]), generator=generator),)


def _glass(images: Tensor, params: Params, chance: Chance) -> Tensor:
    sigma, reach, passes = params[0], int(params[1]), int(params[2])
    blurred = (gaussian(images, sigma) * 255 + 1e-4).floor() / 255  # the original keeps bytes between its steps
    for number in range(passes):
        source = _sources(chance[0][:, number], reach)
        blurred = blurred.flatten(2).gather(2, source[:, None].expand(-1, blurred.shape[1], -1)).view_as(blurred)
    return gaussian(blurred, sigma)


def _sources(moves: Tensor, reach: int) -> Tensor:
    """Return for every pixel (N, H * W) which original pixel ends up there after one pass.

    The pass goes from the last pixel to the first, and each takes what is then at its random neighbour: the original's
    "swap" copies, because its pixels are views. So a pixel that looks at a later one takes what that one took before.
    Nodes 0 .. M-1 stand for pixels after their turn, M .. 2M-1 for original ones; jumping along doubles the stride.
    """
    height, width = moves.shape[-2:]
    size = height * width
    rows, columns = torch.arange(height, device=moves.device)[:, None], torch.arange(width, device=moves.device)
    own = (rows * width + columns).expand(len(moves), -1, -1)
    turns = _between(rows, reach, height) & _between(columns, reach, width)
    there = torch.where(turns, own + moves[:, 0] * width + moves[:, 1], own)
    later = turns & (there > own) & turns.flatten()[there.clamp(0, size - 1)]
    after = torch.where(later, there, there + size).flatten(1)
    graph = torch.cat([after, torch.arange(size, 2 * size, device=moves.device).expand(len(moves), -1)], dim=1)
    while bool((graph[:, :size] < size).any()):
        graph[:, :size] = graph.gather(1, graph[:, :size])
    return graph[:, :size] - size


def _between(positions: Tensor, reach: int, size: int) -> Tensor:
    return (positions > reach) & (positions <= size - reach)


BLUR = {
    "defocus_blur": Corruption(
        [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
        [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
        _defocus,
    ),
    "glass_blur": Corruption(  # sigma, reach, passes
        [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
        [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
        _glass,
        steps,
    ),
    "motion_blur": Corruption(  # radius, sigma
        [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)], [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)], _motion, angle
    ),
    "zoom_blur": Corruption(  # zoomed from 1 up to, in steps of
        [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
        [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
        _zoom,
    ),
    "gaussian_blur": Corruption([(1,), (2,), (3,), (4,), (6,)], [(0.4,), (0.6,), (0.7,), (0.8,), (1,)], _gaussian),
}
