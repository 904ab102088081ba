"""Zip archives as torch.save writes them: opened within bounds, with the rules that every member must keep."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64_BYTES = 20
_IN_END64 = 0xFFFF_FFFF
_MAX_DIRECTORY_BYTES = 4 * 2**20
_ENCRYPTED = 1
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OverflowError, EOFError, struct.error)

_DAMAGED = "a zip archive that is damaged or cut short; download or save it again"
_UNCHECKED = (
    "a torch archive without checksums, so damage would go unseen; load it and save it again after"
    " torch.serialization.set_crc32_options(True)"
)


def open_archive(file: BinaryIO, size: int) -> zipfile.ZipFile:
    """The table of contents of a zip archive of `size` bytes; no member is read.

    Raises:
        InputError: cut short, damaged, or with a table of contents larger than any model's.
    """
    if _directory_bytes(file, size) > _MAX_DIRECTORY_BYTES:
        raise InputError("a zip archive with more members than any model has; save model.state_dict() alone")
    try:
        return zipfile.ZipFile(file)
    except _ZIP_ERRORS as error:
        raise InputError(_DAMAGED) from error


def _directory_bytes(file: BinaryIO, size: int) -> int:
    """What the end records claim, the larger of the two: `zipfile` would read that much into memory."""
    file.seek(max(size - _END.size - _LOCATOR64_BYTES - _END64.size, 0))
    tail = file.read()
    end = _END.unpack(tail[-_END.size :]) if len(tail) >= _END.size else (b"",)
    if end[0] != b"PK\5\6":
        raise InputError(_DAMAGED)
    end64 = _END64.unpack(tail[: _END64.size]) if len(tail) > _END64.size else (b"",)
    return int(max(0 if end[5] == _IN_END64 else end[5], end64[8] if end64[0] == b"PK\6\6" else 0))


def root_of(archive: zipfile.ZipFile) -> str:
    """The folder of the first member, with its slash: torch looks for its records there."""
    first = archive.namelist()[:1]
    folder, slash, _ = first[0].partition("/") if first else ("", "", "")
    return folder + slash if slash else ""


def check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Check the rules of a torch archive: members stored, not encrypted, unique, in one folder, within the file.

    torch.load takes repeated and compressed members without a word, so two readers could see different weights. Names
    are compared without case, as torch looks them up.

    Raises:
        InputError: a member breaks a rule.
    """
    root = root_of(archive)
    seen: set[str] = set()
    for member in archive.infolist():
        if problem := _problem(member, root, size) or ("is there twice" if member.filename.lower() in seen else None):
            raise InputError(
                f"a torch archive whose member {_shown(member)} {problem}; save the weights again with torch.save"
            )
        seen.add(member.filename.lower())
    if sum(member.file_size for member in archive.infolist()) > size:
        raise InputError("a torch archive whose members overlap; save the weights again with torch.save")


def _problem(member: zipfile.ZipInfo, root: str, size: int) -> str | None:
    name = member.orig_filename
    if (
        not name.startswith(root)
        or name.startswith("/")
        or {"..", "."} & set(name.split("/"))
        or set("\\\0:") & set(name)
    ):
        return "does not lie in the archive's own folder"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        return "is compressed, which torch.save never does"
    if member.header_offset < 0 or member.header_offset + member.file_size > size:
        return "reaches past the end of the file"
    return None


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """One member, its checksum verified.

    Raises:
        InputError: larger than `limit` bytes, or damaged.
    """
    member = archive.getinfo(name)
    if member.file_size > limit:
        raise InputError(f"its {name} is larger than {limit // 2**20} MB; save model.state_dict() alone")
    try:
        return archive.read(member)
    except _ZIP_ERRORS as error:
        raise InputError(_UNCHECKED if member.CRC == 0 else _DAMAGED) from error


def check_checksums(path: Path) -> None:
    """Read the whole archive and compare the checksums, which torch.load does not do.

    Raises:
        InputError: a member is damaged, or the archive was saved without checksums.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except _ZIP_ERRORS as error:
        raise InputError(_DAMAGED) from error
    if bad is not None:
        raise InputError(f"the checksum of {bad!r} is wrong: the file is damaged; download or save it again")


def _shown(member: zipfile.ZipInfo) -> str:
    return repr(member.orig_filename[:80])
