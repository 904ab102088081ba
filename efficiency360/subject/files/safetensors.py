"""The header of a safetensors file, with every rule of the format checked against the file's size.

Source: https://github.com/huggingface/safetensors, section "Format"; numbers and names as in its Rust reader.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_HEADER_BYTES = 16 * 2**20
_MOST = {
    b'"': 1_200_000,
    b"[": 500_000,
    b"{": 200_000,
    b",": 1_500_000,
}  # signs in a header; a tensor takes 10, 2, 1, 6
_LENGTH_BYTES = 8
_MAX_DIMS = 64
_AGAIN = "download or save it again"
DTYPE_BITS: Mapping[str, int] = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


class Entry(NamedTuple):
    """One tensor: its bytes lie from `start` to `end` of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class Header:
    """All tensors in the order of their bytes, and the free text that was saved with them."""

    entries: tuple[Entry, ...]
    metadata: dict[str, str]


def begins_as_safetensors(head: bytes) -> bool:
    """Whether a file's first bytes are a header's length and the brace that every header begins with."""
    return head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and head[_LENGTH_BYTES + 1 :].lstrip()[:1] in (
        b'"',
        b"}",
        b"",
    )


def read_header(file: BinaryIO, size: int) -> Header:
    """The header of a safetensors file of `size` bytes.

    Raises:
        InputError: a claim of the header does not hold: its length, a name that is there twice, a dtype, a shape, bytes
            that overlap, leave a gap or go past the end.
    """
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if length > MAX_HEADER_BYTES:
        raise _error(f"claims a header of {length:,} bytes, more than any model has")
    data_at = _LENGTH_BYTES + length
    if data_at > size:
        raise _error("is cut short")
    raw = file.read(length)
    if any(raw.count(sign) > most for sign, most in _MOST.items()):
        raise _error("claims more tensors than any model has")
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _error("has a damaged header") from error
    if not isinstance(header, _Pairs):
        raise _error("has a damaged header")
    return _checked(header, data_at, size)


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object as it is written, so that a name that is there twice is seen."""

    __slots__ = ()


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def _checked(header: _Pairs, data_at: int, size: int) -> Header:
    names = [name for name, _ in header]
    if len(set(names)) != len(names):
        raise _error(f"names {_first_double(names)} twice")
    metadata = _metadata(next((value for name, value in header if name == "__metadata__"), _Pairs()))
    entries = sorted(
        (_entry(name, value, data_at) for name, value in header if name != "__metadata__"),
        key=lambda entry: (entry.start, entry.end),
    )
    end = data_at
    for entry in entries:
        if entry.start != end:
            raise _error(f"{'overlaps' if entry.start < end else 'leaves a gap'} before {_shown(entry.name)}")
        end = entry.end
    if end > size:
        raise _error(f"is cut short by {end - size:,} bytes")
    if end < size:
        raise _error(f"is damaged: {size - end:,} bytes of it belong to no tensor")
    return Header(tuple(entries), metadata)


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, _Pairs) or not all(isinstance(text, str) for _, text in value):
        raise _error("has a damaged header: its metadata is not text")
    return dict(value)


def _entry(name: str, value: object, data_at: int) -> Entry:
    pairs = value if isinstance(value, _Pairs) else _Pairs()
    fields: dict[str, Any] = dict(pairs)
    if set(fields) != {"dtype", "shape", "data_offsets"} or len(fields) != len(pairs):
        raise _error(f"has a damaged header: {_shown(name)} is not described by dtype, shape and offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _error(f"has a damaged header: {_shown(name)} is of an unknown dtype, {_shown(str(dtype))}")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2 or len(shape) > _MAX_DIMS:  # noqa: PLR2004
        raise _error(f"has a damaged header: {_shown(name)} has no shape and pair of offsets in whole numbers")
    start, end = offsets
    if 8 * (end - start) != math.prod(shape) * DTYPE_BITS[dtype]:
        raise _error(f"is damaged: {_shown(name)} has {end - start:,} bytes, not what its shape and dtype take")
    return Entry(name, dtype, tuple(shape), data_at + start, data_at + end)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)


def _first_double(names: list[str]) -> str:
    def doubles() -> Iterator[str]:
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield name
            seen.add(name)

    return _shown(next(doubles()))


def _error(problem: str) -> InputError:
    return InputError(f"a safetensors file that {problem}; {_AGAIN}")


def _shown(name: str) -> str:
    return ascii(name[:80])
