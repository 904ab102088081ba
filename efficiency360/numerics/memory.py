"""How much memory this process and its device hold at most, and how much is left."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.groups import free_bytes, kib

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KIB = 1024
_UNLIMITED = 1 << 60


def process_peak() -> int:
    """Bytes of main memory that this process has held at most, since its start or the last reset."""
    if (peak := _status("VmHWM")) is not None:
        return peak
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * _KIB


def process_now() -> int:
    """Bytes of main memory that this process holds; its peak where the system tells no more."""
    return _status("VmRSS") or process_peak()


def device_peak(device: torch.device) -> int | None:
    """Bytes that torch has reserved on the device at most since the last reset; None for a device without memory."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None


def peaks(device: torch.device) -> dict[str, NDArray[np.generic]]:
    """Both peaks as evidence: `peak_process` (1,) and, on a device with memory, `peak_device` (1,), in bytes."""
    found = {"process": process_peak(), "device": device_peak(device)}
    return {f"peak_{scope}": np.array([peak]) for scope, peak in found.items() if peak is not None}


def reset_peaks(device: torch.device) -> None:
    """Begin the peaks anew from what is held now, where the system allows it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def process_available() -> int:
    """Bytes of main memory that this process may still take, within its control groups; many where nobody tells."""
    free = free_bytes()
    return _UNLIMITED if free is None else free


def _status(key: str) -> int | None:
    try:
        return kib(Path("/proc/self/status"), key)
    except (OSError, ValueError):
        return None
