"""Namespaces of one's own: a network without connections, files without the data; no privileges to undo that."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
from typing import NamedTuple

from efficiency360.engine.wall.libc import mount, prctl, syscall, unshare

_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWNS = 0x10000000, 0x40000000, 0x20000
_MS_RDONLY, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 1 << 12, 1 << 14, 1 << 18
_CAP_DAC_READ_SEARCH = 2
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}


def no_new_privileges() -> None:
    """Let no program that this process starts gain privileges; Landlock and seccomp ask for it."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


class Own(NamedTuple):
    """Which namespaces this process now has for itself."""

    network: bool
    mounts: bool


def enter_own() -> Own:
    """Enter an empty network and a private view of the file systems, as far as this system allows.

    Root enters them directly, others inside a user namespace.
    """
    user, group = os.getuid(), os.getgid()
    base = 0 if user == 0 else _CLONE_NEWUSER
    for own in (Own(network=True, mounts=True), Own(network=True, mounts=False)):
        try:
            unshare(base | _CLONE_NEWNET | (_CLONE_NEWNS if own.mounts else 0))
        except OSError:
            continue
        if user != 0:
            with contextlib.suppress(OSError):  # without the map the process is "nobody", which does no harm
                Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
                Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
                Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
        return own
    return Own(network=False, mounts=False)


def hide(paths: tuple[str, ...]) -> bool:
    """Lay an empty folder over each folder, and nothing over each file, in this process's own view; whether all are."""
    try:
        mount(None, "/", None, _MS_REC | _MS_PRIVATE)
        for path in paths:
            if os.path.isdir(path):  # noqa: PTH112 - no more than a file name is wanted
                mount("tmpfs", path, "tmpfs", _MS_RDONLY, "size=4k,mode=0")
            elif os.path.exists(path):  # noqa: PTH110 - see above
                mount("/dev/null", path, None, _MS_BIND)
    except OSError:
        return False
    return True


def drop_capabilities() -> None:
    """Give up what root may do, but for reading the files of others, within Landlock's bounds: the model may be one."""
    kept = 1 << _CAP_DAC_READ_SEARCH if os.getuid() == 0 else 0
    for capability in range(_LAST_CAPABILITY + 1):
        with contextlib.suppress(OSError):
            prctl(_PR_CAPBSET_DROP, capability)
    if (number := _CAPSET.get(os.uname().machine)) is None:
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    low, high = kept & 0xFFFF_FFFF, kept >> 32
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)  # effective, permitted, inheritable; low words first
    with contextlib.suppress(OSError):
        syscall(number, header, sets)
