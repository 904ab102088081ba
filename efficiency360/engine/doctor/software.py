"""Which packages work here, and which devices torch can use: asked of a process of its own, which may break."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from efficiency360.engine.doctor.probe import DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BASE = ("numpy", "pillow", "pydantic", "jinja2", "safetensors", "scikit-learn")
"""What every audit needs beside the field's own packages."""
CORE = ("torch", "torchvision", "timm", "fvcore", "opacus", "fairlearn", "torchattacks")
OPTIONAL = ("nvidia-ml-py",)
_ON_TORCH = ("torchvision", "timm", "fvcore", "opacus", "torchattacks", "safetensors", DEVICES)
NEEDED_BY = {"numpy": ("torch", *_ON_TORCH, "fairlearn", "scikit-learn"), "torch": _ON_TORCH}
"""What cannot work before another package does: its own failure would tell nothing."""
_PROBE = (sys.executable, "-P", "-m", "efficiency360.engine.doctor.probe")
_TIMEOUT_S = 180.0
Answer = dict[str, Any]


@dataclass(frozen=True)
class Package:
    """A package: its version (None where none is installed), and why it does not import (empty where it does).

    `needs` names a broken package that has to be mended before this one can be tried.
    """

    version: str | None
    error: str = ""
    needs: str = ""

    @property
    def works(self) -> bool:
        """Whether it imports."""
        return not self.error and not self.needs


@dataclass(frozen=True)
class Device:
    """A device as torch names it: `dtypes` in which a matrix product comes out right, `error` of float32."""

    name: str
    label: str = ""
    memory_bytes: int | None = None
    dtypes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Software:
    """Packages by name, devices, torch's CUDA version (empty: built without) and why CUDA does not start."""

    packages: Mapping[str, Package]
    devices: tuple[Device, ...] = ()
    devices_error: str = ""
    cuda_build: str = ""
    cuda_error: str = ""


def ask(*, probe: Sequence[str] = _PROBE, timeout_s: float = _TIMEOUT_S) -> Software:
    """Ask, step by step; a step that ends the process is left out and the others are asked again.

    Args:
        probe: the command that answers; see `probe`.
        timeout_s: for all steps together.
    """
    answers: dict[str, Answer] = {}
    deadline = time.monotonic() + timeout_s
    steps: Sequence[str] = (*BASE, *CORE, DEVICES, *OPTIONAL)
    while steps := [step for step in steps if step not in answers]:
        answers |= {answer["step"]: answer for answer in _run(probe, steps, deadline)}
        for root, dependents in NEEDED_BY.items():
            if answers.get(root, {}).get("error"):
                answers |= {step: {"error": "", "needs": root} for step in dependents}
    return _software(answers)


def _run(probe: Sequence[str], steps: Sequence[str], deadline: float) -> Iterator[Answer]:
    """The answers of one process, with one for the step that ended it; after the deadline, for every step."""
    left = deadline - time.monotonic()
    if left <= 0:
        yield from ({"step": step, "error": "not tried, for time was up"} for step in steps)
        return
    try:
        done = subprocess.run([*probe, *steps], capture_output=True, timeout=left, check=False)  # noqa: S603 - our own
        output, why = done.stdout, _ending(done)
    except subprocess.TimeoutExpired as late:
        output, why = late.stdout or b"", "did not end in time"
    answers = [json.loads(line) for line in output.splitlines()]
    yield from answers
    if len(answers) < len(steps):
        yield {"step": steps[len(answers)], "error": why}


def _ending(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        return f"crashes ({signal.Signals(-done.returncode).name})"
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[-1] if said else f"ends its process (exit code {done.returncode})"


def _software(answers: Mapping[str, Answer]) -> Software:
    found = answers[DEVICES]
    return Software(
        packages={name: _package(name, answers[name]) for name in (*BASE, *CORE, *OPTIONAL)},
        devices=tuple(Device(**{**row, "dtypes": tuple(row["dtypes"])}) for row in found.get("devices", ())),
        devices_error=found.get("error", ""),
        cuda_build=found.get("cuda_build", ""),
        cuda_error=found.get("cuda_error", ""),
    )


def _package(name: str, answer: Answer) -> Package:
    return Package(installed(name), answer["error"], answer.get("needs", ""))


def installed(name: str) -> str | None:
    """The version of a package as pip knows it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
