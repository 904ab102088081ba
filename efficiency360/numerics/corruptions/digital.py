"""Digital: contrast, elastic transform, pixelate, JPEG, saturate, with the severities of ImageNet-C and CIFAR-10-C."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.filters import each, gaussian, resampled
from efficiency360.numerics.corruptions.recipe import Corruption

if TYPE_CHECKING:
    from collections.abc import Callable

    from efficiency360.numerics.corruptions.recipe import Chance, Params


def _contrast(images: Tensor, params: Params, _: Chance) -> Tensor:
    means = each(lambda image: image.mean(dim=(-2, -1), keepdim=True), images)
    return (images - means) * params[0] + means


def _saturate(images: Tensor, params: Params, _: Chance) -> Tensor:
    """Change S of HSV: the distance of every channel from the largest grows by one factor; grey turns towards red."""
    factor, offset = params
    value, least = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    saturation = torch.where(value > least, (value - least) / value.clamp(min=1e-12), 0)
    wanted = (saturation * factor + offset).clamp(0, 1)
    coloured = value - (value - images) * wanted / saturation.clamp(min=1e-12)
    red = value * torch.cat([torch.ones_like(wanted), 1 - wanted, 1 - wanted], dim=1)
    return torch.where(saturation > 0, coloured, red)


def to_bytes(images: Tensor) -> Tensor:
    """Round images in [0, 1] to the 256 grey levels of a file, uint8."""
    return images.mul(255).add_(0.5).clamp_(0, 255).to(torch.uint8)


def by_pillow(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Pass images (N, C, H, W) as bytes through a function of Pillow's images that keeps size and mode."""
    channels_last = to_bytes(images).cpu().permute(0, 2, 3, 1).contiguous().numpy()
    pixels = channels_last.squeeze(-1) if images.shape[1] == 1 else channels_last
    changed = np.stack([np.asarray(change(Image.fromarray(image))) for image in pixels]).reshape(channels_last.shape)
    return torch.from_numpy(changed).permute(0, 3, 1, 2).contiguous().to(images.device).float() / 255


def _pixelate(images: Tensor, params: Params, _: Chance) -> Tensor:
    factor, enlarging = params[0], Image.Resampling(int(params[1]))

    def pixelated(image: Image.Image) -> Image.Image:
        low = max(1, int(image.width * factor)), max(1, int(image.height * factor))
        return image.resize(low, Image.Resampling.BOX).resize(image.size, enlarging)

    return by_pillow(images, pixelated)


def compressed(images: Tensor, params: Params, _: Chance) -> Tensor:
    """Pass images (N, C, H, W) through Pillow's JPEG encoder at quality `params[0]`."""

    def encoded(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(params[0]))
        return Image.open(buffer)

    return by_pillow(images, encoded)


def bends(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw in [-1, 1] how every pixel moves (2, H, W: across, down) and how three corners move (3, 2: across, down)."""
    return tuple(torch.rand(shape, generator=generator) * 2 - 1 for shape in ((2, *image.shape[-2:]), (3, 2)))


def _elastic(images: Tensor, params: Params, chance: Chance) -> Tensor:
    reach, spread, strength, sheared = params
    height, width = images.shape[-2:]
    moves, corners = chance
    if spread:
        moves = gaussian(moves, (height * spread, width * spread), "symmetric", truncate=3)
    across, down = (moves * reach * height * strength).unbind(dim=1)
    rows = torch.arange(height, device=images.device)[:, None] + down
    columns = torch.arange(width, device=images.device) + across
    if sheared:
        back = _affine(corners * sheared * height, height, width)
        columns, rows = _mapped(back, columns, rows)
    return resampled(images, rows, columns)


def _affine(moves: Tensor, height: int, width: int) -> Tensor:
    """Return (N, 2, 3): where a pixel comes from when three points around the middle move by `moves` (N, 3, 2)."""
    a, b, third = height // 2, width // 2, min(height, width) // 3  # the original lists rows first; kept, it is random
    points = torch.tensor([[a + third, b + third], [a + third, b - third], [a - third, b - third]])
    before = points.to(moves).expand_as(moves)
    ones = torch.ones_like(moves[..., :1])
    solved: Tensor = torch.linalg.solve(torch.cat([before + moves, ones], dim=-1), before)
    return solved.mT


def _mapped(back: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    weights = back[..., None, None]
    across, down = (weights[:, i, 0] * columns + weights[:, i, 1] * rows + weights[:, i, 2] for i in (0, 1))
    return across, down


DIGITAL = {
    "contrast": Corruption(
        [(0.4,), (0.3,), (0.2,), (0.1,), (0.05,)], [(0.75,), (0.5,), (0.4,), (0.3,), (0.15,)], _contrast
    ),
    "elastic_transform": Corruption(  # displacement and its smoothness as shares of the side, factor, moves of corners
        [(0.005, 0.01, 250 * factor, 0) for factor in (0.05, 0.065, 0.085, 0.1, 0.12)],
        [(0, 0, 1, 0.08), (0.05, 0.2, 1, 0.07), (0.08, 0.06, 1, 0.06), (0.1, 0.04, 1, 0.05), (0.1, 0.03, 1, 0.03)],
        _elastic,
        bends,
    ),
    "pixelate": Corruption(  # factor of both sides, filter by which the pixels become large again
        [(factor, Image.Resampling.NEAREST) for factor in (0.6, 0.5, 0.4, 0.3, 0.25)],
        [(factor, Image.Resampling.BOX) for factor in (0.95, 0.9, 0.85, 0.75, 0.65)],
        _pixelate,
    ),
    "jpeg_compression": Corruption([(25,), (18,), (15,), (10,), (7,)], [(80,), (65,), (58,), (50,), (40,)], compressed),
    "saturate": Corruption(
        [(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)],
        [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)],
        _saturate,
    ),
}
