"""The environment variables of a worker."""

from __future__ import annotations

import os
import site
from typing import TYPE_CHECKING

from efficiency360.numerics import NO_COMPILER

if TYPE_CHECKING:
    from efficiency360.engine.wall import Plan

_PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "VIRTUAL_ENV",
    "PYTHONPATH",
)
_KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}
"""Else the C library gives large buffers back after each layer or not, as chance has it in each process, and the pages
that are then faulted in again make the same model up to 1.6 times slower."""


def environment(plan: Plan, threads: int) -> dict[str, str]:
    """What the worker may know of this process's environment: no tokens, no keys, no home."""
    kept = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    count = str(threads)
    return {
        **kept,
        "HOME": plan.folder,
        "PYTHONUSERBASE": site.getuserbase(),
        "TMPDIR": plan.folder,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "HF_HUB_OFFLINE": "1",
        **({} if plan.compilers else {NO_COMPILER: "1"}),
        **_KEPT_MEMORY,
        "PYTHONUNBUFFERED": "1",
    }
