"""What the auditor reads of a machine, on a machine that the test wrote, and on this one."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from efficiency360.engine.host import Host, Marks, energy_sensors

PID = 4711
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
READINGS = {"busy_s", "steal_s", "worker_s", "waited_s", "mhz", "package_j"}
RAPL = "sys/class/powercap/intel-rapl:"


class Machine:
    """A folder that looks like `/` of a machine with two processors in two packages."""

    def __init__(self, root):
        self.root = root
        self.processors("cpu  100 20 30 4000 500 6 7 80 9 10")
        self.process("py (thon) 3)")
        self.write(f"proc/{PID}/task/{PID}/schedstat", "900000000 1500000000 12\n")
        self.write(f"proc/{PID}/task/4712/schedstat", "100000000 250000000 3\n")
        for cpu, khz in enumerate((2_000_000, 3_000_000)):
            self.write(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", f"{khz}\n")
        for zone, name in {"0": "package-0", "0:0": "core", "0:1": "dram", "1": "package-1", "2": "psys"}.items():
            self.write(f"{RAPL}{zone}/name", f"{name}\n")
            self.write(f"{RAPL}{zone}/max_energy_range_uj", "262143328850\n")
            self.energy(zone, 1_000_000)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def remove(self, path):
        (self.root / path).unlink()

    def processors(self, line):
        self.write("proc/stat", f"{line}\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 12345\n")

    def process(self, name, times="250 50 7 3"):
        name = name if isinstance(name, bytes) else name.encode()
        before, after = "S 1 4711 4711 0 -1 4194304 102 0 0 0", "20 0 5 0 79945 3133440 413"
        self.write(f"proc/{PID}/stat", f"{PID} (".encode() + name + f") {before} {times} {after}\n".encode())

    def energy(self, zone, microjoules):
        self.write(f"{RAPL}{zone}/energy_uj", f"{microjoules}\n")

    def host(self):
        return Host(self.root)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


class GpuError(Exception):
    """What NVML raises."""


@pytest.fixture
def gpu(machine, monkeypatch):
    """Two alike GPUs behind a driver of the test's own; its counters count millijoules."""
    state = SimpleNamespace(millijoules=[5000, 70_000], names=["H", "H"], error="")

    def count(index):
        if state.error:
            raise GpuError(state.error)
        return state.millijoules[index]

    driver = SimpleNamespace(
        NVMLError=GpuError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(state.names),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetHandleByUUID=["GPU-a", "GPU-b"].index,
        nvmlDeviceGetName=lambda index: state.names[index],
        nvmlDeviceGetTotalEnergyConsumption=count,
    )
    machine.write("dev/nvidiactl", "")
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return state


def test_every_reading_is_in_its_unit(machine):
    readings = machine.host().read(PID)
    assert readings.keys() == READINGS
    assert readings["busy_s"] == pytest.approx((100 + 20 + 30 + 6 + 7) * TICK_S)
    assert readings["steal_s"] == pytest.approx(80 * TICK_S)
    assert readings["worker_s"] == pytest.approx((250 + 50 + 7 + 3) * TICK_S)
    assert readings["waited_s"] == pytest.approx(1.75)
    assert readings["mhz"] == pytest.approx(2500)
    assert readings["package_j"] == 0


def test_waiting_for_a_disk_is_not_being_busy(machine):
    host = machine.host()
    before = host.read(PID)["busy_s"]
    machine.processors("cpu  100 20 30 9000 9000 6 7 80 9 10")
    assert host.read(PID)["busy_s"] == before


@pytest.mark.parametrize("name", ["a b", "(x) y) 1 2 3", b"\xff\xfe (\n", ""])
def test_no_name_of_a_process_hides_its_times(machine, name):
    machine.process(name)
    assert machine.host().read(PID)["worker_s"] == pytest.approx(310 * TICK_S)


def test_energy_is_what_the_packages_spent_and_nothing_within_or_around_them_is_counted_again(machine):
    host = machine.host()
    host.read(PID)
    machine.energy("0", 4_500_000)
    machine.energy("1", 1_250_000)
    for zone in ("0:0", "0:1", "2"):
        machine.energy(zone, 900_000_000)
    assert host.read(PID)["package_j"] == pytest.approx(3.75)


def test_an_energy_counter_may_wrap_again_and_again(machine):
    machine.energy("0", 262_143_000_000)
    host = machine.host()
    host.read(PID)
    machine.energy("0", 671_150)
    assert host.read(PID)["package_j"] == pytest.approx(1.0)
    machine.energy("0", 262_143_000_000)
    host.read(PID)
    machine.energy("0", 0)
    assert host.read(PID)["package_j"] == pytest.approx(262_143.32885 + 0.32885)


def test_a_counter_of_unknown_range_is_not_used_for_it_could_wrap_unseen(machine):
    machine.remove(f"{RAPL}1/max_energy_range_uj")
    assert "package_j" not in machine.host().read(PID)


def test_zones_without_a_name_are_told_apart_by_their_number(machine):
    machine.remove(f"{RAPL}0/name")
    machine.remove(f"{RAPL}0:0/name")
    host = machine.host()
    host.read(PID)
    machine.energy("0", 2_000_000)
    machine.energy("0:0", 9_000_000)
    assert host.read(PID)["package_j"] == pytest.approx(1.0)


def test_waiting_never_falls_when_a_thread_ends(machine):
    host = machine.host()
    machine.remove(f"proc/{PID}/task/4712/schedstat")
    assert host.read(PID)["waited_s"] == pytest.approx(1.5)
    machine.write(f"proc/{PID}/task/4713/schedstat", "5 250000000 1\n")
    assert host.read(PID)["waited_s"] == pytest.approx(1.75)
    machine.remove(f"proc/{PID}/task/4713/schedstat")
    machine.write(f"proc/{PID}/task/{PID}/schedstat", "900000000 1600000000 12\n")
    assert host.read(PID)["waited_s"] == pytest.approx(1.85)


def test_processes_do_not_share_their_waiting(machine):
    machine.write("proc/9/task/9/schedstat", "5 7000000000 1\n")
    host = machine.host()
    host.read(PID)
    assert host.read(9)["waited_s"] == pytest.approx(7)


def test_an_empty_machine_reads_nothing_at_all(tmp_path):
    host = Host(tmp_path)
    assert host.read(PID) == {}
    assert list(energy_sensors(host)) == []


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n", b"\xff\xfe", "1.5e", "cpu", "cpu  1 2 3"])
@pytest.mark.parametrize(
    ("path", "lost"),
    [
        ("proc/stat", {"busy_s", "steal_s"}),
        (f"proc/{PID}/stat", {"worker_s"}),
        (f"proc/{PID}/task/{PID}/schedstat", {"waited_s"}),
        ("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", {"mhz"}),
        (f"{RAPL}1/energy_uj", {"package_j"}),
        (f"{RAPL}1/max_energy_range_uj", {"package_j"}),
    ],
)
def test_a_garbled_file_takes_only_its_own_reading_away(machine, path, lost, text):
    machine.write(path, text)
    assert machine.host().read(PID).keys() == READINGS - lost


@pytest.mark.parametrize(
    ("path", "lost"),
    [
        ("proc/stat", {"busy_s", "steal_s"}),
        (f"proc/{PID}/stat", {"worker_s"}),
        (f"{RAPL}0/energy_uj", {"package_j"}),
    ],
)
def test_a_file_that_cannot_be_read_takes_only_its_own_reading_away(machine, path, lost):
    machine.remove(path)
    (machine.root / path).mkdir()
    assert machine.host().read(PID).keys() == READINGS - lost


def test_an_old_kernel_without_steal_still_tells_how_busy_it_is(machine):
    machine.processors("cpu  100 20 30 4000 500 6 7")
    readings = machine.host().read(PID)
    assert readings["busy_s"] == pytest.approx(163 * TICK_S)
    assert "steal_s" not in readings


def test_rows_of_zeros_are_sensors_that_do_not_count(machine):
    machine.processors("cpu  0 0 0 0 0 0 0 0 0 0")
    for task in (PID, 4712):
        machine.write(f"proc/{PID}/task/{task}/schedstat", "0 0 0\n")
    for cpu in range(2):
        machine.write(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", "0\n")
    assert machine.host().read(PID).keys() == {"worker_s", "package_j"}


def test_a_processor_that_is_switched_off_is_not_in_the_mean(machine):
    machine.remove("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq")
    (machine.root / "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq").mkdir()
    assert machine.host().read(PID)["mhz"] == pytest.approx(2000)


def test_no_energy_counter_is_said_to_be_missing_where_there_is_one(machine):
    host = machine.host()
    assert host.energy_missing == ""
    assert list(energy_sensors(host)) == ["RAPL (processor packages)"]


def test_energy_is_missing_because_nothing_counts_it(tmp_path):
    assert Host(tmp_path).energy_missing == (
        "the processor shows no energy counter (below /sys/class/powercap), and there is no NVIDIA GPU"
    )


def test_energy_is_missing_because_only_root_may_read_it(machine, monkeypatch):
    read = Path.read_bytes

    def refuse(path):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "root only" in machine.host().energy_missing


def test_energy_is_missing_because_one_package_of_two_does_not_answer(machine):
    machine.remove(f"{RAPL}1/energy_uj")
    assert "counters do not answer" in machine.host().energy_missing


@pytest.mark.usefixtures("gpu")
def test_energy_is_missing_because_the_package_for_the_gpu_is(machine, monkeypatch):
    machine.remove(f"{RAPL}1/energy_uj")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert "nvidia-ml-py" in machine.host().energy_missing


def test_a_gpu_counts_in_joules_and_beside_the_packages(machine, gpu):
    host = machine.host()
    before = host.read(PID)
    gpu.millijoules[0] += 2500
    machine.energy("0", 2_000_000)
    after = host.read(PID)
    assert after["gpu_j"] - before["gpu_j"] == pytest.approx(2.5)
    assert after["package_j"] - before["package_j"] == pytest.approx(1.0)
    assert sorted(energy_sensors(host)) == ["NVML (first visible GPU)", "RAPL (processor packages)"]


@pytest.mark.parametrize(
    ("visible", "joules"), [(None, 5), ("0", 5), ("1", 70), ("1,0", 70), ("GPU-b,GPU-a", 70), (" 1", 70)]
)
@pytest.mark.usefixtures("gpu")
def test_the_gpu_that_is_counted_is_the_first_that_cuda_sees(machine, monkeypatch, visible, joules):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.host().read(PID)["gpu_j"] == pytest.approx(joules)


@pytest.mark.parametrize("visible", ["", "-1", "7", "none"])
@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_cuda_does_not_see_is_not_counted(machine, monkeypatch, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine.remove(f"{RAPL}1/energy_uj")
    host = machine.host()
    assert "gpu_j" not in host.read(PID)
    assert "CUDA_VISIBLE_DEVICES hides every GPU" in host.energy_missing


def test_where_gpus_differ_none_is_taken_for_the_first_unless_it_is_named(machine, gpu, monkeypatch):
    gpu.names[1] = "T"
    assert "gpu_j" not in machine.host().read(PID)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    assert machine.host().read(PID)["gpu_j"] == pytest.approx(70)


def test_a_gpu_without_the_counter_is_a_reason_and_not_a_crash(machine, gpu):
    gpu.error = "Not Supported"
    machine.remove(f"{RAPL}1/energy_uj")
    assert "the GPU's counter does not answer (Not Supported)" in machine.host().energy_missing


def test_a_gpu_that_falls_silent_takes_only_its_own_reading_away(machine, gpu):
    host = machine.host()
    gpu.error = "GPU is lost"
    assert host.read(PID).keys() == READINGS


@pytest.mark.usefixtures("gpu")
def test_packages_that_fall_silent_leave_the_gpu(machine):
    machine.remove(f"{RAPL}0/energy_uj")
    host = machine.host()
    assert host.read(PID).keys() == READINGS - {"package_j"} | {"gpu_j"}
    assert host.energy_missing == ""


def test_marks_are_in_order_and_hold_what_was_read(machine):
    marks = Marks(machine.host(), PID)
    before = time.monotonic()
    for joules in (0, 1, 3):
        machine.energy("0", 1_000_000 + joules * 1_000_000)
        marks.note()
    evidence = marks.evidence()
    assert evidence.keys() == {f"mark.{name}" for name in READINGS | {"arrived_s", "left_s", "energy_missing"}}
    moments = np.ravel([evidence["mark.arrived_s"], evidence["mark.left_s"]], order="F")
    assert (np.diff(np.concatenate([[before], moments, [time.monotonic()]])) >= 0).all()
    assert (np.diff(evidence["mark.arrived_s"]) > 0).all()
    assert all(evidence[f"mark.{name}"].dtype == np.float64 for name in READINGS)
    assert evidence["mark.package_j"].tolist() == pytest.approx([0, 1, 3])
    assert evidence["mark.energy_missing"].tolist() == [""]


@pytest.mark.parametrize("first", [True, False])
def test_marks_keep_only_what_every_mark_has(machine, first):
    marks = Marks(machine.host(), PID)
    line = "cpu  100 20 30 4000 500 6 7 80 9 10"
    machine.processors("garbled" if first else line)
    marks.note()
    machine.processors(line if first else "garbled")
    marks.note()
    names = {f"mark.{name}" for name in READINGS - {"busy_s", "steal_s"}}
    assert names == marks.evidence().keys() - {"mark.arrived_s", "mark.left_s", "mark.energy_missing"}


def test_marks_say_that_the_energy_counter_did_not_always_answer(machine):
    marks = Marks(machine.host(), PID)
    machine.energy("0", "nonsense")
    marks.note()
    machine.energy("0", 5_000_000)
    marks.note()
    evidence = marks.evidence()
    assert "mark.package_j" not in evidence
    assert evidence["mark.energy_missing"].tolist() == ["the energy counter did not answer at every mark"]


def test_marks_say_why_there_is_no_energy(tmp_path):
    marks = Marks(Host(tmp_path), PID)
    marks.note()
    assert "no NVIDIA GPU" in marks.evidence()["mark.energy_missing"].item()


def test_nothing_marked_is_no_evidence(machine):
    assert Marks(machine.host(), PID).evidence() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_tells_what_a_process_does():
    host = Host()
    before = host.read(os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    after = host.read(os.getpid())
    spent = {name: after[name] - before[name] for name in ("busy_s", "steal_s", "worker_s")}
    assert spent["worker_s"] == pytest.approx(0.1, abs=3 * TICK_S)
    assert spent["steal_s"] >= 0
    assert spent["busy_s"] + spent["steal_s"] >= spent["worker_s"] - 3 * TICK_S
