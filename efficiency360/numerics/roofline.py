"""The roof: how fast this device multiplies matrices and copies memory, with the same threads and type as the model.

Source: Williams, Waterman and Patterson 2009, Roofline, CACM 52:65. The roof here is measured, not taken from a
data sheet: the best of several runs of a large matrix product and of a copy of a buffer.
"""

from __future__ import annotations

import contextlib
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


def fastest_macs_per_s(device: torch.device, *, seconds: float = 1.0) -> float:
    """Multiply-adds a second in the type that this device multiplies fastest, within about `seconds`.

    A type for which it has no fast arithmetic is given up after its smallest product: a large one may take minutes.
    """
    best = _matmul_rate(device, torch.float32, seconds / 3)
    for dtype in (torch.bfloat16, torch.float16):
        with contextlib.suppress(RuntimeError):
            if _matmul_rate(device, dtype, 0, _SIDES[:1]) > _matmul_rate(device, torch.float32, 0, _SIDES[:1]) / 2:
                best = max(best, _matmul_rate(device, dtype, seconds / 3))
    return best


def _matmul_rate(device: torch.device, dtype: torch.dtype, seconds: float, sides: tuple[int, ...] = _SIDES) -> float:
    rates = []
    for side in sides:
        a, b, out = (torch.ones(side, side, device=device, dtype=dtype) for _ in range(3))
        best_ms = _best_ms(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), device, seconds / len(sides))  # type: ignore[misc]
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
