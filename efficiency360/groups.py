"""What the system and the control groups of this process leave it: memory and processors. Linux; elsewhere None.

Version 2 of control groups, and of version 1 the controllers of memory and of processors. A process is within its own
group and all around it, so the tightest limit counts. Where a container shows its group as the top of the tree, the
names of the groups above are not there, and the top is what counts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
_KIB = 1024
_UNLIMITED = 1 << 60
"""Version 1 has a very large number where there is no limit."""
_MEMORY = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of each version: the controller's folder, the limit, what is used, and of that what gives way (file caches)."""


def kib(file: Path, key: str) -> int:
    """The number behind `key:`, in bytes.

    Raises:
        OSError: no such file.
        ValueError: it does not tell.
    """
    for line in file.read_text("utf-8", "replace").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * _KIB
    raise ValueError(f"{file} does not tell {key}")


def free_bytes(root: Path = ROOT) -> int | None:
    """Memory that this process may still take, within its control groups; None where the system does not tell."""
    try:
        free = kib(root / "proc/meminfo", "MemAvailable")
    except (OSError, ValueError):
        return None
    return min([free, *(max(0, limit - used) for limit, used in _memory(root))])


def memory_limit(root: Path = ROOT) -> int | None:
    """The tightest limit of memory in bytes; None where there is none."""
    return min((limit for limit, _ in _memory(root)), default=None)


def quota(root: Path = ROOT) -> float | None:
    """Processors that this process may use at a time; None where no group sets a limit."""
    found = [_read(group / "cpu.max") for group in _groups(root, "")]
    found += [
        f"{_read(group / 'cpu.cfs_quota_us')} {_read(group / 'cpu.cfs_period_us')}" for group in _groups(root, "cpu")
    ]
    limits = [list(map(int, text.split())) for text in found if re.fullmatch(r"\d+ 0*[1-9]\d*", text)]
    return min((most / period for most, period in limits), default=None)


def _memory(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of each limited group; file caches are not counted as used."""
    for controller, limit, used, caches in _MEMORY:
        for group in _groups(root, controller):
            most, taken = _read(group / limit), _read(group / used)
            if most.isdigit() and int(most) < _UNLIMITED:
                lines = _read(group / "memory.stat").splitlines()
                gives_way = next((line.split()[1] for line in lines if line.startswith(f"{caches} ")), "0")
                yield int(most), max(0, int(taken or 0) - int(gives_way))


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's group and of those around it; `controller` is empty for version 2."""
    top = root / "sys/fs/cgroup" / controller
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            own = top / path.lstrip("/")
            yield from (group for group in (own, *own.parents) if group.is_relative_to(top))
