"""Lines about the machine: processor, memory, timings, energy, and the walls around a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.engine.doctor.lines import Line, Mark
from efficiency360.engine.doctor.machine import compiler_name
from efficiency360.engine.wall.plan import FILE_SIZE, FILES, HIDDEN, MEMORY, NO_NETWORK, NO_PROGRAMS
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.engine.doctor.machine import Load, Machine

_LITTLE_MEMORY = 2e9
_COARSE_S = 1e-5
_DISTURBING = 0.2  # of a processor; ticks of 10 ms over a third of a second show 0.03
_STOLEN = 0.02
_WHY_NOT = {
    MEMORY: "the system sets no limit",
    FILE_SIZE: "the system sets no limit",
    FILES: "it needs Linux 6.2 or later with Landlock, and a container that allows it",
    NO_NETWORK: "it needs Linux on x86-64 or ARM64 with seccomp, and a container that allows it",
    NO_PROGRAMS: "it needs Linux on x86-64 or ARM64 with seccomp, and a container that allows it",
    HIDDEN: "it needs Linux with mount namespaces (user namespaces if you are not root) and a container that allows it",
}


def processor(machine: Machine) -> Iterator[Line]:
    """Processor, cores and memory."""
    yield Line(Mark.OK, "processor", machine.cpu)
    yield _cores(machine)
    yield _memory(machine)


def compiler(machine: Machine) -> Line:
    """Whether torch.compile has what it needs; compiling itself takes too long to try."""
    name, effect = "torch.compile", "Compiled variants of a model cannot be timed."
    if machine.compiler is None:
        advice = f"{effect} Mend it: install a C++ compiler (Debian, Ubuntu: apt-get install g++)"
        return Line(Mark.MISSING, name, f"no {compiler_name()} found", advice)
    if not machine.headers:
        advice = f"{effect} Mend it: install them (Debian, Ubuntu: apt-get install python3-dev)"
        return Line(Mark.MISSING, name, "the headers of Python (Python.h) are not installed", advice)
    return Line(Mark.OK, name, f"has its compiler, {machine.compiler} (not tried)")


def timing(machine: Machine) -> Iterator[Line]:
    """What timings rest on."""
    step = f"steps of {machine.timer_step_s * 1e9:.0f} ns"
    if machine.timer_step_s > _COARSE_S:
        yield Line(Mark.NOTE, "timer", step, "Short runs come out rough: time larger batches.")
    else:
        yield Line(Mark.OK, "timer", step)
    yield _load(machine.load, machine.processors)
    yield _steal(machine)
    yield _waiting(machine)
    yield _frequency(machine)


def memory_and_energy(machine: Machine) -> Iterator[Line]:
    """Whether peaks of memory and energy can be measured."""
    if machine.peak_resets:
        yield Line(Mark.OK, "peak memory", "can be measured for each piece of work by itself")
    else:
        advice = "A peak is that of the whole process, loading the model included."
        yield Line(Mark.MISSING, "peak memory", "the system does not let it be counted anew", advice)
    if machine.energy:
        yield Line(Mark.OK, "energy", ", ".join(machine.energy))
    else:
        yield Line(Mark.MISSING, "energy", machine.energy_missing, f"Audits leave energy out. {_energy_mend(machine)}")


def walls(isolation: tuple[str, ...]) -> Iterator[Line]:
    """What stands between a model's code and the rest of the machine."""
    yield Line(Mark.OK, "in place", ", ".join(isolation))
    for layer, why in _WHY_NOT.items():
        if layer not in isolation:
            advice = "Audit only code that you trust here; --strict refuses to run without it."
            yield Line(Mark.MISSING, layer, why, advice)


def _cores(machine: Machine) -> Line:
    if machine.quota is not None and machine.quota < machine.cores:
        threads = max(1, int(machine.quota))
        advice = f"More threads than that are held up again and again: audit with --threads {threads}"
        return Line(Mark.NOTE, "cores", f"{machine.cores}, but only the time of {machine.quota:g}", advice)
    if machine.cores < machine.processors:
        return Line(Mark.OK, "cores", f"{machine.cores} of the machine's {machine.processors} for this process")
    return Line(Mark.OK, "cores", str(machine.cores))


def _memory(machine: Machine) -> Line:
    total = quantity(machine.memory_bytes, "bytes") if machine.memory_bytes else "of unknown size"
    if machine.free_bytes is None:
        return Line(Mark.OK, "memory", total)
    found = f"{total}, of which {quantity(machine.free_bytes, 'bytes')} are free"
    if machine.free_bytes < _LITTLE_MEMORY:
        advice = "A large model may be killed: close other programs, or audit with smaller batches."
        return Line(Mark.NOTE, "memory", found, advice)
    return Line(Mark.OK, "memory", found)


def _load(load: Load, processors: int) -> Line:
    if load.others is None:
        return Line(Mark.MISSING, "load now", "not shown here", "Nobody notices when other programs disturb a timing.")
    found = f"other programs keep {load.others:.1f} of {processors} cores busy"
    if load.others > _DISTURBING:
        return Line(Mark.NOTE, "load now", found, "Times measured now would be too long: stop them, or wait.")
    return Line(Mark.OK, "load now", found)


def _steal(machine: Machine) -> Line:
    stolen = machine.load.stolen
    if "steal_s" not in machine.sensors or stolen is None:
        advice = "On a virtual machine, nobody notices when its neighbours disturb a timing."
        return Line(Mark.MISSING, "stolen time", "not shown here", advice)
    if stolen > _STOLEN:
        advice = "Times measured now would be too long: the host of this virtual machine is busy. Wait, or move."
        return Line(Mark.NOTE, "stolen time", f"neighbours take {stolen:.2f} of a core", advice)
    return Line(Mark.OK, "stolen time", "is watched; other virtual machines take none now")


def _waiting(machine: Machine) -> Line:
    if "waited_s" in machine.sensors:
        return Line(Mark.OK, "waiting", "is watched: how long a model waits for a core")
    return Line(Mark.MISSING, "waiting", "not shown here", "Nobody notices when a model has to wait for a core.")


def _frequency(machine: Machine) -> Line:
    if "mhz" in machine.sensors:
        return Line(Mark.OK, "frequency", "is watched")
    advice = "A processor that slows down looks like a slow model. Usual on virtual machines: measure twice."
    return Line(Mark.MISSING, "frequency", "the processor's is not shown here", advice)


def _energy_mend(machine: Machine) -> str:
    if "root only" in machine.energy_missing:
        return "Root can open them: chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
    if "nvidia-ml-py" in machine.energy_missing:
        return "For the GPU's: pip install nvidia-ml-py"
    return "Most virtual machines hide it: use a physical one, or one with an NVIDIA GPU."
