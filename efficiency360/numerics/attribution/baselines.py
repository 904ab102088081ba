"""What an image is compared with: the same image without what makes it out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, get_args

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Baseline = Literal["mean", "blur", "black"]
BASELINES: Final[tuple[Baseline, ...]] = get_args(Baseline)
_SHARE = 8
"""The standard deviation of the blur is the longer side over this."""


def baselines(images: Tensor, kind: Baseline) -> Tensor:
    """The baseline of each image (N, C, H, W), of the same shape.

    `mean` is each image's mean colour; `blur` the image under a Gaussian of an eighth of its longer side, its edges
    reflected (Sturmfels et al. 2020, Distill); `black` is 0.
    """
    if kind == "black":
        return torch.zeros_like(images)
    if kind == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images).contiguous()
    kernel = _gaussian(max(images.shape[2:]) / _SHARE).to(images)
    channels = images.shape[1]
    rows = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    half = len(kernel) // 2
    across = functional.conv2d(_reflected(images, half, 2), rows, groups=channels)
    return functional.conv2d(_reflected(across, half, 3), rows.transpose(2, 3), groups=channels)


def _gaussian(deviation: float) -> Tensor:
    half = max(1, math.ceil(3 * deviation))
    weights = torch.exp(-0.5 * (torch.arange(-half, half + 1) / deviation) ** 2)
    return weights / weights.sum()


def _reflected(images: Tensor, margin: int, dim: int) -> Tensor:
    """The images with `margin` more pixels on both sides of `dim`, reflected as often as it takes."""
    length = images.shape[dim]
    places = torch.arange(-margin, length + margin, device=images.device) % (2 * length)
    return images.index_select(dim, torch.where(places < length, places, 2 * length - 1 - places))
