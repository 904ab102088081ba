"""Linear filters over batches of images (N, C, H, W), with the border rules of the libraries that ImageNet-C used."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Border = Literal["nearest", "symmetric", "mirror"]


def each(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Apply a function of one image (C, H, W) to all, one at a time.

    For sums over many pixels: libraries order them by the size of the batch, and a different last bit would become a
    different grey level wherever a corruption rounds.
    """
    return torch.stack([function(image) for image in images])


def outside(positions: Tensor, size: int, border: Border) -> Tensor:
    """Map positions beyond an axis of `size` pixels to pixels on it: aaa|abcd, cba|abcd or dcb|abcd."""
    if border == "nearest":
        return positions.clamp(0, size - 1)
    if border == "symmetric":
        wrapped = positions.remainder(2 * size)
        return torch.minimum(wrapped, 2 * size - 1 - wrapped)
    wrapped = positions.remainder(max(2 * size - 2, 1))
    return torch.minimum(wrapped, 2 * size - 2 - wrapped)


def extend(images: Tensor, reach: int, border: Border) -> Tensor:
    """Return images with `reach` more pixels on every side, however small the images are."""
    for axis in (-2, -1):
        size = images.shape[axis]
        index = outside(torch.arange(-reach, size + reach, device=images.device), size, border)
        images = images.index_select(axis, index)
    return images


@lru_cache(maxsize=32)
def along(size: int, weights: tuple[float, ...], border: Border) -> Tensor:
    """Return the matrix (size, size) that filters an axis with an odd number of weights, centred."""
    reach = len(weights) // 2
    rows = torch.arange(size)[:, None].expand(size, len(weights))
    columns = outside(rows + torch.arange(-reach, reach + 1), size, border)
    values = torch.tensor(weights, dtype=torch.float64).expand_as(columns)
    return torch.zeros(size, size, dtype=torch.float64).index_put_((rows, columns), values, accumulate=True).float()


def separable(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Apply one matrix to the columns and one to the rows of images; on a CPU this beats convolutions of any width."""
    left, right = down.to(images.device), across.to(images.device).mT.contiguous()
    return each(lambda image: left @ image @ right, images)


def bell(sigma: float, truncate: float) -> tuple[float, ...]:
    """Return a Gaussian's weights, summing to 1, cut off at `truncate` standard deviations (of `sigma` pixels)."""
    reach = int(truncate * sigma + 0.5)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) if k else 1.0 for k in range(-reach, reach + 1)]
    return tuple(weight / sum(weights) for weight in weights)


def gaussian(
    images: Tensor, sigma: float | tuple[float, float], border: Border = "nearest", truncate: float = 4
) -> Tensor:
    """Blur with a Gaussian of `sigma` pixels (down, across); borders and truncation as in scikit-image."""
    down, across = (sigma, sigma) if isinstance(sigma, (int, float)) else sigma
    height, width = images.shape[-2:]
    return separable(images, along(height, bell(down, truncate), border), along(width, bell(across, truncate), border))


def convolve(images: Tensor, kernel: Tensor, border: Border) -> Tensor:
    """Filter with a symmetric kernel (K, K), K odd, by Fourier transforms: kernels here have up to 441 weights."""
    reach = kernel.shape[-1] // 2
    padded = extend(images, reach, border)
    size = [side + 32 - side % 32 for side in padded.shape[-2:]]  # lengths that transform fast
    spectrum = torch.fft.rfft2(kernel.to(images.device), s=size)
    height, width = images.shape[-2:]
    whole = each(lambda image: torch.fft.irfft2(torch.fft.rfft2(image, s=size) * spectrum, s=size), padded)
    return whole[..., 2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width]


def smear(images: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """Drag every image along a line of its own angle, fading as a half Gaussian of `sigma` pixels.

    Args:
        images: (N, C, H, W).
        radius: The line is 2 * radius + 1 pixels long.
        sigma: How slowly the weights fall off.
        degrees: (N,), measured from the rows.

    Returns:
        Images of the same shape; beyond the border the outermost pixels repeat.
    """
    length = 2 * radius + 1
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(length)]
    padded = extend(images, length, "nearest")
    out = torch.zeros_like(images)
    for one, image, angle in zip(out, padded, degrees.tolist(), strict=True):
        _drag(one, image, [weight / sum(weights) for weight in weights], math.radians(angle))
    return out


def _drag(out: Tensor, padded: Tensor, weights: Sequence[float], angle: float) -> None:
    height, width = out.shape[-2:]
    for step, weight in enumerate(weights):
        top = len(weights) + math.ceil(step * math.sin(angle) - 0.5)
        left = len(weights) + math.ceil(step * math.cos(angle) - 0.5)
        out.add_(padded[..., top : top + height, left : left + width], alpha=weight)


def magnified(images: Tensor, factor: float) -> Tensor:
    """Return the middle of images, enlarged by `factor` to their own size or a little more, bilinear."""
    height, width = images.shape[-2:]
    tall, wide = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - tall) // 2, (width - wide) // 2
    size = [round(tall * factor), round(wide * factor)]
    middle = images[..., top : top + tall, left : left + wide]
    return F.interpolate(middle, size, mode="bilinear", align_corners=True)


def resampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read images (N, C, H, W) at positions (N, H, W) in pixels, bilinear; beyond the border they are mirrored."""
    height, width = images.shape[-2:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
