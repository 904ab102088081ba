"""The corpus of hostile files: its registry, and what its builders share.

An entry is one decorated function that writes a file and returns its path. Payloads are harmless: whatever of theirs
runs leaves a marker file, which the tests look for.
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import broken_models
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CLASSES = 3
MARKER = "marker"
NET_SOURCE = """
from torch import nn

def net(num_classes=3):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, num_classes),
    )
"""


def small_net() -> nn.Sequential:
    """The net that all of the corpus holds: (N, 1, 8, 8) -> (N, 3), and no class is its answer to everything."""
    net: nn.Sequential = broken_models.small_net(CLASSES)
    *body, head = net
    brightness = torch.linspace(0, 1, 64)[:, None, None, None]
    images = brightness * torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        head.bias -= head(nn.Sequential(*body)(images)).mean(0)
    return net


@dataclass(frozen=True)
class Site:
    """Where an entry is written: `folder` is its own; `marker` lies outside of it."""

    folder: Path
    marker: Path

    @property
    def touch(self) -> str:
        """A shell command that leaves the marker."""
        return f"touch {self.marker}"

    @property
    def code(self) -> str:
        """Python that leaves the marker."""
        return f"open({str(self.marker)!r}, 'w').close()"

    def file(self, name: str) -> Path:
        """A path in the entry's folder."""
        return self.folder / name


@dataclass(frozen=True)
class Entry:
    """A file that must be refused. `says` are words of the refusal; `argument` replaces its path on the command line.

    `runs` says that --trust-code may run what is in it, behind the wall; without it, it is refused with it, too.
    """

    build: Callable[[Site], Path]
    says: tuple[str, ...] = ()
    runs: bool = False
    options: tuple[str, ...] = ()


HOSTILE: dict[str, Entry] = {}


def hostile(*says: str, runs: bool = False, options: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Register a builder `(site) -> path` under its own name."""

    def register(build: Callable[[Site], Path]) -> Callable[[Site], Path]:
        add(build.__name__.strip("_"), build, *says, runs=runs, options=options)
        return build

    return register


def add(
    name: str, build: Callable[[Site], Path], *says: str, runs: bool = False, options: tuple[str, ...] = ()
) -> None:
    """Register a builder under a name."""
    assert name not in HOSTILE, name
    HOSTILE[name] = Entry(build, says, runs, options)


def state() -> OrderedDict[str, torch.Tensor]:
    """The weights of the architecture that all of the corpus is audited with."""
    return OrderedDict(small_net().state_dict())


class Raw(bytes):
    """A piece of a pickle that leaves one value on the stack."""


def piece(value: object) -> Raw:
    """A plain value as a piece of a pickle."""
    return value if isinstance(value, Raw) else Raw(pickle.dumps(value, 2)[2:-1])


def named(module: str, name: str) -> Raw:
    """A global by its name."""
    return Raw(f"c{module}\n{name}\n".encode())


def call(function: Raw, *arguments: object) -> Raw:
    """A call of what a piece leaves on the stack."""
    return Raw(function + b"(" + b"".join(map(piece, arguments)) + b"tR")


def run_of(module: str, name: str, *arguments: object) -> Raw:
    """A call of a global."""
    return call(named(module, name), *arguments)


def whole(body: bytes, protocol: int = 2) -> bytes:
    """A piece as a pickle of its own."""
    return b"\x80" + bytes([protocol]) + body + b"."


def weights_body() -> tuple[Raw, dict[str, bytes]]:
    """The small net's weights as a piece, and the archive members with their data."""
    buffer = io.BytesIO()
    torch.save(state(), buffer)
    with zipfile.ZipFile(buffer) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    body = members.pop("archive/data.pkl")
    return Raw(body[2:-1]), members


def beside(fragment: Raw) -> Raw:
    """A checkpoint with good weights and the fragment beside them."""
    body, _ = weights_body()
    return Raw(b"}(" + piece("state_dict") + body + piece("hook") + fragment + b"u")


def write_zip(path: Path, body: bytes, protocol: int = 2, more: Mapping[str, bytes] | None = None) -> Path:
    """A torch archive with this pickle in it, and the small net's data."""
    _, members = weights_body()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", whole(body, protocol))
        for name, content in {**members, **(more or {})}.items():
            archive.writestr(name, content)
    return path


def write_legacy(path: Path, *pickles: bytes) -> Path:
    """A file in torch's old format; `pickles` replace its magic number, protocol, system, content and storage keys."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    ordinary = [0x1950A86A20F9469CFC6C, 1001, system, {}, []]
    own = [pickle.dumps(value, 2) for value in ordinary]
    path.write_bytes(b"".join([given or mine for given, mine in zip([*pickles, *[b""] * 5], own, strict=False)]))
    return path


def saved(path: Path, value: object, **options: Any) -> Path:
    """What `torch.save` writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, path, **options)
    return path


def header(text: bytes, length: int | None = None) -> bytes:
    """The start of a safetensors file."""
    return struct.pack("<Q", len(text) if length is None else length) + text
