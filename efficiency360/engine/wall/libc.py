"""System calls that Python does not wrap."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    """Make a system call.

    Raises:
        OSError: it failed.
    """
    return _checked(_LIBC.syscall(ctypes.c_long(number), *arguments))


def prctl(option: int, *arguments: int) -> int:
    """Make a `prctl` call; missing arguments are 0.

    Raises:
        OSError: it failed.
    """
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(_LIBC.prctl(option, *map(ctypes.c_ulong, padded)))


def unshare(flags: int) -> int:
    """Leave namespaces.

    Raises:
        OSError: not allowed here.
    """
    return _checked(_LIBC.unshare(flags))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> int:
    """Mount, or change a mount.

    Raises:
        OSError: it failed.
    """
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    return _checked(_LIBC.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
