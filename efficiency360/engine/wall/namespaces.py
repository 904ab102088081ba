"""A network of one's own that is connected to nothing, and no privileges to undo anything."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

from efficiency360.engine.wall.libc import prctl, syscall, unshare

_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 38, 24
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CAP_DAC_READ_SEARCH = 2
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION = 0x20080522
_CAPSET = {"x86_64": 126, "aarch64": 91}


def no_new_privileges() -> None:
    """Let no program that this process starts gain privileges; Landlock and seccomp ask for it."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def own_network() -> bool:
    """Enter an empty network namespace: as root directly, else inside a user namespace where the system allows that."""
    user, group = os.getuid(), os.getgid()
    try:
        unshare(_CLONE_NEWNET if user == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    except OSError:
        return False
    if user != 0:
        with contextlib.suppress(OSError):  # without the map the process is "nobody", which does no harm
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
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
