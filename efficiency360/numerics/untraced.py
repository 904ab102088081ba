"""The same pass with nobody following it: whether a model answers the tracer as it answers others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from efficiency360.numerics.as_found import left_as_found
from efficiency360.numerics.chance import same_chance

if TYPE_CHECKING:
    from torch import nn

_TOLERANCE, _ROUNDINGS = 1e-3, 16
"""Of the largest value: sums in another order differ by less, or by so many roundings of a short type."""


def untraced(module: nn.Module, images: Tensor) -> list[Tensor]:
    """The floating-point tensors that a module answers, in order; it is left as found."""
    with same_chance(), left_as_found(module, images) as evaluated, torch.no_grad():
        return values(evaluated(images.clone()))


def values(answer: object) -> list[Tensor]:
    """Copies of the floating-point tensors in an answer that hold values, as the processor sees them."""
    leaves = (leaf for leaf in tree_leaves(answer) if isinstance(leaf, Tensor))
    return [
        leaf.detach().cpu().clone()
        for leaf in leaves
        if leaf.is_floating_point() and leaf.layout is torch.strided and not leaf.is_meta
    ]


def only_when_traced(module: nn.Module, images: Tensor, traced: list[Tensor]) -> bool:
    """Whether `traced` differs from what the module answers else, again and again.

    One that answers differently each time is no such case: whether it keeps state or draws lots, other checks tell.
    """
    first = untraced(module, images)
    if not apart(first, traced):
        return False
    second = untraced(module, images)
    return apart(second, traced) and not apart(first, second)


def apart(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether answers differ by more than rounding; NaN equals NaN."""
    return len(one) != len(other) or any(map(_apart, one, other))


def _apart(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return True
    share = max(_TOLERANCE, _ROUNDINGS * max(torch.finfo(one.dtype).eps, torch.finfo(other.dtype).eps))
    left, right = one.double(), other.double()
    finite = left[left.isfinite()].abs()
    scale = float(finite.max()) if len(finite) else 1.0
    return not torch.allclose(left, right, rtol=0, atol=share * (scale or 1.0), equal_nan=True)
