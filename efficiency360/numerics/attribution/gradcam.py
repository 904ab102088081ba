"""Grad-CAM (Selvaraju et al. 2017, equations 1 and 2) on the last feature map of a convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from efficiency360.errors import AxisError
from efficiency360.numerics.attribution.trace import Trace

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attribution.model import Model


def grad_cam(model: Model, images: Tensor, classes: Tensor) -> Tensor:
    """Where the channels that speak for the class are active.

    Args:
        model: the model.
        images: (N, C, H, W) in [0, 1].
        classes: (N,) indices.

    Returns:
        (N, H, W), 0 and above, bilinear between the places of the feature map.

    Raises:
        AxisError: no convolution, or no gradient reaches its output.
    """
    pieces = zip(torch.split(images, model.batch), torch.split(classes, model.batch), strict=True)
    coarse = torch.cat([feature_cam(model, some, theirs) for some, theirs in pieces])
    size = (images.shape[2], images.shape[3])
    return functional.interpolate(coarse[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def feature_cam(model: Model, images: Tensor, classes: Tensor) -> Tensor:
    """The same of one batch at the places of the feature map: (n, C, H, W) -> (n, h, w)."""
    with torch.enable_grad(), Trace(len(images)) as trace:
        score = model.scored(images.detach().clone().requires_grad_(True), classes)
    if trace.feature is None or not trace.feature.requires_grad:
        raise AxisError("it has no convolution whose output has places")
    (gradient,) = torch.autograd.grad(score, trace.feature, allow_unused=True)
    if gradient is None:
        raise AxisError("its answers do not depend on its last convolution")
    model.backwards += len(images)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    found: Tensor = (weights * trace.feature).sum(dim=1).relu().detach().float()
    return found
