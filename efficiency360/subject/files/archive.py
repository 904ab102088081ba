"""Zip archives as torch writes them: opened within bounds, with the rules that every member must keep."""

from __future__ import annotations

import re
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError
from efficiency360.subject.files.zip_directory import DAMAGED, Member, read_directory, widened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTORS = (struct.Struct("<4s3L"), struct.Struct("<4sL2Q"), struct.Struct("<3L"), struct.Struct("<L2Q"))
_ENCRYPTED, _DESCRIBED_BEHIND = 1, 8
_STORED, _DEFLATED = 0, 8
_DRIVE = re.compile("[A-Za-z]:")
_MAX_RATIO = 1032  # what deflate can reach
_MAX_INFLATED_BYTES = 2**28
_CHUNK_BYTES, _PACKED_CHUNK_BYTES = 2**20, 2**14  # the second may unpack to 16 MB
_MAX_SHOWN = 80

_SAVE_AGAIN = "save the weights again with torch.save"
_UNCHECKED = (
    "a torch archive without checksums, so damage would go unseen; load it and save it again after"
    " torch.serialization.set_crc32_options(True)"
)


@dataclass(frozen=True)
class Archive:
    """An open zip archive: its members by name, and where the table of contents behind them begins."""

    file: BinaryIO
    members: dict[str, Member]
    listed: tuple[Member, ...]
    directory_at: int

    @property
    def names(self) -> tuple[str, ...]:
        """All names in the order of the table of contents."""
        return tuple(member.name for member in self.listed)

    def start_of(self, member: Member) -> int:
        """The offset of a member's bytes."""
        self.file.seek(member.offset)
        _, *_, name_bytes, extra_bytes = _LOCAL.unpack(self.file.read(_LOCAL.size))
        return member.offset + _LOCAL.size + int(name_bytes) + int(extra_bytes)


def open_archive(file: BinaryIO, size: int) -> Archive:
    """The table of contents of a zip archive of `size` bytes; no member is read.

    Raises:
        InputError: cut short, damaged, or with a table of contents larger than any model's.
    """
    listed, start = read_directory(file, size)
    return Archive(file, {member.name: member for member in listed}, tuple(listed), start)


def root_of(archive: Archive) -> str:
    """The folder of the first member, with its slash: torch looks for its records there."""
    folder, slash, _ = archive.names[0].partition("/") if archive.listed else ("", "", "")
    return folder + slash if slash else ""


def check_members(archive: Archive, *, packed: bool = False) -> None:
    """Check the rules of a torch archive.

    Members are unique, in one folder, not encrypted, stored (or, with `packed`, deflated within bounds), side by side
    from the file's first byte to the table of contents, and described alike there and before their bytes. torch.load
    takes repeated and compressed members without a word, so two readers could see different weights. Names are compared
    without case, as torch looks them up.

    Raises:
        InputError: a member breaks a rule.
    """
    root = root_of(archive)
    seen: set[str] = set()
    for member in archive.listed:
        problem = _problem(member, root, archive.directory_at, packed=packed)
        if problem or member.name.lower() in seen:
            raise _broken(member, problem or "is there twice")
        seen.add(member.name.lower())
    if sum(member.size for member in archive.listed if member.method == _DEFLATED) > _MAX_INFLATED_BYTES:
        raise InputError(
            f"a zip bomb, whose members unpack to over {_MAX_INFLATED_BYTES // 2**20} MB of code; delete it"
        )
    _check_places(archive)


def _problem(member: Member, root: str, end: int, *, packed: bool) -> str | None:
    """What rule a member breaks, in words; None where it keeps all."""
    if _strays(member.name, root):
        return "does not lie in the archive's own folder"
    if stat.S_IFMT(member.attributes >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if member.flags & _ENCRYPTED:
        return "is encrypted"
    if member.offset + member.packed_bytes > end:
        return "reaches past the end of the file"
    return _packing_problem(member, packed=packed)


def _strays(name: str, root: str) -> bool:
    """Whether a name leads out of the archive's folder, on any system."""
    folder, *parts = name.removesuffix("/").split("/")
    climbs = bool({"..", ".", ""} & {folder, *parts}) or bool(set("\\\0") & set(name))
    return climbs or not name.startswith(root) or any(map(_DRIVE.match, parts)) or bool(_DRIVE.fullmatch(folder))


def _packing_problem(member: Member, *, packed: bool) -> str | None:
    if member.method == _DEFLATED and packed:
        return None if member.size <= _MAX_RATIO * member.packed_bytes else "claims a size that it cannot unpack to"
    if member.method != _STORED or member.packed_bytes != member.size:
        return "is compressed, which torch.save never does"
    return None


def _check_places(archive: Archive) -> None:
    """Every member is described before its bytes as in the table of contents, and nothing lies between two members."""
    ordered = sorted(archive.listed, key=lambda member: member.offset)
    end = 0
    for member, following in zip(ordered, [*(m.offset for m in ordered[1:]), archive.directory_at], strict=True):
        if member.offset != end:
            raise _broken(member, "has other bytes before it, so another reader could see another file")
        if following <= member.offset:
            raise _broken(member, "overlaps another")
        end = _end_of(archive.file, member, following)


def _end_of(file: BinaryIO, member: Member, following: int) -> int:
    """Where a member ends, with the description behind it where there is one."""
    file.seek(member.offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
        raise InputError(DAMAGED)
    _, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(header)
    name, extra = file.read(name_bytes), file.read(extra_bytes)
    start = member.offset + _LOCAL.size + name_bytes + extra_bytes
    size, packed = widened(extra, (size, packed))
    found, wanted = (crc, packed, size), (member.crc, member.packed_bytes, member.size)
    behind = bool(flags & _DESCRIBED_BEHIND)
    same = found == wanted or (behind and found == (0, 0, 0))
    if name != member.raw_name or method != member.method or not same or flags != member.flags:
        raise _broken(member, "is described otherwise before its bytes than in the table of contents")
    end = start + member.packed_bytes
    if end > following:
        raise _broken(member, "overlaps another")
    return _end_of_descriptor(file, member, end, following) if behind else end


def _end_of_descriptor(file: BinaryIO, member: Member, at: int, following: int) -> int:
    file.seek(at)
    content = file.read(following - at) if following - at <= max(form.size for form in _DESCRIPTORS) else b""
    wanted = (member.crc, member.packed_bytes, member.size)
    for form in _DESCRIPTORS:
        if len(content) == form.size and form.unpack(content) in (wanted, (b"PK\7\x08", *wanted)):
            return following
    raise _broken(member, "is described otherwise behind its bytes than in the table of contents")


def _broken(member: Member, problem: str) -> InputError:
    return InputError(f"a torch archive whose member {_shown(member)} {problem}; {_SAVE_AGAIN}")


def read_member(archive: Archive, name: str, limit: int) -> bytes:
    """One member, its checksum verified.

    Raises:
        InputError: larger than `limit` bytes, or damaged.
    """
    member = archive.members[name]
    if max(member.size, member.packed_bytes) > limit:
        raise InputError(f"its {name!a} is larger than {limit // 2**20} MB; save model.state_dict() alone")
    content = b"".join(_chunks(archive, member))
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise InputError(_UNCHECKED if member.crc == 0 else DAMAGED)
    return content


def _chunks(archive: Archive, member: Member) -> Iterator[bytes]:
    """A member's bytes, unpacked, never more than its size and in pieces."""
    archive.file.seek(archive.start_of(member))
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == _DEFLATED else None
    left, room = member.packed_bytes, member.size
    step = _PACKED_CHUNK_BYTES if inflate else _CHUNK_BYTES
    try:
        while left > 0 and room > 0 and (piece := archive.file.read(min(left, step))):
            left -= len(piece)
            piece = inflate.decompress(piece, room) if inflate else piece
            room -= len(piece)
            yield piece
    except zlib.error as error:
        raise InputError(DAMAGED) from error


def check_checksums(path: Path, *, packed: bool = False) -> None:
    """Check the rules of a torch archive, read it whole and compare the checksums, which torch does not do.

    Raises:
        InputError: a member breaks a rule or is damaged, or the archive was saved without checksums.
    """
    with path.open("rb") as file:
        archive = open_archive(file, path.stat().st_size)
        check_members(archive, packed=packed)
        wrong = [member for member in archive.listed if _checksum(archive, member) != member.crc]
    if not wrong:
        return
    if _unchecked(wrong):
        raise InputError(_UNCHECKED)
    raise InputError(f"the checksum of {_shown(wrong[0])} is wrong: the file is damaged; download or save it again")


def _checksum(archive: Archive, member: Member) -> int:
    crc = 0
    for piece in _chunks(archive, member):
        crc = zlib.crc32(piece, crc)
    return crc


def _unchecked(wrong: Sequence[Member]) -> bool:
    return all(member.crc == 0 for member in wrong)


def _shown(member: Member) -> str:
    return ascii(member.name[:_MAX_SHOWN])
