"""Cloudy textures by midpoint displacement (diamond-square) on a torus: fog, and the patches of our frost."""

from __future__ import annotations

import torch
from torch import Tensor

ROUGHNESS = 100.0


def side_for(*sides: int) -> int:
    """Return the smallest power of two, at least 2, that covers an image with these sides."""
    return max(2, 1 << (max(sides) - 1).bit_length())


def plasma(noise: Tensor, decay: float) -> Tensor:
    """Grow textures from noise.

    Args:
        noise: (N, M * M - 1) in [-1, 1], M a power of two; the coarsest displacements come first.
        decay: The displacement falls by its square from one scale to the next; large values look smooth.

    Returns:
        (N, M, M), each scaled to reach from 0 to 1.
    """
    grown = torch.zeros(len(noise), 1, 1, device=noise.device)
    amplitude, used = ROUGHNESS, 0
    side = int((noise.shape[1] + 1) ** 0.5)
    while grown.shape[-1] < side:
        points = grown.shape[-1] ** 2
        bumps = noise[:, used : used + 3 * points].reshape(-1, 3, *grown.shape[1:]) * amplitude**2
        grown, used, amplitude = _finer(grown, bumps), used + 3 * points, amplitude / decay
    low, high = grown.flatten(1).aminmax(dim=1)
    return (grown - low[:, None, None]) / (high - low)[:, None, None]


def _finer(corners: Tensor, bumps: Tensor) -> Tensor:
    """Double the resolution: a point amid four corners, then points amid two corners and two of those."""
    pairs_across, pairs_down = corners + corners.roll(-1, 2), corners + corners.roll(-1, 1)
    middles = (pairs_across + pairs_across.roll(-1, 1)) / 4 + bumps[:, 0]
    across = (pairs_across + middles + middles.roll(1, 1)) / 4 + bumps[:, 1]
    down = (pairs_down + middles + middles.roll(1, 2)) / 4 + bumps[:, 2]
    even, odd = torch.stack([corners, across], dim=-1).flatten(-2), torch.stack([down, middles], dim=-1).flatten(-2)
    return torch.stack([even, odd], dim=-2).flatten(1, 2)
