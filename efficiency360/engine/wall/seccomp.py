"""seccomp: system calls that this process may not make any more. A refused call fails with EPERM; nothing is killed.

It closes what Landlock leaves open: sockets of every family, other processes, signals, modes and owners of files, and
the kernel's administrative interfaces. Threads stay allowed.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

from efficiency360.engine.wall.calls import ARCHITECTURES
from efficiency360.engine.wall.libc import syscall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.engine.wall.calls import Architecture

_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in seccomp_data; both architectures are little-endian
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_FAIL = 0x00050000
_CLONE_THREAD = 0x10000
_X32 = 0x40000000
_SET_OWNER_AND_SIGNAL = (8, 10, 15)  # fcntl F_SETOWN, F_SETSIG, F_SETOWN_EX: signals to whom one likes
_SET_PARENT_DEATH_SIGNAL = (1,)  # prctl: a worker that outlives the audit

Instruction = tuple[int, int, int, int]


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter)))


def restrict(*, compilers: bool) -> bool:
    """Apply the filter to this process; whether it holds. `compilers` lets programs be started."""
    architecture = ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        return False
    instructions = list(_program(architecture, os.getpid(), compilers=compilers))
    filters = (_Filter * len(instructions))(*(_Filter(*instruction) for instruction in instructions))
    program = _Program(len(instructions), filters)
    try:
        syscall(
            architecture.calls["seccomp"],
            ctypes.c_uint(_SET_MODE_FILTER),
            ctypes.c_uint(_ALL_THREADS),
            ctypes.byref(program),
        )
    except OSError:
        return False
    return True


def _program(architecture: Architecture, own: int, *, compilers: bool) -> Iterator[Instruction]:
    """Instructions, one block a system call; every block that matches returns."""
    yield _LOAD, 0, 0, _ARCH
    yield _EQUAL, 1, 0, architecture.audit
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER
    yield _AT_LEAST, 0, 1, _X32
    yield _RETURN, 0, 0, _FAIL | errno.EPERM
    for number in architecture.refused(compilers=compilers):
        yield _EQUAL, 0, 1, number
        yield _RETURN, 0, 0, _FAIL | errno.EPERM
    for number in architecture.only_to_itself:
        yield from _only_with(number, (own,))
    for number in architecture.only_on_itself:
        yield from _only_with(number, (0, own))
    yield from _never_with(architecture.calls["fcntl"], _SECOND, _SET_OWNER_AND_SIGNAL)
    yield from _never_with(architecture.calls["prctl"], _FIRST, _SET_PARENT_DEATH_SIGNAL)
    if not compilers:
        yield from _only_threads(architecture)
    yield _RETURN, 0, 0, _ALLOW


def _only_with(number: int, values: tuple[int, ...]) -> Iterator[Instruction]:
    """Let a call pass only where its first argument is one of `values`."""
    yield _EQUAL, 0, len(values) + 3, number
    yield _LOAD, 0, 0, _FIRST
    yield from ((_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values))
    yield _RETURN, 0, 0, _FAIL | errno.EPERM
    yield _RETURN, 0, 0, _ALLOW


def _never_with(number: int, argument: int, values: tuple[int, ...]) -> Iterator[Instruction]:
    """Let a call pass only where an argument is none of `values`."""
    yield _EQUAL, 0, len(values) + 3, number
    yield _LOAD, 0, 0, argument
    yield from ((_EQUAL, len(values) - index, 0, value) for index, value in enumerate(values))
    yield _RETURN, 0, 0, _ALLOW
    yield _RETURN, 0, 0, _FAIL | errno.EPERM


def _only_threads(architecture: Architecture) -> Iterator[Instruction]:
    """Let `clone` make threads only. The flags of `clone3` lie in memory, so it "does not exist", and clone is used."""
    yield _EQUAL, 0, 1, architecture.calls["clone3"]
    yield _RETURN, 0, 0, _FAIL | errno.ENOSYS
    yield _EQUAL, 0, 4, architecture.calls["clone"]
    yield _LOAD, 0, 0, _FIRST
    yield _HAS_BITS, 1, 0, _CLONE_THREAD
    yield _RETURN, 0, 0, _FAIL | errno.EPERM
    yield _RETURN, 0, 0, _ALLOW
