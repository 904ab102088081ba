"""The storages and shapes that a pickle of tensors names, and whether the bytes for them are there. No torch."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.subject.files.archive import read_member, root_of
from efficiency360.subject.files.names import short
from efficiency360.subject.files.opcodes import MAX_PICKLE_BYTES, Made, Node, read_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.subject.files.archive import Archive

ITEM_BYTES: Mapping[str, int] = {
    **dict.fromkeys(("complex128",), 16),
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("float32", "int32", "uint32", "complex32", "qint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"), 1),
    **dict.fromkeys(("int8", "uint8", "bool", "qint8", "quint8"), 1),
}
_MAX_DIMS = 64
_KINDS: Mapping[str, str] = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "ComplexHalf": "complex32",
    "QInt8": "qint8",
    "QUInt8": "quint8",
    "QInt32": "qint32",
    "Untyped": "uint8",
}
STRIDED = frozenset(
    {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_qtensor"}
)
"""Functions that make a tensor from (storage, offset, sizes, strides, ...)."""
_PICKLES = ("data", "constants")  # example inputs of a trace lie beside them, and are not read


def elements(value: Any) -> list[Any]:
    """The items of what would be a list or a tuple."""
    if isinstance(value, tuple):
        return list(value)
    is_list = isinstance(value, Node) and value.made is Made.CONTAINER and value.maker == "builtins.list"
    return list(value.entries or ()) if is_list else []


def sizes_of(value: Any) -> tuple[int, ...] | None:
    """Sizes or strides, none negative; None where they are no such thing."""
    if isinstance(value, Node) and value.maker == "torch.Size" and isinstance(value.arguments, tuple):
        value = value.arguments[0] if value.arguments else None
    items = elements(value)
    plain = all(type(item) is int and 0 <= item < 2**48 for item in items) and len(items) <= _MAX_DIMS
    return tuple(items) if plain and (items or value == ()) else None


def storage_of(value: Any) -> tuple[str, str, int]:
    """The dtype, key and number of elements in `("storage", class, key, device, number, ...)`; "?" where it is not."""
    identity = value.arguments if isinstance(value, Node) else None
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":  # noqa: PLR2004
        return "?", "", 0
    _, cls, key, _, number, *_ = identity
    name = cls.maker.rpartition(".")[2].removesuffix("Storage") if isinstance(cls, Node) else ""
    known = isinstance(key, str | int) and isinstance(number, int)
    return (_KINDS.get(name, "?"), str(key), number) if known else ("?", "", 0)


def extent_of(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """The elements from a tensor's first to its last, both included."""
    return 0 if 0 in shape else 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))


def check_script_tensors(archive: Archive) -> None:
    """Check that every tensor of a TorchScript archive lies within its storage, and every storage in its record.

    torch takes what the pickles claim, and reads past the end of a record that is shorter.

    Raises:
        InputError: one does not, or is described as torch never does.
    """
    root, members = root_of(archive), {member.name.lower(): member for member in archive.listed}
    for name in _PICKLES:
        member = members.get(f"{root}{name}.pkl".lower())
        if member is None:
            continue
        program = read_program(io.BytesIO(read_member(archive, member.name, MAX_PICKLE_BYTES)))
        for storage in program.persistent:
            kind, key, number = storage_of(storage)
            record = members.get(f"{root}{name}/{key}".lower())
            if record is None or kind == "?" or not 0 <= number * ITEM_BYTES[kind] <= record.size:
                raise _short(f"{name}/{key}")
        for tensor in program.tensors:
            _check_within(tensor)


def _check_within(tensor: Node) -> None:
    """A tensor that is made from a storage ends before that does."""
    arguments = tensor.arguments if isinstance(tensor.arguments, tuple) else ()
    if tensor.maker not in STRIDED:
        return
    storage, offset, shape, strides = (*arguments[:4], None, None, None, None)[:4]
    kind, key, number = storage_of(storage)
    sizes, steps = sizes_of(shape), sizes_of(strides)
    whole = sizes is not None and steps is not None and len(sizes) == len(steps) and type(offset) is int
    if not whole or kind == "?" or offset < 0 or offset + extent_of(sizes or (), steps or ()) > number:
        raise _short(key)


def _short(key: str) -> InputError:
    return InputError(
        f"a TorchScript archive whose record {short(key)} is shorter than the tensor that is made of it, or is none;"
        " download or save it again"
    )
