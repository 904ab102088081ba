"""The roof: how fast this device multiplies matrices and copies memory, with the same threads and type as the model.

Source: Williams, Waterman and Patterson 2009, Roofline, CACM 52:65. The roof here is measured, not taken from a
data sheet: the best of several runs of a large matrix product and of a copy of a buffer.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.memory import process_available
from efficiency360.numerics.timing import time_once

if TYPE_CHECKING:
    from collections.abc import Callable

_SIDES = (512, 1024, 2048)
_MOST_BYTES = 256 << 20
_SHARE = 16


@dataclass(frozen=True)
class Roof:
    """Multiply-adds a second, and bytes a second (read and written) of a copy."""

    macs_per_s: float
    bytes_per_s: float


def measure_roof(device: torch.device, dtype: torch.dtype, *, seconds: float = 1.0) -> Roof:
    """Measure both within about `seconds` each.

    Raises:
        RuntimeError: the device does not multiply this type.
    """
    return Roof(_matmul_rate(device, dtype, seconds), _copy_rate(device, seconds))


def _matmul_rate(device: torch.device, dtype: torch.dtype, seconds: float) -> float:
    rates = []
    for side in _SIDES:
        a, b, out = (torch.ones(side, side, device=device, dtype=dtype) for _ in range(3))
        best_ms = _best_ms(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), device, seconds / len(_SIDES))  # type: ignore[misc]
        rates.append(side**3 / best_ms * 1e3)
    return max(rates)


def _copy_rate(device: torch.device, seconds: float) -> float:
    n = min(_MOST_BYTES, process_available() // _SHARE) if device.type == "cpu" else _MOST_BYTES
    source, target = (torch.zeros(n, dtype=torch.uint8, device=device) for _ in range(2))
    best_ms = _best_ms(lambda: target.copy_(source), device, seconds)
    return 2 * n / best_ms * 1e3


def _best_ms(run: Callable[[], object], device: torch.device, seconds: float) -> float:
    deadline, best = time.monotonic() + seconds, float("inf")
    for _ in range(1000):
        best = min(best, time_once(run, device))
        if time.monotonic() > deadline:
            break
    return best
