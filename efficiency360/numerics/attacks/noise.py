"""Random numbers that depend on what they are for, not on when they are drawn.

Each is a hash of (seed, image, attack, try, draw), so that a row's numbers are the same in whatever batch it is and
whatever was drawn before. The hash is the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_WEYL = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)
_BITS = 24


def keys(seed: int, *parts: Tensor | int) -> Tensor:
    """(N,) int64 keys out of a seed and parts, of which at least one is an (N,) int64 tensor."""
    key = torch.tensor(seed % (1 << 62))
    for part in parts:
        key = _mixed((key + 1) * _WEYL + torch.as_tensor(part))
    return key


def uniform(key: Tensor, shape: Sequence[int], draw: Tensor | int = 0) -> Tensor:
    """(N, *shape) float32 in [0, 1): the numbers of draw `draw` of each key, every draw independent."""
    size = math.prod(shape)
    base = _mixed(key + torch.as_tensor(draw, device=key.device) * _FIRST)
    counter = torch.arange(1, size + 1, device=key.device) * _WEYL
    bits = _mixed(base[:, None] + counter)
    return (_shifted(bits, 64 - _BITS).float() / (1 << _BITS)).view(len(key), *shape)


def normal(key: Tensor, shape: Sequence[int], draw: int = 0) -> Tensor:
    """(N, *shape) float32 from the standard normal distribution (Box and Muller 1958)."""
    radius = (-2 * torch.log1p(-uniform(key, shape, 2 * draw))).sqrt_()
    return radius * torch.cos(2 * math.pi * uniform(key, shape, 2 * draw + 1))


def signs(key: Tensor, shape: Sequence[int], draw: Tensor | int = 0) -> Tensor:
    """(N, *shape) float32, -1 or 1 with equal chance."""
    return (uniform(key, shape, draw) < 0.5).float() * 2 - 1  # noqa: PLR2004 - a fair coin


def _mixed(z: Tensor) -> Tensor:
    z = (z ^ _shifted(z, 30)) * _FIRST
    z = (z ^ _shifted(z, 27)) * _SECOND
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Shift right without the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
