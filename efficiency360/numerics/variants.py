"""The same model run another way: memory layout, number type, compiled. Each is a copy; the original stays as it is."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import torch

from efficiency360.errors import AxisError
from efficiency360.numerics import NO_COMPILER

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn


def as_type(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy whose floating-point weights have another type."""
    return copy.deepcopy(module).to(dtype=dtype)


def _channels_last(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).to(memory_format=torch.channels_last)


def _bfloat16(module: nn.Module) -> nn.Module:
    return as_type(module, torch.bfloat16)


def _compiled(module: nn.Module) -> nn.Module:
    if os.environ.get(NO_COMPILER):
        raise AxisError("no compiler is started beside code that came with the model")
    import torch._inductor.config as inductor  # noqa: PLC0415 - slow, and only here

    settings: Any = inductor
    settings.compile_threads = 1  # a pool of compiler processes would outlive the call and disturb what is timed next
    return torch.compile(copy.deepcopy(module))  # type: ignore[return-value]


MODULES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "channels_last": _channels_last,
    "bf16": _bfloat16,
    "compile": _compiled,
}
"""Variant -> the module it makes of a module."""


def prepared(name: str, images: Tensor) -> Tensor:
    """Normalised images (N, C, H, W) as the variant takes them."""
    if name == "bf16":
        return images.bfloat16()
    return images.contiguous(memory_format=torch.channels_last) if name == "channels_last" else images
