"""Max-sensitivity (Yeh et al. 2019, On the (In)fidelity and Sensitivity of Explanations, definition 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def relative_changes(
    explain: Callable[[Tensor], Tensor], images: Tensor, maps: Tensor, noises: Tensor, radius: float
) -> Tensor:
    """How far an explanation moves when its image does, as a share of its length: 0 not at all.

    Args:
        explain: (N, C, H, W) -> maps (N, rows, columns).
        images: (N, C, H, W) in [0, 1].
        maps: their explanations.
        noises: (draws, N, C, H, W), uniform in [-1, 1].
        radius: how far any value of an image may move; it stays in [0, 1].

    Returns:
        (N, draws) L2 norms; NaN where the map is 0 everywhere. Max-sensitivity is the largest over all noise, of which
        the largest of these draws is a lower bound.
    """
    length = maps.flatten(1).norm(dim=1)
    found = []
    for noise in noises:
        moved = explain((images + radius * noise).clamp(0, 1))
        found.append((moved - maps).flatten(1).norm(dim=1) / length)
    changes = torch.stack(found, dim=1)
    return torch.where(length[:, None] > 0, changes, torch.nan)
