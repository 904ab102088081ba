"""The parent's half of the wall: what it is to let through for one subject."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.engine.environment import memory_bytes
from efficiency360.engine.wall import Plan
from efficiency360.engine.wall.landlock import of_python
from efficiency360.groups import free_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.subject.request import SubjectRequest

_SHARE_OF_MEMORY = 0.9
_GPUS = ("/dev/nvidiactl", "/dev/kfd")


def plan_for(request: SubjectRequest, folder: str, *, hides: Iterable[str], compilers: bool) -> Plan:
    """The plan of the wall for a subject.

    Args:
        request: the subject; code of its own starts no compiler.
        folder: the private folder.
        hides: existing absolute paths that must not be seen, such as the data's.
        compilers: whether an axis asks for a compiler.
    """
    hides = tuple(hides)
    gpu = request.device != "cpu" and any(Path(device).exists() for device in _GPUS)
    memory = int(_SHARE_OF_MEMORY * (free_bytes() or memory_bytes()))
    readable = [Path(path).resolve() for path in (*request.reads, *of_python())]
    exposed = [path for path in map(Path, hides) if any(path.is_relative_to(read) for read in readable)]
    covers = {path for path in map(Path, hides) for need in (*readable, Path(folder)) if need.is_relative_to(path)}
    return Plan(
        folder=folder,
        reads=request.reads,
        hides=tuple(path for path in hides if Path(path) not in covers),
        exposed=bool(exposed),
        beside=not covers.isdisjoint(exposed),
        memory_bytes=None if gpu or not memory else memory,
        compilers=compilers and not request.runs_code,
        gpu=gpu,
    )
