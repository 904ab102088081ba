"""How many elements of a stored tensor are NaN or infinite, counted from the file in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from efficiency360.subject.files.storages import ITEM_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from efficiency360.subject.inspection.contents import Place, StoredTensor

_CHUNK_BYTES = 4 * 2**20
_MAX_STRIDED_BYTES = 64 * 2**20
_FLOATS: Mapping[str, str] = {"float64": "f8", "float32": "f4", "float16": "f2"}
_COMPLEX: Mapping[str, str] = {"complex128": "f8", "complex64": "f4", "complex32": "f2"}
_BITS: Mapping[str, tuple[str, int, int]] = {  # unsigned type, mask of the exponent, mask of the fraction
    "bfloat16": ("u2", 0x7F80, 0x007F),
    "float8_e5m2": ("u1", 0x7C, 0x03),
}
_NAN_ALONE: Mapping[str, tuple[int, int]] = {  # mask, value: formats without infinities, with one pattern for NaN
    "float8_e4m3fn": (0x7F, 0x7F),
    "float8_e4m3fnuz": (0xFF, 0x80),
    "float8_e5m2fnuz": (0xFF, 0x80),
    "float8_e8m0fnu": (0xFF, 0xFF),
}


def count_nonfinite(file: BinaryIO, tensor: StoredTensor, *, big_endian: bool = False) -> tuple[int, int] | str:
    """The numbers of NaN and of infinite elements, or why they cannot be counted; memory does not grow with the tensor.

    A complex number with a NaN in it counts as NaN, else with an infinity in it as infinite.
    """
    if tensor.place is None:
        return tensor.unread or "its bytes were not found"
    if tensor.dtype not in (*_FLOATS, *_COMPLEX, *_BITS, *_NAN_ALONE):
        return (0, 0) if tensor.dtype in ITEM_BYTES else f"its dtype {tensor.dtype} is not known"
    if tensor.numel == 0:
        return 0, 0
    if tensor.place.strides is not None:
        return _of_view(file, tensor, tensor.place, big_endian=big_endian)
    nan = infinite = 0
    file.seek(tensor.place.start)
    left = tensor.place.size
    while left > 0:
        piece = file.read(min(left, _CHUNK_BYTES))
        if len(piece) % ITEM_BYTES[tensor.dtype] or not piece:
            return "the file ends before it"
        left -= len(piece)
        counts = _count(piece, tensor.dtype, big_endian=big_endian)
        nan, infinite = nan + counts[0], infinite + counts[1]
    return nan, infinite


def _of_view(file: BinaryIO, tensor: StoredTensor, place: Place, *, big_endian: bool) -> tuple[int, int] | str:
    """The same for a tensor whose elements do not fill one block: some bytes are not its own, some count twice."""
    item = ITEM_BYTES[tensor.dtype]
    if max(place.size, tensor.numel * item) > _MAX_STRIDED_BYTES:
        return "it is a large view of a storage"
    file.seek(place.start)
    raw = file.read(place.size)
    if len(raw) != place.size:
        return "the file ends before it"
    steps = tuple(step * item for step in place.strides or ())
    view: NDArray[np.void] = np.ndarray(tensor.shape, f"V{item}", raw, strides=steps)
    return _count(view.tobytes(), tensor.dtype, big_endian=big_endian)


def _count(raw: bytes, dtype: str, *, big_endian: bool) -> tuple[int, int]:
    order = ">" if big_endian else "<"
    if dtype in _BITS:
        kind, exponent, fraction = _BITS[dtype]
        bits = np.frombuffer(raw, order + kind)
        full = (bits & exponent) == exponent
        nan = int(np.count_nonzero(full & ((bits & fraction) != 0)))
        return nan, int(np.count_nonzero(full)) - nan
    if dtype in _NAN_ALONE:
        mask, value = _NAN_ALONE[dtype]
        return int(np.count_nonzero((np.frombuffer(raw, "u1") & mask) == value)), 0
    values = np.frombuffer(raw, order + (_FLOATS.get(dtype) or _COMPLEX[dtype]))
    return _count_values(values.reshape(-1, 2) if dtype in _COMPLEX else values[:, None])


def _count_values(values: NDArray[np.floating]) -> tuple[int, int]:
    if np.isfinite(values).all():
        return 0, 0
    nan = np.isnan(values).any(axis=1)
    infinite = np.isinf(values).any(axis=1) & ~nan
    return int(nan.sum()), int(infinite.sum())
