"""Lines about packages and devices: what does not work, what follows from it, how to mend it."""

from __future__ import annotations

import platform
import re
import sys
from typing import TYPE_CHECKING

from efficiency360.engine.doctor.lines import Line, Mark, Section
from efficiency360.engine.doctor.software import BASE, CORE, OPTIONAL, installed
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.engine.doctor.software import Device, Package, Software

OLDEST_TORCH = (2, 10)
_WITHOUT = {
    "torch": "Without it no model runs.",
    "torchvision": "Without it no architecture of torchvision or timm can be built.",
    "timm": "Without it no architecture timm:NAME can be built.",
    "fvcore": "Without it the cost axis cannot count.",
    "opacus": "Without it there is no private training (privacy axis).",
    "fairlearn": "Without it there are no group metrics (fairness axis).",
    "torchattacks": "Without it there are no attacks (robustness axis).",
}
_ADDS = {"nvidia-ml-py": "the energy that an NVIDIA GPU takes"}
_EXTRAS = {
    "onnx": (("onnx", "onnx2torch", "onnxruntime"), "ONNX models"),
    "transformers": (("transformers",), "folders of transformers"),
    "pdf": (("weasyprint",), "reports as PDF"),
    "search": (("optuna",), "e360 search"),
}
"""Packages of each extra, and what it adds."""
_LEAVE_GPU_OUT = "To leave a GPU out, set CUDA_VISIBLE_DEVICES to nothing; if that does not help, install torch anew."
_ALL_DTYPES = 3


def core(software: Software) -> Section:
    """The packages that e360 is installed with."""
    return Section("Packages that e360 needs", tuple(_core(software)))


def obstacle(software: Software) -> str:
    """What keeps an audit from running, with what to do; empty where nothing does."""
    broken = {
        name: found for name, found in software.packages.items() if name not in OPTIONAL and _problem(name, found)
    }
    if broken:
        reasons = "; ".join(f"{name} {_problem(name, found)}" for name, found in broken.items())
        return f"an audit cannot rely on this installation: {reasons}. Run: {_mend(broken, sys.executable)}"
    if software.devices_error:
        return f"torch cannot try its devices: {software.devices_error}. {_LEAVE_GPU_OUT}"
    return ""


def optional(software: Software, *, nvidia: bool) -> Section:
    """The packages that would add something. `nvidia`: there is such a GPU."""
    lines = (_optional(name, software.packages[name], nvidia=nvidia) for name in OPTIONAL)
    return Section("Optional packages", (*lines, *map(_extra, _EXTRAS)))


def devices(software: Software, *, nvidia: bool) -> Iterator[Line]:
    """A line for each device, and one that says why there is no GPU."""
    if not software.packages["torch"].works:
        yield Line(Mark.NOTE, "devices", "not tried: they need torch")
        return
    if software.devices_error:
        yield Line(Mark.MISSING, "devices", software.devices_error, _LEAVE_GPU_OUT)
        return
    yield from map(_device, software.devices)
    if not any(device.name.startswith("cuda") for device in software.devices):
        yield _no_cuda(software, nvidia=nvidia)
    if sys.platform == "darwin" and not any(device.name == "mps" for device in software.devices):
        yield Line(Mark.NOTE, "mps", "torch does not find Apple's GPU here", "Audits run on the processor.")


def _core(software: Software) -> Iterator[Line]:
    yield Line(Mark.OK, "e360", installed("efficiency360") or "not installed, run from its folder")
    yield Line(Mark.OK, "Python", platform.python_version())
    waiting = [name for name in (*CORE, *BASE) if _waits(software.packages[name])]
    broken = [name for name in BASE if name not in waiting and not software.packages[name].works]
    for name in (*broken, *CORE):
        if name not in waiting:
            yield _package(name, software)
    if waiting:
        yield Line(Mark.NOTE, "not tried", f"{', '.join(waiting)}: they need {software.packages[waiting[0]].needs}")
    elif not broken:
        yield Line(Mark.OK, "the rest", f"{', '.join(BASE)} work")


def _package(name: str, software: Software) -> Line:
    found = software.packages[name]
    if problem := _problem(name, found):
        advice = f"{_WITHOUT.get(name, 'Every audit needs it.')} Mend it: {_mend({name: found})}"
        return Line(Mark.MISSING, name, problem, advice)
    build = f", built for CUDA {software.cuda_build}" if software.cuda_build else ", built without CUDA"
    more = {"torch": build if software.devices else "", "torchvision": ", fits this torch"}.get(name, "")
    return Line(Mark.OK, name, f"{found.version or 'of unknown version'}{more}")


def _waits(found: Package) -> bool:
    """Whether nothing can be said before another package works."""
    return bool(found.needs and found.version)


def _problem(name: str, found: Package) -> str:
    """What is wrong with a package itself; empty where nothing is, or where it waits for another."""
    if found.error and found.version:
        return f"{found.version} does not work: {found.error}"
    if not found.version and not found.works:
        return "is not installed"
    if name == "torch" and not _recent(found.version):
        return f"{found.version} is too old; files of weights are opened safely from 2.10 on"
    return ""


def _recent(version: str | None) -> bool:
    match = re.match(r"(\d+)\.(\d+)", version or "")
    return match is None or (int(match[1]), int(match[2])) >= OLDEST_TORCH


def _mend(broken: Mapping[str, Package], python: str = "") -> str:
    """The command that installs packages, anew where they do not work; torch and torchvision together, so they fit."""
    pair = {"torch", "torchvision"}
    names = sorted(pair | broken.keys() if pair & broken.keys() else broken)
    anew = any(found.version and found.error for found in broken.values())
    how = "--force-reinstall" if anew else "--upgrade"
    return f"{f'{python} -m ' if python else ''}pip install {how} {' '.join(names)}"


def _optional(name: str, found: Package, *, nvidia: bool) -> Line:
    adds = f"adds {_ADDS[name]}"
    if found.works:
        return Line(Mark.OK, name, f"{found.version or 'of unknown version'}; {adds}")
    if found.version:
        return Line(Mark.MISSING, name, f"{found.version} does not work: {found.error}", f"It {adds}.")
    if name == "nvidia-ml-py" and nvidia:
        return Line(Mark.MISSING, name, "not installed", f"It {adds}: pip install {name}")
    return Line(Mark.NOTE, name, f"not installed; {adds}, and there is none here")


def _extra(name: str) -> Line:
    """Whether an extra's packages are installed; what is wrong with one, its own command tells."""
    packages, adds = _EXTRAS[name]
    missing = [package for package in packages if installed(package) is None]
    if missing:
        advice = f"pip install 'efficiency360[{name}]'"
        return Line(Mark.NOTE, f"extra {name}", f"{', '.join(missing)} not installed; adds {adds}", advice)
    return Line(Mark.OK, f"extra {name}", f"adds {adds}")


def _device(device: Device) -> Line:
    size = f" with {quantity(device.memory_bytes, 'bytes')}" if device.memory_bytes else ""
    label = f"{device.label}{size}: " if device.label else ""
    if device.error:
        advice = "It cannot be used now. Free its memory, mend its driver, or audit with --device cpu."
        return Line(Mark.MISSING, device.name, f"{label}{device.error}", advice)
    found = f"{label}computes in {', '.join(device.dtypes)}"
    if len(device.dtypes) < _ALL_DTYPES:
        return Line(Mark.NOTE, device.name, found, "Other number types cannot be timed on it.")
    return Line(Mark.OK, device.name, found)


def _no_cuda(software: Software, *, nvidia: bool) -> Line:
    if not nvidia:
        return Line(Mark.NOTE, "cuda", "no NVIDIA GPU here", "Audits run on the processor.")
    advice = "Audits run on the processor until that is mended."
    if not software.cuda_build:
        return Line(
            Mark.MISSING,
            "cuda",
            "there is an NVIDIA GPU, but this torch is built without CUDA",
            f"{advice} See https://pytorch.org/get-started",
        )
    return Line(Mark.MISSING, "cuda", software.cuda_error or "torch sees no GPU (CUDA_VISIBLE_DEVICES?)", advice)
