"""What the wall lets through, decided by the parent and carried to the worker as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

ALWAYS = (
    "own process and session",
    "environment without secrets",
    "private folder",
    "no core dumps",
    "wall-clock limit",
    "labels and file names stay outside",
)
"""What holds on every system, by the way the process is started."""
MEMORY = "memory limit"
FILE_SIZE = "file-size limit"
NO_NETWORK = "no network (seccomp)"
HIDDEN = "the data out of sight (mount namespace)"
OWN_NETWORK = "own network namespace"
NO_PROGRAMS = "no other processes (seccomp)"
FILES = "no files but the model's and a private folder (Landlock)"
EVERY_LAYER = (MEMORY, FILE_SIZE, NO_NETWORK, NO_PROGRAMS, FILES, HIDDEN)
"""The layers that `--strict` asks for; a network namespace comes on top where the system allows one."""


@dataclass(frozen=True)
class Plan:
    """Paths that may be read beside Python's own, the one folder that may be written, and limits in bytes.

    `hides` are files and folders, the data first of all, that must not be seen though they may lie below what may be
    read; `exposed` says that they do, `beside` that some of them cannot be hidden without hiding what loading reads.
    `memory_bytes` None sets no limit, for a graphics device maps far more than it uses. `compilers` lets programs be
    started, which torch.compile needs; it is for models without code of their own. `gpu` opens the device files.
    """

    folder: str
    reads: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()
    exposed: bool = False
    beside: bool = False
    memory_bytes: int | None = None
    file_bytes: int = 256 << 20
    compilers: bool = False
    gpu: bool = False

    @property
    def promised(self) -> frozenset[str]:
        """The layers that this plan would have hold."""
        asked = {NO_PROGRAMS: not self.compilers, MEMORY: self.memory_bytes is not None, HIDDEN: self.exposed}
        return frozenset(layer for layer in EVERY_LAYER if asked.get(layer, True))

    def to_json(self) -> str:
        """The plan as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan again."""
        fields = json.loads(text)
        return cls(**{**fields, "reads": tuple(fields["reads"]), "hides": tuple(fields["hides"])})
