"""What the machine itself shows: processor, memory, compiler, timer, sensors, and how busy it is with other things."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from efficiency360.engine.environment import cpu_name, default_threads, memory_bytes
from efficiency360.engine.host import Host, energy_sensors
from efficiency360.groups import ROOT, free_bytes, kib, memory_limit, quota

_PEAK = 64 << 20
_WATCH_S = 0.3
_TIMER_READS = 2000


@dataclass(frozen=True)
class Load:
    """The processors that other processes keep busy, and those that other virtual machines take; None: not shown."""

    others: float | None
    stolen: float | None


@dataclass(frozen=True)
class Machine:
    """Facts; None or empty where the system does not tell.

    `cores` are what this process may run on, `quota` what its control group may use of them at a time.
    `free_bytes` is what programs may still take. `compiler` is the one that torch.compile looks for, `headers` are
    Python's.
    """

    cpu: str
    processors: int
    cores: int
    quota: float | None
    memory_bytes: int
    free_bytes: int | None
    nvidia: bool
    compiler: str | None
    headers: bool
    timer_step_s: float
    peak_resets: bool
    sensors: frozenset[str]
    energy: tuple[str, ...]
    energy_missing: str
    load: Load


def look() -> Machine:
    """Look at this machine; takes a third of a second, most of it to see how busy it is."""
    host = Host()
    limit = memory_limit()
    return Machine(
        cpu=cpu_name(),
        processors=os.cpu_count() or 1,
        cores=default_threads(),
        quota=quota(),
        memory_bytes=min(memory_bytes(), limit) if limit else memory_bytes(),
        free_bytes=free_bytes(),
        nvidia=(ROOT / "dev/nvidiactl").exists(),
        compiler=shutil.which(compiler_name()),
        headers=Path(sysconfig.get_path("include"), "Python.h").exists(),
        timer_step_s=timer_step_s(),
        peak_resets=peak_resets(),
        sensors=frozenset(host.read(os.getpid())),
        energy=tuple(energy_sensors(host)),
        energy_missing=host.energy_missing,
        load=watch(host),
    )


def compiler_name() -> str:
    """The command that torch.compile uses in a worker, which has no CXX in its environment."""
    return "clang++" if sys.platform == "darwin" else "g++"


def watch(host: Host, seconds: float = _WATCH_S) -> Load:
    """See for `seconds` what else runs."""
    before, began = host.read(os.getpid()), time.monotonic()
    time.sleep(seconds)
    after, took = host.read(os.getpid()), time.monotonic() - began
    spent = {name: (after[name] - before[name]) / took for name in before.keys() & after.keys()}
    own = spent.get("worker_s", 0.0)
    return Load(max(0.0, spent["busy_s"] - own) if "busy_s" in spent else None, spent.get("steal_s"))


def timer_step_s() -> float:
    """The smallest step that the clock of timings shows."""
    reads = [time.perf_counter_ns() for _ in range(_TIMER_READS)]
    return min(after - before for before, after in pairwise(reads) if after > before) * 1e-9


def peak_resets() -> bool:
    """Whether the most memory that a process has held can be counted anew, as each stretch of a measurement needs."""
    try:
        block = b"e" * _PEAK
        high = kib(ROOT / "proc/self/status", "VmHWM")
        del block
        (ROOT / "proc/self/clear_refs").write_text("5", encoding="ascii")
        return kib(ROOT / "proc/self/status", "VmHWM") <= high - _PEAK // 2
    except (OSError, ValueError):
        return False
