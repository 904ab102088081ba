"""A pickle's instructions, one by one, with arguments that are never larger than what follows needs."""

from __future__ import annotations

import pickletools
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_TEXT = 4096
_MAX_DIGITS = 24
_MAX_LONG_BYTES = 16


@dataclass(frozen=True, slots=True)
class Bulk:
    """An argument that is not kept: bytes, or a number with more digits than any model's."""

    kind: str


_BYTES = Bulk("bytes")
_HUGE = Bulk("a huge number")


class DamagedError(ValueError):
    """The bytes are no pickle."""


def tokens(data: bytes, at: int) -> Iterator[tuple[str, Any, int]]:
    """The name, argument and end of every instruction from offset `at` up to the one that stops.

    Text is cut to 4096 characters; bytes and huge numbers become `Bulk`.

    Raises:
        DamagedError: an unknown instruction, or one whose argument is no such thing or goes past the end.
    """
    end = len(data)
    while at < end:
        entry = _TABLE.get(data[at])
        if entry is None:
            raise DamagedError(f"no instruction {data[at]}")
        name, read = entry
        argument: Any = None
        argument, at = read(data, at + 1) if read else (None, at + 1)
        if name == "FRAME" and argument > end - at:
            break
        yield name, argument, at
        if name == "STOP":
            return
    raise DamagedError("cut short")


def _fixed(form: str) -> Callable[[bytes, int], tuple[Any, int]]:
    read = struct.Struct(form)

    def fixed(data: bytes, at: int) -> tuple[Any, int]:
        if at + read.size > len(data):
            raise DamagedError("cut short")
        return read.unpack_from(data, at)[0], at + read.size

    return fixed


def _counted(form: str, make: Callable[[bytes], Any], longest: int) -> Callable[[bytes, int], tuple[Any, int]]:
    count = _fixed(form)

    def counted(data: bytes, at: int) -> tuple[Any, int]:
        length, at = count(data, at)
        if length < 0 or at + length > len(data):
            raise DamagedError("cut short")
        return make(data[at : at + min(length, longest)]), at + length

    return counted


def _line(make: Callable[[bytes], Any], lines: int = 1) -> Callable[[bytes, int], tuple[Any, int]]:
    def line(data: bytes, at: int) -> tuple[Any, int]:
        end = at - 1
        for _ in range(lines):
            end = data.find(b"\n", end + 1)
            if end < 0:
                raise DamagedError("cut short")
        return make(data[at : min(end, at + 4 * MAX_TEXT)]), end + 1

    return line


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")[:MAX_TEXT]


def _latin(raw: bytes) -> str:
    return raw.decode("latin-1")[:MAX_TEXT]


def _quoted(raw: bytes) -> str:
    if len(raw) < 2 or raw[:1] not in (b"'", b'"'):  # noqa: PLR2004 - two quotes
        raise DamagedError("no quoted text")
    if b"\\" not in raw:
        return _latin(raw[1:-1])
    with warnings.catch_warnings():  # Python minds unknown escapes
        warnings.simplefilter("ignore")
        return raw[1:-1].decode("unicode_escape", "replace")[:MAX_TEXT]


def _escaped(raw: bytes) -> str:
    return raw.decode("raw_unicode_escape", "replace")[:MAX_TEXT]


def _decimal(raw: bytes) -> Any:
    digits = raw.strip().removesuffix(b"L")
    if digits in (b"00", b"01"):
        return digits == b"01"
    return _HUGE if len(digits) > _MAX_DIGITS else int(digits)


def _float(raw: bytes) -> float:
    return float(raw[:MAX_TEXT])


def _long(raw: bytes) -> Any:
    return _HUGE if len(raw) > _MAX_LONG_BYTES else int.from_bytes(raw, "little", signed=True)


def _pair(raw: bytes) -> tuple[str, str]:
    module, newline, name = raw.partition(b"\n")
    if not newline:
        raise DamagedError("a name that is too long")
    return _text(module), _text(name)


def _bulk(_: bytes) -> Bulk:
    return _BYTES


_READERS: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    "uint1": _fixed("<B"),
    "uint2": _fixed("<H"),
    "int4": _fixed("<i"),
    "uint4": _fixed("<I"),
    "uint8": _fixed("<Q"),
    "float8": _fixed(">d"),
    "decimalnl_short": _line(_decimal),
    "decimalnl_long": _line(_decimal),
    "floatnl": _line(_float),
    "stringnl": _line(_quoted),
    "stringnl_noescape": _line(_latin),
    "stringnl_noescape_pair": _line(_pair, 2),
    "unicodestringnl": _line(_escaped),
    "unicodestring1": _counted("<B", _text, 4 * MAX_TEXT),
    "unicodestring4": _counted("<I", _text, 4 * MAX_TEXT),
    "unicodestring8": _counted("<Q", _text, 4 * MAX_TEXT),
    "string1": _counted("<B", _latin, MAX_TEXT),
    "string4": _counted("<i", _latin, MAX_TEXT),
    "bytes1": _counted("<B", _bulk, 0),
    "bytes4": _counted("<I", _bulk, 0),
    "bytes8": _counted("<Q", _bulk, 0),
    "bytearray8": _counted("<Q", _bulk, 0),
    "long1": _counted("<B", _long, _MAX_LONG_BYTES + 1),
    "long4": _counted("<i", _long, _MAX_LONG_BYTES + 1),
}
_TABLE = {
    ord(opcode.code): (opcode.name, _READERS[opcode.arg.name] if opcode.arg else None) for opcode in pickletools.opcodes
}
