"""The ball that a perturbation may not leave: around the clean image, and inside [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

NORMS = ("Linf", "L2")


@dataclass(frozen=True)
class Ball:
    """All images within `eps` of a clean one, in the units of pixels in [0, 1].

    Args:
        norm: "Linf" (largest change of a pixel's channel) or "L2" (Euclidean length of the whole change).
        eps: radius; for Linf in [0, 1].

    Raises:
        InputError: another norm, or a radius out of range.
    """

    norm: str
    eps: float

    def __post_init__(self) -> None:
        """Check the norm and the radius."""
        if self.norm not in NORMS:
            raise InputError(f"norm {self.norm!a} is not one of {', '.join(NORMS)}")
        most = 1.0 if self.norm == "Linf" else math.inf
        if not (math.isfinite(self.eps) and 0 <= self.eps <= most):
            bounds = "from 0 to 1" if self.norm == "Linf" else "from 0 up"
            raise InputError(f"eps {self.eps} is not a number {bounds}; pixels are in [0, 1], so write 4/255, not 4")

    @property
    def tolerance(self) -> float:
        """By how much rounding to float32 may exceed the radius: 2e-7 for Linf, 1e-6 + 1e-5 eps for L2."""
        return 2e-7 if self.norm == "Linf" else 1e-6 + 1e-5 * self.eps

    def length(self, change: Tensor) -> Tensor:
        """The norm of each row of changes (N, ...), as (N,) float64."""
        if self.norm == "Linf":  # a maximum is exact in any type
            return change.flatten(1).abs().amax(dim=1).double()
        length: Tensor = torch.linalg.vector_norm(change.flatten(1).double(), dim=1)
        return length

    def inside(self, clean: Tensor, images: Tensor) -> Tensor:
        """(N,) bool: within the radius and the tolerance of the clean images; False where anything is NaN."""
        return self.length(images - clean) <= self.eps + self.tolerance

    def project(self, clean: Tensor, images: Tensor) -> Tensor:
        """The images (N, ...) pulled into the ball and into [0, 1]; `clean` is in [0, 1]."""
        if self.norm == "Linf":
            return torch.clamp(images, (clean - self.eps).clamp_(min=0), (clean + self.eps).clamp_(max=1))
        change = images - clean
        return (clean + change * self._shrink(change)).clamp_(0, 1)

    def _shrink(self, change: Tensor) -> Tensor:
        """(N, 1, ...) factors of at most 1 that bring each change to the radius."""
        length = torch.linalg.vector_norm(change.flatten(1), dim=1)
        return per_row((self.eps / length.clamp(min=1e-12)).clamp(max=1), change)


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """(N,) values in the shape (N, 1, ...) that multiplies rows of `like`."""
    return values.view(-1, *(1,) * (like.dim() - 1))


def put(into: Tensor, chosen: Tensor, values: Tensor) -> None:
    """Write the rows of `values` that are chosen (N,) bool into the same rows of `into`, in place."""
    index = chosen.nonzero()[:, 0]
    if len(index) == len(into):
        into.copy_(values)
    elif len(index):
        into.index_copy_(0, index, values.index_select(0, index))


def range_of(images: Tensor) -> Tensor:
    """(N,) bool: each value is in [0, 1]; NaN is not."""
    flat = images.flatten(1)
    return ((flat >= 0) & (flat <= 1)).all(dim=1)
