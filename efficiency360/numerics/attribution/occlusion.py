"""Occlusion (Zeiler and Fergus 2014, section 4.2): what the answer loses when a window is covered; no gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attribution.cells import Cells
    from efficiency360.numerics.attribution.model import Model


def occlusion(model: Model, images: Tensor, classes: Tensor, baselines: Tensor, windows: Cells) -> Tensor:
    """How far the output for the class falls when each window shows the baseline instead.

    Args:
        model: the model.
        images: (N, C, H, W) in [0, 1].
        classes: (N,) indices.
        baselines: (N, C, H, W), what is shown instead.
        windows: which pixels are covered together.

    Returns:
        (N, H, W), the same within a window, signed.
    """
    count = len(windows)
    covers = windows.spread(torch.eye(count, device=images.device).view(count, windows.rows, windows.columns)).bool()
    pairs = torch.arange(len(images) * count, device=images.device)
    found = []
    for some in torch.split(pairs, model.batch):
        row, window = some // count, some % count
        covered = torch.where(covers[window][:, None], baselines[row], images[row])
        found.append(model.scores(covered, classes[row]))
    falls = model.scores(images, classes)[:, None] - torch.cat(found).view(len(images), count)
    return windows.spread(falls.view(-1, windows.rows, windows.columns))
