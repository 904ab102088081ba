"""What lies in a torch.export archive: weights, inputs, operators, and the parts that opening it unpickles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from efficiency360.errors import InputError
from efficiency360.subject.files.archive import open_archive, read_member
from efficiency360.subject.files.storages import ITEM_BYTES
from efficiency360.subject.inspection.contents import (
    Contents,
    Place,
    StoredTensor,
    WeightSet,
    image_input,
    possible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.subject.files.archive import Archive
    from efficiency360.subject.files.zip_directory import Member

T = TypeVar("T")
_MAX_JSON_BYTES = 16 * 2**20
_MAX_DIMS = 64
_OLD_MODEL = "serialized_exported_program.json"
_WEIGHTS_CONFIG = "weights_config.json"
_PICKLED_PARTS = (".pt", ".pkl", "serialized_constants", "serialized_example_inputs", "serialized_state_dict")
_MACHINE_CODE = (".so", ".cubin", ".o", ".cpp")
_OWN_OPERATORS = frozenset({"aten", "prims", "prim", "higher_order", "_operator", "math", "builtins"})
_DTYPES: Mapping[int, str] = {  # torch._export.serde.schema.ScalarType
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
}


def export_contents(file: BinaryIO, size: int) -> Contents:
    """The contents of a torch.export archive of the present layout; of older ones the program without the weights.

    Raises:
        InputError: damaged.
    """
    archive = open_archive(file, size)
    inside = {name.partition("/")[2] or name: member for name, member in archive.members.items()}
    inside = {**archive.members, **inside}
    programs = {name: _program(archive, member) for name, member in inside.items() if _is_program(name)}
    facts: dict[str, str] = {}
    shapes: list[tuple[int | str, ...]] = []
    for program in programs.values():
        facts |= _facts(program)
        shapes += _input_shapes(program)
    if shapes:
        facts["inputs"] = ", ".join("x".join(map(str, shape)) or "a number" for shape in shapes[:4])
    return Contents(
        sets=tuple(_sets(archive, inside)),
        code=tuple(_code(inside)),
        facts=facts,
        input=next((found for shape in shapes if (found := image_input(shape))), None),
    )


def _is_program(name: str) -> bool:
    return name == _OLD_MODEL or (name.startswith("models/") and name.endswith(".json"))


def _program(archive: Archive, member: Member) -> dict[str, Any]:
    return _json(archive, member) if member.size <= _MAX_JSON_BYTES else {}


def _json(archive: Archive, member: Member) -> dict[str, Any]:
    try:
        content = json.loads(read_member(archive, member.name, _MAX_JSON_BYTES).decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"its {member.name[:80]!a} is damaged; download or save it again") from error
    return content if isinstance(content, dict) else {}


def _sets(archive: Archive, inside: Mapping[str, Member]) -> Iterator[WeightSet]:
    for name, member in inside.items():
        if name.startswith("data/weights/") and name.endswith(_WEIGHTS_CONFIG):
            described = _part(_json(archive, member), "config", dict)
            tensors = (_tensor(archive, inside, title, _as(entry, dict)) for title, entry in described.items())
            yield WeightSet("", tuple(tensors))
    if old := next((name for name in inside if name.startswith("serialized_state_dict")), None):
        yield WeightSet("", (StoredTensor(f"({old})", (), "?", unread="an archive within the archive is not read"),))


def _tensor(archive: Archive, inside: Mapping[str, Member], name: str, entry: dict[str, Any]) -> StoredTensor:
    meta = _part(entry, "tensor_meta", dict)
    shape, strides = (_whole_numbers(meta.get(key)) for key in ("sizes", "strides"))
    dtype = _DTYPES.get(_as(meta.get("dtype"), int), "?")
    member = inside.get(f"data/weights/{entry.get('path_name')}")
    known = dtype in ITEM_BYTES and possible(shape or ())
    if shape is None or strides is None or len(shape) != len(strides) or not known:
        return StoredTensor(name, shape or (), dtype, unread="its description is damaged")
    if entry.get("use_pickle") or member is None or member.method:
        return StoredTensor(
            name, shape, dtype, unread="it is pickled" if entry.get("use_pickle") else "it is not there"
        )
    extent = 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if 0 not in shape else 0
    offset = (_whole_numbers([meta.get("storage_offset")]) or (0,))[0]
    start, length = archive.start_of(member) + offset * ITEM_BYTES[dtype], extent * ITEM_BYTES[dtype]
    if offset * ITEM_BYTES[dtype] + length > member.size:
        return StoredTensor(name, shape, dtype, unread="its storage is shorter than it claims")
    plain = StoredTensor(name, shape, dtype, Place(start, length))
    return plain if extent == plain.numel else StoredTensor(name, shape, dtype, Place(start, length, strides))


def _whole_numbers(value: Any) -> tuple[int, ...] | None:
    items: list[Any] = [_as(item, dict).get("as_int") for item in _as(value, list)]
    plain = all(type(item) is int and 0 <= item < 2**48 for item in items) and len(items) <= _MAX_DIMS
    return tuple(items) if plain and isinstance(value, list) else None


def _facts(program: dict[str, Any]) -> dict[str, str]:
    facts = {}
    if isinstance(version := program.get("torch_version"), str):
        facts["exported by torch"] = version[:40]
    nodes = _part(_graph(program), "nodes", list)
    domains = {str(_as(node, dict).get("target")).removeprefix("torch.ops.").partition(".")[0] for node in nodes}
    if strangers := sorted(domain for domain in domains if domain not in _OWN_OPERATORS | {"torch"}):
        facts["operators of others"] = ", ".join(name[:40] for name in strangers[:8])
    return {**facts, "operators": str(len(nodes))} if nodes else facts


def _graph(program: dict[str, Any]) -> dict[str, Any]:
    return _part(_part(program, "graph_module", dict), "graph", dict)


def _input_shapes(program: dict[str, Any]) -> Iterator[tuple[int | str, ...]]:
    """The shapes of what the user passes in; a name where a dimension varies."""
    values = _part(_graph(program), "tensor_values", dict)
    signature = _part(_part(program, "graph_module", dict), "signature", dict)
    for spec in _part(signature, "input_specs", list):
        argument = _part(_part(_as(spec, dict), "user_input", dict), "arg", dict)
        name = _part(argument, "as_tensor", dict).get("name")
        if isinstance(name, str) and name in values:
            yield tuple(map(_dimension, _part(_as(values[name], dict), "sizes", list)[:_MAX_DIMS]))


def _dimension(value: Any) -> int | str:
    size = _as(value, dict)
    if type(number := size.get("as_int")) is int:
        return number
    return str(_part(size, "as_expr", dict).get("expr_str", "?"))[:40]


def _code(inside: Mapping[str, Member]) -> Iterator[str]:
    for name in sorted(set(inside) - {name for name in inside if "/" in name and name.partition("/")[2] in inside}):
        if name.endswith(_PICKLED_PARTS):
            yield f"{name} (unpickled)"
        elif name.endswith(_MACHINE_CODE):
            yield f"{name} (machine code)"
        elif _is_program(name):
            yield f"{name} (symbolic expressions are evaluated)"


def _as(value: Any, kind: type[T]) -> T:
    """A value if it is of a kind, else an empty one."""
    return value if isinstance(value, kind) else kind()


def _part(table: dict[str, Any], key: str, kind: type[T]) -> T:
    return _as(table.get(key), kind)
