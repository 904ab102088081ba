"""Integrated gradients (Sundararajan, Taly and Yan 2017, Axiomatic Attribution for Deep Networks, equation 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attribution.model import Model


def integrated_gradients(model: Model, images: Tensor, classes: Tensor, baselines: Tensor, steps: int) -> Tensor:
    """What each pixel adds to the output for the class on the straight way from the baseline to the image.

    The integral is taken by Gauss and Legendre's rule at `steps` points. The sum over a map is the difference of the
    outputs for image and baseline (completeness), but for the error of that rule.

    Args:
        model: the model.
        images: (N, C, H, W) in [0, 1].
        classes: (N,) indices.
        baselines: (N, C, H, W), where the way begins.
        steps: gradients an image, at least 1.

    Returns:
        (N, H, W), summed over channels, signed.

    Raises:
        AxisError: the model gives no gradients.
    """
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    at = torch.as_tensor((nodes + 1) / 2, dtype=images.dtype, device=images.device)
    weight = torch.as_tensor(weights / 2, dtype=images.dtype, device=images.device)
    pairs = torch.arange(len(images) * steps, device=images.device)
    total = torch.zeros_like(images)
    for some in torch.split(pairs, model.batch):
        row, step = some // steps, some % steps
        share = at[step].view(-1, 1, 1, 1)
        found = model.gradients(baselines[row] + share * (images[row] - baselines[row]), classes[row])
        total.index_add_(0, row, found.to(total.dtype) * weight[step].view(-1, 1, 1, 1))
    return ((images - baselines) * total).sum(dim=1)
