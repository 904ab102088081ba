"""Messages over a pipe: a JSON header and named arrays as raw bytes. Nothing is ever unpickled."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_LENGTH = struct.Struct("<I")
_HEADER_LIMIT = 16 << 20
_PAYLOAD_LIMIT = 4 << 30
_KINDS = "biufU"
_DTYPE = re.compile(rf"[<>|=][{_KINDS}][1-9][0-9]{{0,8}}")  # what numpy would make of other text is nobody's business
_DIMS = 32
_DEPTH = 50
_LONGEST_NAME = 200
_LAST_CHARACTER, _SURROGATES, _REPLACEMENT = 0x10FFFF, (0xD800, 0xDFFF), 0xFFFD
_MESSAGES = frozenset(
    ("walled", "load", "loaded", "observe", "need", "images", "mark", "marked", "progress", "evidence", "done", "error")
)

Read = Callable[[int], bytes | bytearray]
Write = Callable[[bytes | memoryview], object]
Layout = tuple[np.dtype[Any], tuple[int, ...]]


class WireError(Exception):
    """The other side sent something that is not a message, or stopped in the middle of one."""


@dataclass(frozen=True)
class Message:
    """A kind, JSON values, and arrays of numbers, booleans or text."""

    kind: str
    body: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


def send(write: Write, message: Message) -> None:
    """Write one message; in text, what is no character is replaced.

    Raises:
        TypeError, ValueError: an array holds something else than numbers, booleans or text, or a value is not JSON.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in message.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"array '{name}' of {array.dtype} cannot be sent")
    described = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    header = {"kind": message.kind, "body": message.body, "arrays": described}
    encoded = json.dumps(header, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    write(_LENGTH.pack(len(encoded)) + encoded)
    for array in arrays.values():
        if array.nbytes:
            write(np.atleast_1d(_clean(array)).view(np.uint8).reshape(-1).data)


def receive(read: Read) -> Message:
    """Read one message with `read(n)`, which returns exactly n bytes or raises.

    Raises:
        WireError: what came is not a message within the limits.
    """
    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    if length > _HEADER_LIMIT:
        raise WireError(f"a header of {length} bytes")
    try:
        header = _header(bytes(read(length)))
        kind, body, described = header["kind"], header["body"], header["arrays"]
        layout = {name: _layout(name, dtype, shape) for name, dtype, shape in described}
        if len(layout) < len(described):
            raise ValueError("two arrays of one name")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise WireError(f"a header that is not one: {error}") from error
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise WireError("a header without kind and body")
    if kind not in _MESSAGES:
        raise WireError(f"a message of kind {kind!a:.40}")
    if sum(dtype.itemsize * math.prod(shape) for dtype, shape in layout.values()) > _PAYLOAD_LIMIT:
        raise WireError(f"arrays of more than {_PAYLOAD_LIMIT} bytes")
    return Message(kind, body, {name: _read_array(read, *layout[name]) for name in layout})


def _header(encoded: bytes) -> Any:
    """Strict JSON: finite numbers, text that can be written down again, and no nesting without end.

    Raises:
        ValueError, RecursionError: it is not.
    """
    text = encoded.decode()
    header = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    if "\\u" in text:  # the only way in for half a character
        json.dumps(header, ensure_ascii=False).encode()
    _check_depth(header)
    return header


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _no_number(text[:40])


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(_DEPTH):
        level = [part for whole in level for part in _parts(whole) if isinstance(part, dict | list)]
        if not level:
            return
    raise ValueError(f"nested more than {_DEPTH} deep")


def _parts(whole: object) -> Iterable[object]:
    if isinstance(whole, dict):
        return whole.values()
    return whole if isinstance(whole, list) else ()


def _layout(name: object, dtype: object, shape: list[object]) -> Layout:
    """Check what a header says of an array.

    Raises:
        ValueError, TypeError: it is not a named array of numbers, booleans or text, or far too large.
    """
    lengths = tuple(length for length in shape if type(length) is int and length >= 0)
    if not isinstance(name, str) or not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise ValueError(f"an array {name!a:.40} of {dtype!a:.40}")
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"an array with a name of {len(name)} characters")
    if len(lengths) < len(shape) or len(shape) > _DIMS or math.prod(n or 1 for n in lengths) > _PAYLOAD_LIMIT:
        raise ValueError(f"an array of shape {shape!r:.80}")
    return np.dtype(dtype), lengths


def _read_array(read: Read, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[np.generic]:
    size = dtype.itemsize * math.prod(shape)
    array = np.frombuffer(read(size), dtype=dtype).reshape(shape) if size else np.zeros(shape, dtype)
    if dtype.kind == "U" and _no_characters(_code_points(array)).any():
        raise WireError("text of something else than characters")
    return array


def _clean(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The array; in text, with what is no character replaced."""
    if array.dtype.kind != "U" or not (wrong := _no_characters(_code_points(array))).any():
        return array
    array = array.copy()
    _code_points(array)[wrong] = _REPLACEMENT
    return array


def _code_points(text: NDArray[np.generic]) -> NDArray[np.uint32]:
    """A flat view of a contiguous array."""
    return np.atleast_1d(text).reshape(-1).view(np.dtype(np.uint32).newbyteorder(text.dtype.byteorder))


def _no_characters(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    first, last = _SURROGATES
    return (codes > _LAST_CHARACTER) | ((codes >= first) & (codes <= last))
