"""Raising the wall: each layer is tried, and the names of those that hold are returned."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

from efficiency360.engine.wall import landlock, namespaces, seccomp
from efficiency360.engine.wall.plan import FILE_SIZE, FILES, HIDDEN, MEMORY, NO_NETWORK, NO_PROGRAMS, OWN_NETWORK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.engine.wall.plan import Plan

_OPEN_FILES = 1024
_ROOM_FOR_ADDRESSES = 16 << 30
"""What libraries, stacks and arenas reserve without using it."""


def raise_wall(plan: Plan) -> tuple[str, ...]:
    """Confine this process for good; it must have one thread only. The layers that hold, as `plan` names them."""
    return tuple(_layers(plan))


def _layers(plan: Plan) -> Iterator[str]:
    yield from _limits(plan)
    if sys.platform != "linux":
        return
    namespaces.no_new_privileges()
    own = namespaces.enter_own()
    if own.network:
        yield OWN_NETWORK
    if own.mounts and namespaces.hide(plan.hides) and not plan.beside:
        yield HIDDEN
    namespaces.drop_capabilities()
    if landlock.restrict(plan):
        yield FILES
    if seccomp.restrict(compilers=plan.compilers):
        yield from (NO_NETWORK,) if plan.compilers else (NO_NETWORK, NO_PROGRAMS)


def _limits(plan: Plan) -> Iterator[str]:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if _limit(resource.RLIMIT_FSIZE, plan.file_bytes):
        yield FILE_SIZE
    if plan.memory_bytes is not None:
        addresses = _limit(resource.RLIMIT_AS, plan.memory_bytes + _ROOM_FOR_ADDRESSES)
        if _limit(resource.RLIMIT_DATA, plan.memory_bytes) and addresses:
            yield MEMORY


def _limit(which: int, value: int) -> bool:
    """Lower a limit for good; one that is lower already stays."""
    _, hard = resource.getrlimit(which)
    wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(which, (wanted, wanted))
    except (ValueError, OSError):
        return False
    return True
