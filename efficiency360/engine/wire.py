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
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LENGTH = struct.Struct("<I")
_HEADER_LIMIT = 16 << 20
_PAYLOAD_LIMIT = 4 << 30
_KINDS = "biufU"
_DTYPE = re.compile(rf"[<>|=][{_KINDS}][0-9]{{1,9}}")  # what numpy would make of other text is nobody's business
_DIMS = 32

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
    """Write one message.

    Raises:
        TypeError: an array holds something else than numbers, booleans or text.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in message.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"array '{name}' of {array.dtype} cannot be sent")
    described = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    header = json.dumps({"kind": message.kind, "body": message.body, "arrays": described}).encode()
    write(_LENGTH.pack(len(header)) + header)
    for array in arrays.values():
        if array.nbytes:
            write(np.atleast_1d(array).view(np.uint8).reshape(-1).data)


def receive(read: Read) -> Message:
    """Read one message with `read(n)`, which returns exactly n bytes or raises.

    Raises:
        WireError: what came is not a message within the limits.
    """
    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    if length > _HEADER_LIMIT:
        raise WireError(f"a header of {length} bytes")
    try:
        header = json.loads(bytes(read(length)))
        kind, body, described = header["kind"], header["body"], header["arrays"]
        layout = {name: _layout(name, dtype, shape) for name, dtype, shape in described}
        if len(layout) < len(described):
            raise ValueError("two arrays of one name")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise WireError(f"a header that is not one: {error}") from error
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise WireError("a header without kind and body")
    if sum(dtype.itemsize * math.prod(shape) for dtype, shape in layout.values()) > _PAYLOAD_LIMIT:
        raise WireError(f"arrays of more than {_PAYLOAD_LIMIT} bytes")
    return Message(kind, body, {name: _read_array(read, *layout[name]) for name in layout})


def _layout(name: object, dtype: object, shape: list[object]) -> Layout:
    """Check what a header says of an array.

    Raises:
        ValueError, TypeError: it is not a named array of numbers, booleans or text, or far too large.
    """
    lengths = tuple(length for length in shape if type(length) is int and length >= 0)
    if not isinstance(name, str) or not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise ValueError(f"an array {name!r:.40} of {dtype!r:.40}")
    if len(lengths) < len(shape) or len(shape) > _DIMS or math.prod(n or 1 for n in lengths) > _PAYLOAD_LIMIT:
        raise ValueError(f"an array of shape {shape!r:.80}")
    return np.dtype(dtype), lengths


def _read_array(read: Read, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[np.generic]:
    size = dtype.itemsize * math.prod(shape)
    return np.frombuffer(read(size), dtype=dtype).reshape(shape) if size else np.zeros(shape, dtype)
