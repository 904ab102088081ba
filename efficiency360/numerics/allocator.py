"""Memory that is freed and taken again thousands of times a second stays with the process meanwhile."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""Options of mallopt(3)."""
_NEVER = (1 << 31) - 1
_AHEAD = 64 << 20
_GROWN = 64 << 20
"""The highest threshold that glibc sets by itself when a process frees large blocks."""
_DEFAULT_MAPS = 65536
_DECIDED = "MALLOC_TRIM_THRESHOLD_"


@contextmanager
def freed_memory_is_kept() -> Iterator[None]:
    """Have the C library keep what is freed, for the next step to take; where it is not glibc nothing happens.

    Otherwise each large tensor of each step is fetched from the system anew and its pages are filled with zeros, which
    takes small models up to half of their time. The peak does not change. Afterwards memory goes back to the system.
    Nothing happens either where the environment says what to keep, as that of measuring processes does.
    """
    libc = _glibc()
    if libc is None or _DECIDED in os.environ:
        yield
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _AHEAD)):
        libc.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in ((_MMAP_MAX, _DEFAULT_MAPS), (_TRIM_THRESHOLD, _GROWN), (_TOP_PAD, 0)):
            libc.mallopt(option, value)
        libc.malloc_trim(0)


@cache
def _glibc() -> Any | None:
    """The C library that this process has loaded, if it is glibc."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "mallopt") else None
