"""Where an audit runs: processor, versions, and a fingerprint that tells two hosts apart."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from efficiency360.files import sha256_json
from efficiency360.records import Environment

_PACKAGES = ("efficiency360", "torch", "torchvision", "timm", "fvcore", "numpy", "pillow")


def default_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def host_fingerprint() -> str:
    """A hash over name, processor and memory: it identifies this machine without telling about it."""
    return sha256_json([platform.node(), cpu_name(), os.cpu_count(), memory_bytes()])


def host_class() -> str:
    """A hash over what decides a host's speed: processor, how many, memory to the GiB. Runners of one kind share it."""
    return sha256_json([platform.machine(), cpu_name(), os.cpu_count(), round(memory_bytes() / (1 << 30))])


def describe(*, device: str, threads: int, seed: int, isolation: tuple[str, ...]) -> Environment:
    """The environment record."""
    return Environment(
        host=host_fingerprint(),
        host_class=host_class(),
        cpu=cpu_name(),
        device=device,
        threads=threads,
        platform=f"{platform.system()} {platform.machine()}",
        versions=versions(),
        seeds={"audit": seed},
        isolation=isolation,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def cpu_name() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def memory_bytes() -> int:
    """Bytes of main memory; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
