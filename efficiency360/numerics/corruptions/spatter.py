"""Spatter of water (severities 1 to 3) and mud (4 and 5) on the lens.

Water is lit from one side: distances to the drops' outlines, as Canny finds them, become a relief. Each step works in
whole grey levels, as the original's do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Generator, Tensor

from efficiency360.numerics.corruptions.filters import extend, gaussian
from efficiency360.numerics.corruptions.recipe import Corruption
from efficiency360.numerics.corruptions.weather import LUMA

if TYPE_CHECKING:
    from efficiency360.numerics.corruptions.filters import Border
    from efficiency360.numerics.corruptions.recipe import Chance, Params

WATER = (175 / 255, 238 / 255, 238 / 255)
MUD = (63 / 255, 42 / 255, 20 / 255)
FAR = 20  # pixels beyond which the distance to an outline no longer counts
WEAK, STRONG = 50, 150  # Canny's thresholds
TAN_22_5 = 0.41421356
STRAIGHT, DIAGONAL, KNIGHT = 1.0, 1.4, 2.1969  # Borgefors 1986, as in OpenCV
RELIEF = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def drops(image: Tensor, _: Params, generator: Generator) -> Chance:
    """Draw standard normal noise (1, H, W), from which drops grow."""
    return (torch.randn(1, *image.shape[-2:], generator=generator),)


def _spatter(images: Tensor, params: Params, chance: Chance) -> Tensor:
    mean, deviation, sigma, threshold, strength, muddy = params
    liquid = gaussian(mean + deviation * chance[0], sigma)
    liquid = liquid.masked_fill(liquid < threshold, 0)
    if muddy:
        cover = gaussian((liquid > threshold).float(), strength)
        cover = cover.masked_fill(cover < 0.8, 0)  # noqa: PLR2004 - the original's
        return images * (1 - cover) + cover * _colour(MUD, images)
    drop = (liquid * 255).floor()
    lit = drop * _relief(drop)
    highest = lit.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
    return images + (lit / highest * strength * _colour(WATER, images)).clamp(0, 1)


def _colour(colour: tuple[float, ...], images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        colour = (sum(part * weight for part, weight in zip(colour, LUMA, strict=True)),)
    return torch.tensor(colour, device=images.device)[:, None, None]


def _relief(drop: Tensor) -> Tensor:
    """Return the light on drops (N, 1, H, W), from the distance to their outlines; grey levels."""
    near = F.avg_pool2d(extend(distance(outlines(drop), FAR), 1, "mirror"), 3, 1).floor()
    shaded = _filtered(_equalised(near), RELIEF, "mirror").clamp(0, 255)
    return F.avg_pool2d(extend(shaded, 1, "mirror"), 3, 1).round()


def _filtered(images: Tensor, kernel: tuple[tuple[float, ...], ...], border: Border) -> Tensor:
    padded = extend(images, 1, border)
    return F.conv2d(padded, torch.tensor(kernel, device=images.device)[None, None])


def outlines(drop: Tensor) -> Tensor:
    """Return Canny's edges (N, 1, H, W) of grey levels: ridges of the gradient, strong or joined to a strong one."""
    across = _filtered(drop, SOBEL, "nearest")
    down = _filtered(drop, tuple(zip(*SOBEL, strict=True)), "nearest")
    height, ridge = _ridges(across, down)
    edge, weak = ridge & (height > STRONG), ridge & (height > WEAK)
    while True:
        grown = _dilated(edge) & weak
        if torch.equal(grown, edge):
            return edge
        edge = grown


def _dilated(edge: Tensor) -> Tensor:
    """Return where one of the 3 x 3 pixels around is True."""
    tall = F.pad(edge, (0, 0, 1, 1))
    rows = F.pad(tall[..., :-2, :] | tall[..., 1:-1, :] | tall[..., 2:, :], (1, 1))
    return rows[..., :-2] | rows[..., 1:-1] | rows[..., 2:]


def _ridges(across: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """Return |gradient| and where it is a local maximum along its own direction, one of four."""
    height = across.abs() + down.abs()
    padded = F.pad(height, (1, 1, 1, 1))

    def beside(row: int, column: int) -> Tensor:
        return padded[..., 1 + row : padded.shape[-2] - 1 + row, 1 + column : padded.shape[-1] - 1 + column]

    def highest(row: int, column: int, *, strictly: bool) -> Tensor:
        onward = beside(row, column)
        return (height > beside(-row, -column)) & ((height > onward) if strictly else (height >= onward))

    flat, steep = down.abs() < across.abs() * TAN_22_5, down.abs() > across.abs() / TAN_22_5
    falling = torch.where(across * down < 0, highest(1, -1, strictly=True), highest(1, 1, strictly=True))
    ridge = torch.where(flat, highest(0, 1, strictly=False), falling)
    return height, torch.where(steep, highest(1, 0, strictly=False), ridge)


def distance(edge: Tensor, far: int) -> Tensor:
    """Return the distance in pixels (N, 1, H, W) to the nearest True, at most `far`, by Borgefors' 5 x 5 chamfer.

    In each column only the nearest edge pixel can be the nearest of all, so columns come first and rows second.
    """
    column = torch.minimum(_since(edge), _since(edge.flip(-2)).flip(-2)).clamp(max=far).long()
    padded = F.pad(column, (far, far), value=far)
    width = edge.shape[-1]
    costs = _chamfer(far).to(edge.device)
    nearest = costs[0].take(column)
    for step in range(1, far + 1):
        beside = torch.minimum(padded[..., far - step :][..., :width], padded[..., far + step :][..., :width])
        nearest = torch.minimum(nearest, costs[step].take(beside))
    return nearest.clamp(max=far)


def _chamfer(far: int) -> Tensor:
    """Return the lengths (far + 1, far + 1) of the shortest paths of straight, diagonal and knight's moves."""
    steps = torch.arange(far + 1, dtype=torch.float32)
    long, short = torch.maximum(steps[:, None], steps), torch.minimum(steps[:, None], steps)
    flat = (long - 2 * short) * STRAIGHT + short * KNIGHT
    return torch.where(long >= 2 * short, flat, (2 * short - long) * DIAGONAL + (long - short) * KNIGHT)


def _since(edge: Tensor) -> Tensor:
    """Return how many rows ago the last True was; very many where there was none."""
    rows = torch.arange(edge.shape[-2], device=edge.device, dtype=torch.float32)[:, None]
    return rows - torch.where(edge, rows, -1e4).cummax(dim=-2).values


def _equalised(levels: Tensor) -> Tensor:
    """Spread grey levels so that their histogram becomes flat, as OpenCV does; one level alone stays."""
    flat = levels.flatten(1).long()
    counts = torch.zeros(len(flat), 256, device=levels.device).scatter_add_(1, flat, torch.ones_like(flat).float())
    first = flat.amin(dim=1, keepdim=True)
    total, least = flat.shape[1], counts.gather(1, first)
    above = counts.cumsum(dim=1) - least
    table = (above * 255 / (total - least).clamp(min=1)).round()
    return torch.where(least == total, flat, table.gather(1, flat)).float().view_as(levels)


SPATTER = {
    "spatter": Corruption(  # the liquid's mean and deviation, sigma, threshold; strength or softness; mud or water
        [
            (0.65, 0.3, 4, 0.69, 0.6, 0),
            (0.65, 0.3, 3, 0.68, 0.6, 0),
            (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1),
            (0.67, 0.4, 1, 0.65, 1.5, 1),
        ],
        [
            (0.62, 0.1, 0.7, 0.7, 0.5, 0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0),
            (0.65, 0.3, 1, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1),
            (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ],
        _spatter,
        drops,
    )
}
