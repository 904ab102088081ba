"""Protobuf messages read field by field from a file, without loading what is in them.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_WINDOW_BYTES = 2**14
_MAX_VARINT_BYTES = 10
_MAX_FIELDS = 750_000
_MAX_TEXT_BYTES = 4096
_CONTINUES = 0x80


class DamagedError(ValueError):
    """The bytes are no protobuf message."""


class Field(NamedTuple):
    """One field: its number, wire type, and its value, or for bytes where in the file they lie."""

    number: int
    wire: int
    value: int
    start: int
    end: int


@dataclass(slots=True)
class Reader:
    """Reads fields through a window over the file; the number of fields in all is bounded."""

    file: BinaryIO
    size: int
    _window: bytes = b""
    _window_at: int = 0
    _fields: int = field(default=0)

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """The fields of the message that lies from `start` to `end` of the file.

        Raises:
            DamagedError: what lies there is no message.
            InputError: more fields than any model has.
        """
        at = start
        while at < end:
            self._fields += 1
            if self._fields > _MAX_FIELDS:
                raise InputError(
                    "an ONNX model with more parts than e360 reads; export it again without debug information"
                )
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            value, stop = self._varint(at, end) if wire in (VARINT, BYTES) else (0, at + _FIXED.get(wire, 0))
            begin = stop if wire == BYTES else at
            stop += value if wire == BYTES else 0
            if number == 0 or wire not in (VARINT, BYTES, FIXED32, FIXED64) or stop > end:
                raise DamagedError(f"field {number} at {at}")
            yield Field(number, wire, value, begin, stop)
            at = stop

    def text(self, found: Field) -> str:
        """A field's bytes as text, at most 4096 of them."""
        return self._bytes(found.start, min(found.end, found.start + _MAX_TEXT_BYTES)).decode("utf-8", "replace")

    def numbers(self, found: Field, limit: int) -> list[int]:
        """A repeated whole-number field, packed or not, at most `limit` of them."""
        if found.wire == VARINT:
            return [_signed(found.value)]
        values: list[int] = []
        at = found.start
        while at < found.end and len(values) < limit:
            value, at = self._varint(at, found.end)
            values.append(_signed(value))
        return values

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        offset = at - self._window_at
        if at < end and 0 <= offset < len(self._window) and (only := self._window[offset]) < _CONTINUES:
            return only, at + 1
        value = 0
        raw = self._bytes(at, min(at + _MAX_VARINT_BYTES, end))
        for index, byte in enumerate(raw):
            value |= (byte & 0x7F) << 7 * index
            if byte < _CONTINUES:
                return value, at + index + 1
        raise DamagedError(f"number at {at}")

    def _bytes(self, start: int, end: int) -> bytes:
        offset = start - self._window_at
        if offset < 0 or end > self._window_at + len(self._window):
            self.file.seek(start)
            self._window, self._window_at, offset = self.file.read(max(_WINDOW_BYTES, end - start)), start, 0
        return self._window[offset : offset + end - start]


def _signed(value: int) -> int:
    """A varint as the signed 64-bit number that it stands for."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value
