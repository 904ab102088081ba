"""Landlock: which files this process may read and write. The rules are the kernel's, for good, for all its threads.

Source: https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import glob
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.engine.wall.libc import syscall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.engine.wall.plan import Plan

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_QUERY, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""ABI version -> how many rights it knows."""
_TRUNCATE_SINCE, _NETWORK_SINCE, _SCOPE_SINCE = 3, 4, 6
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract unix sockets, signals
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_READ = _READ_FILE | _READ_DIR
_OWN = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/sys"),
    *("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/etc/timezone", "/etc/alternatives"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/os-release", "/etc/mime.types", "/etc/OpenCL"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/version", "/proc/filesystems"),
    *("/proc/sys/kernel", "/proc/sys/vm", "/proc/driver", "/dev/zero", "/dev/random", "/dev/urandom"),
)
_PROGRAMS = ("/bin", "/sbin")
_WRITABLE = ("/dev/null", "/proc/self/clear_refs")
_GPU = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dri/*", "/dev/kfd")


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    try:
        return syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_QUERY))
    except OSError:
        return 0


def restrict(plan: Plan) -> bool:
    """Apply the rules; whether they hold in full, which needs ABI 3: older kernels let any file be emptied."""
    abi = version()
    if not abi:
        return False
    handled = (1 << _RIGHTS.get(abi, max(_RIGHTS.values()))) - 1
    rules = _Ruleset(handled, _TCP if abi >= _NETWORK_SINCE else 0, _SCOPES if abi >= _SCOPE_SINCE else 0)
    size = 24 if abi >= _SCOPE_SINCE else 16 if abi >= _NETWORK_SINCE else 8
    try:
        ruleset = syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
        for path, rights in _allowed(plan):
            _allow(ruleset, path, rights & handled)
        syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
        os.close(ruleset)
    except OSError:
        return False
    return abi >= _TRUNCATE_SINCE


def _allowed(plan: Plan) -> Iterator[tuple[str, int]]:
    run = _EXECUTE if plan.compilers else 0
    yield from ((path, _READ | run) for path in (*_SYSTEM, *(_PROGRAMS if plan.compilers else ()), *of_python()))
    yield from ((path, _READ) for path in plan.reads)
    yield from ((path, _READ_FILE | _WRITE_FILE) for path in _WRITABLE)
    yield plan.folder, _OWN | run
    for pattern in _GPU if plan.gpu else ():
        yield from ((path, _READ_FILE | _WRITE_FILE | _IOCTL_DEV) for path in glob.glob(pattern))  # noqa: PTH207


def of_python() -> Iterator[str]:
    """Where Python finds modules and libraries; of an editable install of this package, only the package."""
    package = Path(__file__).parents[2]
    yield str(package)
    yield from {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    yield from (entry for entry in sys.path if entry and Path(entry) != package.parent)
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))
    yield from glob.glob("/opt/rocm*")  # noqa: PTH207


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Let what lies beneath a path be used; a path that is not there needs no rule."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= _OF_FILES
        rule = _Beneath(rights, handle)
        syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(handle)
