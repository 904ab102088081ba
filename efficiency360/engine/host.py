"""What the auditing process sees of the machine while a subject is timed: its own clock, interference, energy.

Everything is read outside the worker, so a subject that patches its clocks cannot reach it. A sensor that is not there
is left out; nothing is estimated.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

_BUSY = slice(0, 3)  # user, nice, system of a cpu line in /proc/stat
_INTERRUPTS = slice(5, 7)
_STEAL = 7
_OWN_TIMES = slice(11, 15)  # utime, stime, cutime, cstime, counted from behind the name in /proc/PID/stat
_MICRO, _MILLI, _NANO = 1e-6, 1e-3, 1e-9


class Host:
    """The sensors of this machine, found once; `root` stands in for `/` in tests.

    Readings, all cumulative seconds or joules unless said otherwise: `busy_s` and `steal_s` of all processors together,
    `worker_s` of processor time and `waited_s` of waiting for a processor of one process, `mhz` (mean frequency now),
    `package_j` (RAPL, all processor packages), `gpu_j` (NVML, the first visible device).
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        zones = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
        self._packages = [zone for zone in zones if zone.name.count(":") == 1]
        self._joules: dict[Path, tuple[float, float]] = {}
        self._gpu_joules = _gpu_counter() if root == Path("/") else None

    @property
    def energy_missing(self) -> str:
        """Why there is no reading of energy; empty where there is one."""
        if self._gpu_joules is not None:
            return ""
        if not self._packages:
            return "this machine shows no energy counter (RAPL below /sys/class/powercap, or an NVIDIA GPU with NVML)"
        if not any(os.access(zone / "energy_uj", os.R_OK) for zone in self._packages):
            return "the energy counters below /sys/class/powercap may be read by root only"
        return ""

    def read(self, pid: int) -> dict[str, float]:
        """All readings that can be had now, for the process `pid`."""
        readings: dict[str, float] = {}
        for read in (self._processors, lambda: self._process(pid), self._frequency, self._energy):
            with contextlib.suppress(OSError, ValueError, IndexError):
                readings.update(read())
        return readings

    def _processors(self) -> dict[str, float]:
        ticks = [int(text) for text in (self._root / "proc/stat").read_text().splitlines()[0].split()[1:]]
        busy = sum(ticks[_BUSY]) + sum(ticks[_INTERRUPTS])
        return {"busy_s": busy * self._tick_s, "steal_s": ticks[_STEAL] * self._tick_s}

    def _process(self, pid: int) -> dict[str, float]:
        own = self._root / f"proc/{pid}"
        times = (own / "stat").read_text().rpartition(")")[2].split()[_OWN_TIMES]
        readings = {"worker_s": sum(map(int, times)) * self._tick_s}
        waits = [int(file.read_text().split()[1]) for file in own.glob("task/*/schedstat")]
        return {**readings, "waited_s": sum(waits) * _NANO} if waits else readings

    def _frequency(self) -> dict[str, float]:
        files = self._root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
        khz = [int(file.read_text()) for file in files]
        return {"mhz": sum(khz) / len(khz) * _MILLI} if khz else {}

    def _energy(self) -> dict[str, float]:
        readings = {}
        if self._packages:
            readings["package_j"] = sum(map(self._package_joules, self._packages))
        if self._gpu_joules is not None:
            readings["gpu_j"] = self._gpu_joules()
        return readings

    def _package_joules(self, zone: Path) -> float:
        """Joules of one package since the first reading; the counter wraps after minutes to hours."""
        now = int((zone / "energy_uj").read_text()) * _MICRO
        before, total = self._joules.get(zone, (now, 0.0))
        spent = now - before
        if spent < 0:
            spent += int((zone / "max_energy_range_uj").read_text()) * _MICRO
        self._joules[zone] = now, total + spent
        return total + spent


class Marks:
    """The auditor's notes around timed stretches: two clock readings a mark, on arrival and on leaving, and the host's.

    Evidence: `mark.arrived_s`, `mark.left_s` and `mark.READING`, each (M,) float64, as far as every mark has it, and
    `mark.energy_missing`, text (1,).
    """

    def __init__(self, host: Host, pid: int) -> None:
        self._host, self._pid = host, pid
        self._rows: list[Mapping[str, float]] = []

    def note(self) -> None:
        """Note the moment and the state of the machine."""
        arrived = time.monotonic()
        readings = self._host.read(self._pid)
        self._rows.append({**readings, "arrived_s": arrived, "left_s": time.monotonic()})

    def evidence(self) -> dict[str, NDArray[np.generic]]:
        """The notes as arrays; none where nothing was marked."""
        if not self._rows:
            return {}
        names = [name for name in self._rows[0] if all(name in row for row in self._rows)]
        columns: dict[str, NDArray[Any]] = {
            f"mark.{name}": np.array([row[name] for row in self._rows]) for name in names
        }
        return {**columns, "mark.energy_missing": np.array([self._host.energy_missing])}


def _gpu_counter() -> Callable[[], float] | None:
    """Joules of the first visible NVIDIA GPU since its driver was loaded, or None; needs the package nvidia-ml-py."""
    if not Path("/dev/nvidiactl").exists():
        return None
    try:
        import pynvml  # noqa: PLC0415 - optional

        pynvml.nvmlInit()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(visible) if visible.isdigit() else 0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # noqa: BLE001 - no package, no driver, no such counter: all mean that it cannot be measured
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * _MILLI


def energy_sensors(host: Host) -> Iterator[str]:
    """Names of the energy sensors that can be read now."""
    names = {"package_j": "RAPL (processor packages)", "gpu_j": "NVML (first visible GPU)"}
    yield from (names[key] for key in host.read(os.getpid()) if key in names)
