"""What the doctor asks, what it sees, and what it makes of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from efficiency360.engine.doctor import hardware, machine, packages
from efficiency360.engine.doctor.diagnose import layers_here, put_together
from efficiency360.engine.doctor.lines import Diagnosis, Line, Mark, Section
from efficiency360.engine.doctor.machine import Load, Machine
from efficiency360.engine.doctor.software import BASE, CORE, OPTIONAL, Device, Package, Software, ask
from efficiency360.engine.wall import ALWAYS, EVERY_LAYER
from efficiency360.engine.wall.plan import FILE_SIZE, MEMORY

ANSWERS = """
import json, os, signal, sys, time
for step in sys.argv[1:]:
    answer = {"step": step, "error": ""}
    if step == "devices":
        answer |= {"devices": [{"name": "cpu", "label": "", "memory_bytes": None, "dtypes": ["float32"], "error": ""}]}
    DEFECT
    print(json.dumps(answer), flush=True)
"""
CPU = Device("cpu", dtypes=("float32", "bfloat16", "float16"))
GPU = Device("cuda:0", "H100", 85_000_000_000, ("float32", "bfloat16", "float16"))


def asked(defect, timeout_s=60.0):
    """Ask a probe that answers at once that all is well, but for a defect."""
    return ask(probe=[sys.executable, "-c", ANSWERS.replace("DEFECT", defect)], timeout_s=timeout_s)


def broken(software):
    return {name: found.error for name, found in software.packages.items() if found.error}


@pytest.fixture
def healthy():
    """Software where all is well, on a processor alone."""
    return Software({name: Package("2.14.1") for name in (*BASE, *CORE, *OPTIONAL)}, devices=(CPU,), cuda_build="13.0")


@pytest.fixture
def bare():
    """A machine where all is well."""
    return Machine(
        cpu="Some Processor",
        processors=8,
        cores=8,
        quota=None,
        memory_bytes=32_000_000_000,
        free_bytes=16_000_000_000,
        nvidia=False,
        compiler="/usr/bin/g++",
        headers=True,
        timer_step_s=5e-8,
        peak_resets=True,
        sensors=frozenset({"busy_s", "steal_s", "worker_s", "waited_s", "mhz", "package_j"}),
        energy=("RAPL (processor packages)",),
        energy_missing="",
        load=Load(0.0, 0.0),
    )


def with_package(software, name, **changes):
    found = software.packages[name]
    return replace(software, packages={**software.packages, name: replace(found, **changes)})


def line(lines, name):
    return next(line for line in lines if line.name == name)


class TestAsking:
    def test_a_healthy_installation_has_no_errors(self):
        software = asked("")
        assert broken(software) == {}
        assert software.devices == (Device("cpu", dtypes=("float32",)),)
        assert software.packages["numpy"].version

    def test_a_package_that_crashes_is_named_and_the_others_still_answer(self):
        software = asked("if step == 'opacus': os.kill(os.getpid(), signal.SIGSEGV)")
        assert broken(software) == {"opacus": "crashes (SIGSEGV)"}
        assert software.devices

    def test_a_package_that_ends_the_process_is_named_with_its_last_words(self):
        software = asked("if step == 'timm': sys.exit('no licence')")
        assert broken(software) == {"timm": "no licence"}

    def test_what_needs_torch_is_not_blamed_for_a_broken_torch(self):
        software = asked("answer['error'] = 'ImportError' if step in {'torch', 'timm', 'devices'} else ''")
        assert broken(software) == {"torch": "ImportError"}
        assert software.packages["timm"].needs == "torch"
        assert software.packages["fairlearn"].works
        assert not software.devices_error

    def test_after_a_crash_of_torch_nothing_is_tried_that_imports_it(self, tmp_path):
        log = tmp_path / "log"
        defect = f"open({str(log)!r}, 'a').write(step + ' ')\n    if step == 'torch': os.abort()"
        assert broken(asked(defect)) == {"torch": "crashes (SIGABRT)"}
        assert not {"timm", "devices"} & set(log.read_text().split())

    def test_a_package_that_hangs_costs_no_more_than_the_time_given(self):
        software = asked("if step == 'timm': time.sleep(60)", timeout_s=1.0)
        assert software.packages["timm"].error == "did not end in time"
        assert software.packages["torchvision"].works
        assert software.packages["opacus"].error == "not tried, for time was up"

    def test_a_driver_that_crashes_is_an_error_of_the_devices(self):
        software = asked("if step == 'devices': os.abort()")
        assert broken(software) == {}
        assert software.devices_error == "crashes (SIGABRT)"

    def test_a_probe_that_cannot_start_is_an_error_everywhere(self):
        software = ask(probe=[sys.executable, "-c", "raise OSError('no room')"])
        assert broken(software)["numpy"] == "OSError: no room"

    def test_the_real_probe_says_what_a_package_raises_and_not_what_it_prints(self, tmp_path, monkeypatch):
        (tmp_path / "torch.py").write_text("print('{}')\nraise ImportError('libfoo.so:\\n no such file')")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        errors = {name: error for name, error in broken(ask()).items() if name not in OPTIONAL}
        assert errors == {"torch": "ImportError: libfoo.so: no such file"}


class TestPackages:
    def test_a_healthy_installation_is_no_obstacle(self, healthy):
        assert packages.obstacle(healthy) == ""
        assert all(found.mark is Mark.OK for found in packages.core(healthy).lines)

    @pytest.mark.parametrize("name", [*CORE, *BASE])
    def test_every_package_that_fails_is_an_obstacle_with_a_command(self, healthy, name):
        for changes in ({"error": "ImportError: x"}, {"error": "ModuleNotFoundError: x", "version": None}):
            software = with_package(healthy, name, **changes)
            assert f"{name} " in packages.obstacle(software)
            assert "pip install" in packages.obstacle(software)
            found = line(packages.core(software).lines, name)
            assert found.mark is Mark.MISSING
            assert "Mend it: pip install" in found.advice

    @pytest.mark.parametrize(
        ("version", "old"), [("2.9.1", True), ("1.13", True), ("2.10.0+cu130", False), (None, False)]
    )
    def test_a_torch_that_opens_weights_unsafely_is_an_obstacle(self, healthy, version, old):
        obstacle = packages.obstacle(with_package(healthy, "torch", version=version))
        assert bool(obstacle) is old
        if old:
            assert "too old" in obstacle
            assert obstacle.endswith("pip install --upgrade torch torchvision")

    def test_torch_and_torchvision_are_mended_together(self, healthy):
        software = with_package(healthy, "torchvision", error="RuntimeError: operator torchvision::nms does not exist")
        assert packages.obstacle(software).endswith("pip install --force-reinstall torch torchvision")

    def test_what_waits_for_torch_is_one_line_and_not_in_the_command(self, healthy):
        software = with_package(healthy, "torch", error="ImportError: x")
        software = with_package(with_package(software, "timm", needs="torch"), "safetensors", needs="torch")
        lines = packages.core(software).lines
        assert line(lines, "not tried").found == "timm, safetensors: they need torch"
        assert "timm" not in packages.obstacle(software)
        assert not any(found.name == "the rest" for found in lines)

    def test_what_waits_for_torch_but_is_not_installed_is_missing_all_the_same(self, healthy):
        software = with_package(healthy, "torch", error="ImportError: x")
        software = with_package(software, "timm", needs="torch", version=None)
        assert "timm is not installed" in packages.obstacle(software)

    def test_a_broken_driver_is_an_obstacle(self, healthy):
        obstacle = packages.obstacle(replace(healthy, devices=(), devices_error="crashes (SIGSEGV)"))
        assert "crashes (SIGSEGV)" in obstacle
        assert "CUDA_VISIBLE_DEVICES" in obstacle

    def test_the_package_for_the_gpus_energy_is_missing_only_where_there_is_a_gpu(self, healthy):
        software = with_package(healthy, "nvidia-ml-py", version=None, error="ModuleNotFoundError")
        assert line(packages.optional(software, nvidia=False).lines, "nvidia-ml-py").mark is Mark.NOTE
        found = line(packages.optional(software, nvidia=True).lines, "nvidia-ml-py")
        assert found.mark is Mark.MISSING
        assert found.advice.endswith("pip install nvidia-ml-py")
        assert packages.obstacle(software) == ""

    def test_an_extra_without_its_packages_says_what_it_adds_and_how_to_get_it(self, healthy, monkeypatch):
        monkeypatch.setattr(packages, "installed", lambda name: None if name == "onnxruntime" else "1.0")
        lines = packages.optional(healthy, nvidia=False).lines
        assert line(lines, "extra search").mark is Mark.OK
        found = line(lines, "extra onnx")
        assert found.mark is Mark.NOTE
        assert found.found == "onnxruntime not installed; adds ONNX models"
        assert found.advice == "pip install 'efficiency360[onnx]'"

    def test_a_gpu_is_shown_with_its_name_memory_and_number_types(self, healthy):
        lines = list(packages.devices(replace(healthy, devices=(CPU, GPU)), nvidia=True))
        assert line(lines, "cuda:0").found == "H100 with 85 GB: computes in float32, bfloat16, float16"
        assert [found.name for found in lines] == ["cpu", "cuda:0"]

    def test_a_gpu_without_a_number_type_or_without_room_says_so(self, healthy):
        partial, full = replace(GPU, dtypes=("float32", "float16")), replace(GPU, dtypes=(), error="out of memory")
        for device, mark in ((partial, Mark.NOTE), (full, Mark.MISSING)):
            found = line(packages.devices(replace(healthy, devices=(CPU, device)), nvidia=True), "cuda:0")
            assert found.mark is mark
            assert found.advice

    @pytest.mark.parametrize(
        ("nvidia", "changes", "mark", "says"),
        [
            (False, {}, Mark.NOTE, "no NVIDIA GPU"),
            (True, {"cuda_build": ""}, Mark.MISSING, "built without CUDA"),
            (True, {"cuda_error": "RuntimeError: driver too old"}, Mark.MISSING, "driver too old"),
            (True, {}, Mark.MISSING, "CUDA_VISIBLE_DEVICES"),
        ],
    )
    def test_why_there_is_no_gpu(self, healthy, nvidia, changes, mark, says):
        found = line(packages.devices(replace(healthy, **changes), nvidia=nvidia), "cuda")
        assert found.mark is mark
        assert says in found.found


class TestMachine:
    def test_what_this_process_does_is_not_the_load_of_others(self):
        readings = iter(
            [{"busy_s": 0.0, "worker_s": 0.0, "steal_s": 1.0}, {"busy_s": 1.0, "worker_s": 0.4, "steal_s": 1.0}]
        )
        load = machine.watch(SimpleNamespace(read=lambda _pid: next(readings)), seconds=0.5)
        assert load.others == pytest.approx(0.6 / 0.5, rel=0.2)
        assert load.stolen == 0

    def test_a_load_that_is_not_shown_is_not_zero(self):
        assert machine.watch(SimpleNamespace(read=lambda _pid: {}), seconds=0) == Load(None, None)

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_this_machine_is_seen(self):
        found = machine.look()
        assert found.cpu
        assert 1 <= found.cores <= found.processors
        assert 0 < found.free_bytes < found.memory_bytes
        assert 0 < found.timer_step_s < 1e-3
        assert {"busy_s", "worker_s"} <= found.sensors
        assert bool(found.energy) is not bool(found.energy_missing)
        assert 0 <= found.load.others <= found.processors + 1


class TestHardware:
    @pytest.fixture
    def everything(self, healthy, bare):
        """All lines by name, on a machine where all is well but for some changes."""

        def lines(**changes):
            diagnosis = put_together(healthy, replace(bare, **changes), (*ALWAYS, *EVERY_LAYER))
            return {found.name: found for section in diagnosis.sections for found in section.lines}

        return lines

    def test_a_machine_with_everything_misses_nothing(self, healthy, bare):
        assert put_together(healthy, bare, (*ALWAYS, *EVERY_LAYER)).missing == ()

    @pytest.mark.parametrize("absent", EVERY_LAYER)
    def test_every_wall_that_is_not_there_is_named(self, absent):
        found = list(hardware.walls(tuple(layer for layer in EVERY_LAYER if layer != absent)))
        assert [(line.mark, line.name) for line in found[1:]] == [(Mark.MISSING, absent)]
        assert "--strict" in found[1].advice

    @pytest.mark.skipif(sys.platform != "linux", reason="the wall is Linux's")
    def test_the_walls_of_this_machine_are_found_by_raising_them(self):
        found = layers_here()
        assert {MEMORY, FILE_SIZE} <= set(found)

    @pytest.mark.parametrize(
        ("changes", "name", "expected"),
        [
            ({"compiler": None}, "torch.compile", (Mark.MISSING, "g++")),
            ({"headers": False}, "torch.compile", (Mark.MISSING, "Python.h")),
            ({"quota": 2.5}, "cores", (Mark.NOTE, "--threads 2")),
            ({"quota": 0.5}, "cores", (Mark.NOTE, "--threads 1")),
            ({"quota": 16.0}, "cores", (Mark.OK, "8")),
            ({"cores": 4}, "cores", (Mark.OK, "4 of the machine's 8")),
            ({"free_bytes": 10**9}, "memory", (Mark.NOTE, "close other programs")),
            ({"free_bytes": None}, "memory", (Mark.OK, "32 GB")),
            ({"timer_step_s": 0.015}, "timer", (Mark.NOTE, "larger batches")),
            ({"load": Load(3.2, 0.0)}, "load now", (Mark.NOTE, "3.2 of 8")),
            ({"load": Load(None, 0.0)}, "load now", (Mark.MISSING, "not shown")),
            ({"load": Load(0.0, 0.4)}, "stolen time", (Mark.NOTE, "0.40 of a core")),
            ({"load": Load(0.0, None)}, "stolen time", (Mark.MISSING, "not shown")),
            ({"sensors": frozenset({"steal_s"})}, "frequency", (Mark.MISSING, "slows down")),
            ({"sensors": frozenset({"steal_s"})}, "waiting", (Mark.MISSING, "wait for a core")),
            ({"peak_resets": False}, "peak memory", (Mark.MISSING, "whole process")),
            ({"energy": (), "energy_missing": "may be read by root only"}, "energy", (Mark.MISSING, "chmod a+r")),
            (
                {"energy": (), "energy_missing": "needs nvidia-ml-py"},
                "energy",
                (Mark.MISSING, "pip install nvidia-ml-py"),
            ),
            ({"energy": (), "energy_missing": "nothing"}, "energy", (Mark.MISSING, "virtual machines hide it")),
        ],
    )
    def test_each_thing_has_its_line(self, everything, changes, name, expected):
        found = everything(**changes)[name]
        assert found.mark is expected[0]
        assert expected[1] in f"{found.found} {found.advice}"

    def test_whatever_is_missing_says_what_follows(self, healthy, bare):
        poor = replace(
            bare,
            compiler=None,
            peak_resets=False,
            sensors=frozenset(),
            energy=(),
            energy_missing="none",
            load=Load(None, None),
            nvidia=True,
        )
        software = replace(with_package(healthy, "fvcore", error="x"), cuda_build="")
        diagnosis = put_together(software, poor, ())
        lines = [found for section in diagnosis.sections for found in section.lines]
        assert len(diagnosis.missing) == 9 + len(EVERY_LAYER)
        assert all(found.advice for found in lines if found.mark is Mark.MISSING)

    def test_the_diagnosis_names_what_is_missing_in_order(self):
        lines = (Line(Mark.MISSING, "b", "x", "y"), Line(Mark.OK, "c", "x"), Line(Mark.MISSING, "a", "x", "y"))
        assert Diagnosis((Section("s", lines),)).missing == ("b", "a")
