"""Modules around a program that takes its images in another type, or as one of several arguments. Worker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


class Casting(nn.Module):
    """Hands images over in the type that a program computes in."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module, self.dtype = module, dtype

    def forward(self, images: Tensor) -> Any:
        """(N, C, H, W) of any floating-point type -> what the program answers."""
        return self.module(images.to(self.dtype))


class Arguments(nn.Module):
    """Calls a program with images in one place of its arguments, and what it was exported with in all others.

    `leaves` are all its arguments in a row, `place` that of the images among them, and `spec` how they are arranged.
    """

    def __init__(self, module: nn.Module, leaves: Sequence[Any], place: int, spec: pytree.TreeSpec) -> None:
        super().__init__()
        self.module, self.leaves, self.place, self.spec = module, tuple(leaves), place, spec

    def forward(self, images: Tensor) -> Any:
        """(N, C, H, W) -> what the program answers."""
        leaves = [*self.leaves[: self.place], images, *self.leaves[self.place + 1 :]]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.module(*args, **kwargs)
