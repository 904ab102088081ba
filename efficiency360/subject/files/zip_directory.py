"""The table of contents of a zip archive, read within bounds and in the one way that all readers agree on."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAMAGED = "a zip archive that is damaged or cut short; download or save it again"
_TOO_MANY = "a zip archive with more members than any model has; save model.state_dict() alone"
_TAIL = "a zip archive that goes on after its end (a comment, or another file); save the weights again with torch.save"
_DISAGREES = "a zip archive whose end disagrees with its table of contents; download or save it again"

_END = struct.Struct("<4s4H2LH")
_LOCATOR64 = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_EXTRA = struct.Struct("<2H")
_MAX_DIRECTORY_BYTES = 8 * 2**20
_MAX_MEMBERS = 2**16
_MAX_TAIL_BYTES = 2**16 + _END.size
_ZIP64, _SECOND_NAME = 1, 0x7075
_IN_ZIP64 = 0xFFFF_FFFF
_IN_END64 = {16: 0xFFFF, 32: _IN_ZIP64}


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the table of contents describes it: sizes and offsets in bytes, `attributes` as the system wrote."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    size: int
    offset: int
    attributes: int

    @property
    def name(self) -> str:
        """The name as text; bytes that are no UTF-8 as lone surrogates."""
        return self.raw_name.decode("utf-8", "surrogateescape")


def read_directory(file: BinaryIO, size: int) -> tuple[list[Member], int]:
    """All members in the order of the table of contents, and the offset where that begins; no member is read.

    Raises:
        InputError: cut short, damaged, with other bytes behind it, or larger than any model's.
    """
    number, length, start = _end_of(file, size)
    if length > _MAX_DIRECTORY_BYTES or number > _MAX_MEMBERS:
        raise InputError(_TOO_MANY)
    file.seek(start)
    content = file.read(length)
    try:
        members = list(_members(content))
    except struct.error as error:
        raise InputError(DAMAGED) from error
    if len(members) != number or len(content) != length:
        raise InputError(_DISAGREES)
    return members, start


def ends_in_zip(file: BinaryIO, size: int) -> bool:
    """Whether the last bytes of a file are the end of a zip archive, so that some reader would take it for one."""
    tail = _read(file, max(size - _MAX_TAIL_BYTES, 0), _MAX_TAIL_BYTES)
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if len(tail) - at >= _END.size and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return True
        at = tail.rfind(b"PK\5\6", 0, at)
    return False


def _end_of(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """The number of members, and the table's length and offset, on which both kinds of end records agree."""
    end_at = size - _END.size
    tail = _read(file, max(end_at, 0), _END.size)
    if len(tail) < _END.size or tail[:4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        raise InputError(_TAIL if ends_in_zip(file, size) or _has_end(file, size) else DAMAGED)
    _, disk, first_disk, here, number, length, start, _ = _END.unpack(tail)
    if disk or first_disk or here != number:
        raise InputError(_DISAGREES)
    wide = _end64_of(file, end_at)
    directory_end = end_at
    if wide is not None:
        directory_end = end_at - _LOCATOR64.size - _END64.size
        short = ((number, 16), (length, 32), (start, 32))
        if any(one not in (other, _IN_END64[bits]) for (one, bits), other in zip(short, wide, strict=True)):
            raise InputError(_DISAGREES)
        number, length, start = wide
    if length > _MAX_DIRECTORY_BYTES:
        raise InputError(_TOO_MANY)
    if start + length != directory_end:
        raise InputError(_DISAGREES)
    return number, length, start


def _has_end(file: BinaryIO, size: int) -> bool:
    return b"PK\5\6" in _read(file, max(size - _MAX_TAIL_BYTES, 0), _MAX_TAIL_BYTES)


def _end64_of(file: BinaryIO, end_at: int) -> tuple[int, int, int] | None:
    """The same three numbers from the records of large archives, where they stand right before the end."""
    locator_at = end_at - _LOCATOR64.size
    tail = _read(file, locator_at, _LOCATOR64.size) if locator_at >= 0 else b""
    if tail[:4] != b"PK\6\7":
        return None
    _, disk, record_at, disks = _LOCATOR64.unpack(tail)
    record = _read(file, record_at, _END64.size) if record_at == locator_at - _END64.size else b""
    if record[:4] != b"PK\6\6" or disk or disks > 1:
        raise InputError(_DISAGREES)
    _, length_of_record, _, _, disk, first_disk, here, number, length, start = _END64.unpack(record)
    if length_of_record != _END64.size - 12 or disk or first_disk or here != number:
        raise InputError(_DISAGREES)
    return number, length, start


def _members(content: bytes) -> Iterator[Member]:
    at = 0
    while at < len(content):
        entry = _ENTRY.unpack_from(content, at)
        signature, _, _, flags, method, _, _, crc, packed, size, *lengths, disk, _, attributes, offset = entry
        name_end = at + _ENTRY.size + lengths[0]
        extra = content[name_end : name_end + lengths[1]]
        end = name_end + sum(lengths[1:])
        if signature != b"PK\1\2" or disk or end > len(content):
            raise InputError(DAMAGED)
        size, packed, offset = widened(extra, (size, packed, offset))
        yield Member(content[at + _ENTRY.size : name_end], flags, method, crc, packed, size, offset, attributes)
        at = end


def widened(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes and offset, those that do not fit 32 bits taken from a member's extra field.

    Raises:
        InputError: the extra field is damaged, or gives a member a second name or second sizes.
    """
    wide, seen = b"", set()
    while len(extra) >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra)
        if kind == _SECOND_NAME or (kind == _ZIP64 and kind in seen):
            raise InputError("a zip archive with two names or sizes for a member; save the weights again")
        seen.add(kind)
        wide = extra[_EXTRA.size : _EXTRA.size + length] if kind == _ZIP64 else wide
        extra = extra[_EXTRA.size + length :]
    found = []
    for value in values:
        if value == _IN_ZIP64:
            if len(wide) < 8:  # noqa: PLR2004 - a 64-bit number
                raise InputError(DAMAGED)
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]  # noqa: PLW2901 - the same number, widened
        found.append(value)
    return tuple(found)


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)
