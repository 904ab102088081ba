"""The whole diagnosis."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from efficiency360.engine.doctor import packages
from efficiency360.engine.doctor.lines import Diagnosis, Section
from efficiency360.engine.doctor.software import ask
from efficiency360.engine.wall import ALWAYS, Plan

if TYPE_CHECKING:
    from efficiency360.engine.doctor.machine import Machine
    from efficiency360.engine.doctor.software import Software

_ENOUGH_BYTES = 4 << 30
_TIMEOUT_S = 60.0
_NEEDED_HERE = ("numpy", "pydantic")
"""What looking at the machine imports into this process."""


def diagnose() -> Diagnosis:
    """Look at packages, devices and the machine. Takes some seconds, most of them to import the packages elsewhere."""
    software = ask()
    if not all(software.packages[name].works for name in _NEEDED_HERE):
        return Diagnosis((packages.core(software),), packages.obstacle(software))

    from efficiency360.engine.doctor.machine import look  # noqa: PLC0415 - see `_NEEDED_HERE`

    return put_together(software, look(), (*ALWAYS, *layers_here()))


def layers_here() -> tuple[str, ...]:
    """The layers of the wall that this machine gives, found out by raising it around a process that does nothing."""
    with tempfile.TemporaryDirectory(prefix="e360-") as folder:
        plan = Plan(folder, memory_bytes=_ENOUGH_BYTES)
        command = (sys.executable, "-m", "efficiency360.engine.wall", plan.to_json())
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - our own
    return tuple(json.loads(done.stdout)) if done.returncode == 0 else ()


def put_together(software: Software, machine: Machine, isolation: tuple[str, ...]) -> Diagnosis:
    """The sections that follow from the facts."""
    from efficiency360.engine.doctor import hardware  # noqa: PLC0415 - see `_NEEDED_HERE`

    nvidia = machine.nvidia
    sections = (
        packages.core(software),
        packages.optional(software, nvidia=nvidia),
        Section(
            "This machine",
            (
                *hardware.processor(machine),
                *packages.devices(software, nvidia=nvidia),
                hardware.compiler(machine),
            ),
        ),
        Section("Timings", tuple(hardware.timing(machine))),
        Section("Memory and energy", tuple(hardware.memory_and_energy(machine))),
        Section("Isolation of a model's code", tuple(hardware.walls(isolation))),
    )
    return Diagnosis(sections, packages.obstacle(software))
