"""What lies in files that torch wrote: archives and files of the old format with weights, modules, TorchScript."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.subject.files.archive import open_archive, read_member, root_of
from efficiency360.subject.files.opcodes import MAX_PICKLE_BYTES, read_program
from efficiency360.subject.files.sniff import HEAD_BYTES, read_pickles
from efficiency360.subject.files.storages import ITEM_BYTES
from efficiency360.subject.inspection.contents import Contents
from efficiency360.subject.inspection.pickles import legacy_keys, storage_kinds, weight_sets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.subject.files.archive import Archive

_LENGTH_BYTES = 8
_MAX_SMALL_BYTES = 64
_UNREAD_CODE = (".debug_pkl",)


def torch_contents(file: BinaryIO, size: int) -> Contents:
    """The contents of a file of weights or of a pickled module, in either format of torch.save.

    Raises:
        InputError: damaged.
    """
    head = file.read(HEAD_BYTES)
    if head.startswith(b"PK"):
        return _archive_contents(open_archive(file, size))
    programs, legacy = read_pickles(file, head)
    places = dict(_legacy_places(file, size)) if legacy else {}
    sets = weight_sets(programs[-1].value, places.get)
    return Contents(sets, facts={"format": "torch.save's old format" if legacy else "a plain pickle"})


def _archive_contents(archive: Archive) -> Contents:
    """Weights, or what a TorchScript archive's attributes hold."""
    root = root_of(archive)
    program = read_program(io.BytesIO(read_member(archive, f"{root}data.pkl", MAX_PICKLE_BYTES)))

    def locate(key: str) -> tuple[int, int] | None:
        member = archive.members.get(f"{root}data/{key}")
        return (archive.start_of(member), member.size) if member and member.method == 0 else None

    return Contents(weight_sets(program.value, locate), big_endian=_is_big_endian(archive, root))


def _is_big_endian(archive: Archive, root: str) -> bool:
    order = archive.members.get(f"{root}byteorder")
    return bool(
        order and order.size <= _MAX_SMALL_BYTES and read_member(archive, order.name, _MAX_SMALL_BYTES) == b"big"
    )


def script_contents(file: BinaryIO, size: int) -> Contents:
    """The contents of a TorchScript archive: its attributes' tensors, and the files of code that opening it compiles.

    Raises:
        InputError: damaged.
    """
    archive = open_archive(file, size)
    root = root_of(archive)
    names = [name.removeprefix(root) for name in archive.names]
    code = tuple(name for name in names if name.startswith("code/") and not name.endswith(_UNREAD_CODE))
    pickles = tuple(
        name for name in names if name.endswith((".pkl", ".ptl")) and "/" not in name and name != "data.pkl"
    )
    found = _archive_contents(archive) if f"{root}data.pkl" in archive.members else Contents(())
    return Contents(found.sets, code=code + pickles, big_endian=found.big_endian)


def _legacy_places(file: BinaryIO, size: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Where each storage of a file in the old format lies: in the keys' order, each after its number of elements."""
    keys, kinds, at = _legacy_table(file)
    for key in keys:
        file.seek(at)
        elements = int.from_bytes(file.read(_LENGTH_BYTES), "little", signed=True)
        at += _LENGTH_BYTES
        length = elements * ITEM_BYTES.get(kinds.get(key, ""), 0)
        if key not in kinds or elements < 0 or at + length > size:
            return
        yield key, (at, length)
        at += length


def _legacy_table(file: BinaryIO) -> tuple[list[str], dict[str, str], int]:
    """The keys of the storages in the file's order, their dtypes, and where the first lies."""
    file.seek(0)
    data = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    programs = [read_program(data) for _ in range(5)]
    return legacy_keys(programs[-1].value), storage_kinds(programs[-2]), data.tell()
