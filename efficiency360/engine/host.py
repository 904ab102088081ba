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
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    Readings = Iterable[tuple[str, float]]

_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq of a cpu line in /proc/stat
_STEAL = 7
_OWN_TIMES = (11, 12, 13, 14)  # utime, stime, cutime, cstime, counted from behind the name in /proc/PID/stat
_MICRO, _MILLI, _NANO = 1e-6, 1e-3, 1e-9
_ENERGY = {"package_j": "RAPL (processor packages)", "gpu_j": "NVML (first visible GPU)"}


class Host:
    """The sensors of this machine, found once; `root` stands in for `/` in tests.

    Readings, all cumulative seconds or joules unless said otherwise: `busy_s` and `steal_s` of all processors together,
    `worker_s` of processor time of one process and its ended children, `waited_s` of that process's threads waiting for
    a processor (of a thread that has ended, until the last reading before its end), `mhz` (mean frequency now),
    `package_j` (RAPL, all processor packages), `gpu_j` (NVML, the first visible device).
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self._packages = [zone for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*")) if _whole(zone)]
        self._joules: dict[Path, tuple[int, int]] = {}
        self._waits: dict[int, dict[str, int]] = {}
        self._gpu_joules: Callable[[], float] | None = None
        self._gpu_missing = "the GPU's counter does not answer"
        try:
            self._gpu_joules = _gpu_counter(root)
        except LookupError as error:
            self._gpu_missing = str(error)

    @property
    def energy_missing(self) -> str:
        """Why there is no reading of energy; empty where there is one."""
        if _readings(self._package(), self._gpu()):
            return ""
        return f"{self._package_missing()}, and {self._gpu_missing}"

    def read(self, pid: int) -> dict[str, float]:
        """All readings that can be had now, for the process `pid`."""
        return _readings(
            self._processors(), self._times(pid), self._waited(pid), self._frequency(), self._package(), self._gpu()
        )

    def _processors(self) -> Readings:
        name, *texts = (self._root / "proc/stat").read_bytes().splitlines()[0].split()
        ticks = list(map(int, texts))
        if name == b"cpu" and any(ticks):  # some sandboxes show a row of zeros
            yield "busy_s", sum(ticks[field] for field in _BUSY) * self._tick_s
            yield "steal_s", ticks[_STEAL] * self._tick_s

    def _times(self, pid: int) -> Readings:
        fields = (self._root / f"proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        yield "worker_s", sum(int(fields[field]) for field in _OWN_TIMES) * self._tick_s

    def _waited(self, pid: int) -> Readings:
        """Threads that ended stay in the sum, so that it never falls."""
        waits, ran_any = self._waits.setdefault(pid, {}), 0
        for task in (self._root / f"proc/{pid}/task").glob("*"):
            with contextlib.suppress(OSError):  # it has just ended
                ran, waited = map(int, (task / "schedstat").read_bytes().split()[:2])
                waits[task.name] = max(waited, waits.get(task.name, 0))
                ran_any |= ran
        if ran_any:  # a kernel that does not count shows zeros
            yield "waited_s", sum(waits.values()) * _NANO

    def _frequency(self) -> Readings:
        khz = []
        for file in self._root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"):
            with contextlib.suppress(OSError):  # a processor that is switched off
                khz.append(int(file.read_bytes()))
        if khz and all(khz):
            yield "mhz", sum(khz) / len(khz) * _MILLI

    def _package(self) -> Readings:
        if self._packages:
            yield "package_j", sum(map(self._package_microjoules, self._packages)) * _MICRO

    def _package_microjoules(self, zone: Path) -> int:
        """Of one package since its first reading. The counter wraps after minutes to hours; once is noticed."""
        now, most = (int((zone / name).read_bytes()) for name in ("energy_uj", "max_energy_range_uj"))
        before, total = self._joules.get(zone, (now, 0))
        total += now - before + (most if now < before else 0)
        self._joules[zone] = now, total
        return total

    def _package_missing(self) -> str:
        if not self._packages:
            return "the processor shows no energy counter (below /sys/class/powercap)"
        try:
            (self._packages[0] / "energy_uj").read_bytes()
        except PermissionError:
            return "the processor's energy counters may be read by root only"
        except OSError:
            pass
        return "the processor's energy counters do not answer"

    def _gpu(self) -> Readings:
        if self._gpu_joules is not None:
            yield "gpu_j", self._gpu_joules()


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
            f"mark.{name}": np.array([row[name] for row in self._rows], np.float64) for name in names
        }
        return {**columns, "mark.energy_missing": np.array([self._energy_missing(names)])}

    def _energy_missing(self, names: Iterable[str]) -> str:
        if not _ENERGY.keys().isdisjoint(names):
            return ""
        return self._host.energy_missing or "the energy counter did not answer at every mark"


def energy_sensors(host: Host) -> Iterator[str]:
    """Names of the energy sensors that can be read now."""
    yield from (_ENERGY[key] for key in host.read(os.getpid()) if key in _ENERGY)


def _readings(*sensors: Readings) -> dict[str, float]:
    """What the sensors say, each as far as it can be read."""
    readings: dict[str, float] = {}
    for sensor in sensors:
        with contextlib.suppress(OSError, ValueError, IndexError):
            readings.update(sensor)  # pair by pair: what comes before a failure is kept
    return readings


def _whole(zone: Path) -> bool:
    """Whether a RAPL zone is a processor package: not a part of one, nor the platform (`psys`) that holds them all."""
    try:
        name = (zone / "name").read_text("ascii")
    except (OSError, ValueError):
        name = "package"
    return zone.name.count(":") == 1 and name.startswith("package")


def _gpu_counter(root: Path) -> Callable[[], float]:
    """Joules of the first visible NVIDIA GPU since its driver was loaded.

    Raises:
        LookupError: there is none, with the reason.
    """
    if not (root / "dev/nvidiactl").exists():
        raise LookupError("there is no NVIDIA GPU")
    try:
        import pynvml  # noqa: PLC0415 - optional
    except ImportError as error:
        raise LookupError("the GPU's counter needs the package nvidia-ml-py") from error

    def joules() -> float:
        try:
            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * _MILLI
        except pynvml.NVMLError as error:
            raise OSError(str(error)) from error

    try:
        pynvml.nvmlInit()
        handle = _first_visible(pynvml)
        joules()
    except (pynvml.NVMLError, OSError) as error:
        raise LookupError(f"the GPU's counter does not answer ({error})") from error
    return joules


def _first_visible(nvml: Any) -> Any:
    """NVML's handle of the device that CUDA calls `cuda:0`.

    Raises:
        LookupError: there is none, or which one it is cannot be told: CUDA puts the fastest first, NVML the first slot.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if visible.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(visible)
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    if not visible.isdigit() or int(visible) >= len(handles):
        raise LookupError("CUDA_VISIBLE_DEVICES hides every GPU")
    if len({nvml.nvmlDeviceGetName(handle) for handle in handles}) > 1:
        raise LookupError("which of the different GPUs is the first is not clear (set CUDA_VISIBLE_DEVICES to a UUID)")
    return handles[int(visible)]
