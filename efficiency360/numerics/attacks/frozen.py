"""Attacks need gradients of images, never of weights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


@contextmanager
def without_parameter_gradients(module: nn.Module) -> Iterator[None]:
    """Switch `requires_grad` of all parameters off, and back on for those that had it: saves time and memory."""
    wanted = [weight for weight in module.parameters() if weight.requires_grad]
    for weight in wanted:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in wanted:
            weight.requires_grad_(True)
