"""The tensors that a pickle describes: names, shapes, dtypes and storages, read from its opcodes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from efficiency360.subject.files.opcodes import Made, Node
from efficiency360.subject.inspection.contents import ITEM_BYTES, MAX_TENSORS, Place, StoredTensor, WeightSet, possible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from efficiency360.subject.files.opcodes import Program

    Locate = Callable[[str], tuple[int, int] | None]

_DEPTH = 3
_MODULE_DEPTH = 64
_MAX_DIMS = 64
_STORAGES: Mapping[str, str] = {
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
    "QInt8": "qint8",
    "QUInt8": "quint8",
    "QInt32": "qint32",
    "Untyped": "uint8",
}
_WRAPPERS = frozenset(
    {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter"}
)
_STRIDED = frozenset(
    {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_qtensor"}
)
_SUBCLASSED = frozenset({"torch._tensor._rebuild_from_type", "torch._tensor._rebuild_from_type_v2"})
_WITHOUT_DATA = "torch._utils._rebuild_meta_tensor_no_storage"


def weight_sets(value: Any, locate: Locate) -> tuple[WeightSet, ...]:
    """Every mapping of names to tensors and every module in what a pickle holds, three levels deep.

    `locate` gives a storage's offset in the file and its length in bytes by its key, None where it is not there.
    """
    return tuple(_Finder(locate).walk(value, "", 0))


def storage_kinds(program: Program) -> dict[str, str]:
    """The dtype of every storage that a pickle names, by key."""
    return {key: kind for kind, key, _ in map(_storage, program.persistent) if kind != "?"}


def legacy_keys(value: Any) -> list[str]:
    """The keys of the storages of a file in torch.save's old format, from the pickle that lists them."""
    return [str(key) for key in _elements(value) if isinstance(key, str | int)]


@dataclass(slots=True)
class _Finder:
    locate: Locate
    left: int = MAX_TENSORS
    seen: set[int] = field(default_factory=set)

    def walk(self, value: Any, key: str, depth: int) -> Iterator[WeightSet]:
        if depth > _DEPTH or self.left <= 0:
            return
        children: list[tuple[Any, Any]] = []
        if isinstance(value, Node) and value.made is Made.OBJECT:
            if tensors := tuple(self.module(value, "", 0)):
                yield WeightSet(key, tensors)
        elif isinstance(value, Node) and value.made is Made.TENSOR and not key:
            yield WeightSet(key, (self.tensor("", value),))
        elif is_mapping(value):
            items = items_of(value)
            children = [] if "param_groups" in items else list(items.items())
            if tensors := tuple(self.tensor(name, item) for name, item in children if _is_tensor(item)):
                self.left -= len(tensors)
                yield WeightSet(key, tensors)
        else:
            children = list(enumerate(_elements(value)))
        for name, child in children:
            if not _is_tensor(child):
                yield from self.walk(child, f"{key}.{name}" if key else str(name), depth + 1)

    def module(self, value: Node, prefix: str, depth: int) -> Iterator[StoredTensor]:
        """The tensors of a module and of those below it, in the order of its state dict; each module once."""
        if depth > _MODULE_DEPTH or id(value) in self.seen or self.left <= 0:
            return
        self.seen.add(id(value))
        for name, child in _attributes(value):
            if _is_tensor(child):
                self.left -= 1
                yield self.tensor(f"{prefix}{name}", child)
            elif isinstance(child, Node) and child.made is Made.OBJECT:
                yield from self.module(child, f"{prefix}{name}.", depth + 1)

    def tensor(self, name: str, node: Node) -> StoredTensor:
        """A tensor as its rebuilding function's arguments describe it."""
        for _ in range(_DEPTH):
            inner = _inside(node)
            if inner is None:
                break
            node = inner
        arguments = node.arguments if isinstance(node.arguments, tuple) else ()
        if node.maker in _STRIDED:
            return self._strided(name, arguments)
        if node.maker == "torch._utils._rebuild_tensor_v3" and len(arguments) > 6:  # noqa: PLR2004 - dtype is the 7th
            dtype = arguments[6]
            return self._strided(
                name, arguments, dtype.maker.removeprefix("torch.") if isinstance(dtype, Node) else "?"
            )
        if node.maker == _WITHOUT_DATA and len(arguments) > 1:
            dtype = arguments[0].maker.removeprefix("torch.") if isinstance(arguments[0], Node) else "?"
            return StoredTensor(name, _sizes(arguments[1]) or (), dtype, unread="it has no data")
        return StoredTensor(name, (), "?", unread=f"it is not a dense tensor ({node.maker or 'unknown'})")

    def _strided(self, name: str, arguments: tuple[Any, ...], dtype: str = "") -> StoredTensor:
        storage, offset, shape, strides = (*arguments[:4], None, None, None, None)[:4]
        sizes, steps = _sizes(shape), _sizes(strides)
        kind, key, elements = _storage(storage)
        if sizes is None or steps is None or len(sizes) != len(steps) or not possible(sizes):
            return StoredTensor(name, sizes or (), dtype or kind, unread="its shape is damaged")
        if type(offset) is not int or kind == "?":
            return StoredTensor(name, sizes, dtype or kind, unread="its storage is damaged")
        dtype = dtype or kind
        place, unread = self._place(key, elements * ITEM_BYTES.get(kind, 1), offset, sizes, steps, dtype)
        return StoredTensor(name, sizes, dtype, place, unread)

    def _place(  # noqa: PLR0913, PLR0917 - one tensor's description
        self, key: str, claimed: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: str
    ) -> tuple[Place | None, str]:
        item, found = ITEM_BYTES.get(dtype), self.locate(key)
        if item is None:
            return None, f"its dtype {dtype} is not known"
        if found is None:
            return None, "its storage is not in the file"
        start, stored = found
        extent = 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if 0 not in shape else 0
        if offset < 0 or (offset + extent) * item > min(claimed, stored):
            return None, "its storage is shorter than it claims"
        dense = extent == math.prod(shape) and _is_dense(shape, strides)
        return Place(start + offset * item, extent * item, None if dense else strides), ""


def is_mapping(value: Any) -> bool:
    """Whether a value would be a dict of some kind."""
    return (
        isinstance(value, Node) and value.made is Made.CONTAINER and value.maker.endswith(("dict", "Dict", "Counter"))
    )


def items_of(value: Any) -> dict[str | int, Any]:
    """The items of what would be a dict, under their plain keys."""
    if not is_mapping(value):
        return {}
    pairs = [*_initial(value), *(value.entries or ())]
    return {
        pair[0]: pair[1]
        for pair in pairs
        if isinstance(pair, tuple) and len(pair) == 2 and type(pair[0]) in (str, int)  # noqa: PLR2004
    }


def _initial(value: Node) -> list[Any]:
    """Items that an OrderedDict was made from, as old Pythons pickle it: a list of lists of two."""
    first = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else None
    return [tuple(_elements(pair)[:2]) for pair in _elements(first)]


def _elements(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return list(value)
    is_list = isinstance(value, Node) and value.made is Made.CONTAINER and value.maker == "builtins.list"
    return list(value.entries or ()) if is_list else []


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Node) and value.made is Made.TENSOR


def _attributes(module: Node) -> Iterator[tuple[str, Any]]:
    """What a module's state names: parameters, buffers, then modules where torch.nn keeps them apart."""
    state = items_of(module.state)
    if "_modules" not in state:
        yield from ((str(name), value) for name, value in state.items())
        return
    hidden = set(_names(state.get("_non_persistent_buffers_set")))
    for part in ("_parameters", "_buffers", "_modules"):
        found = items_of(state.get(part)).items()
        yield from ((str(name), value) for name, value in found if part != "_buffers" or name not in hidden)


def _names(value: Any) -> list[Any]:
    """The texts in what would be a set: added to it, or given to its maker as a list."""
    if not isinstance(value, Node):
        return []
    first = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else None
    return [item for item in [*(value.entries or ()), *_elements(first)] if isinstance(item, str)]


def _inside(node: Node) -> Node | None:
    """The tensor that a parameter or a subclass is made from."""
    arguments = node.arguments if isinstance(node.arguments, tuple) else ()
    if node.maker in _WRAPPERS and arguments and isinstance(arguments[0], Node):
        return arguments[0]
    if node.maker in _SUBCLASSED and len(arguments) > 2 and isinstance(arguments[0], Node):  # noqa: PLR2004
        return Node(Made.TENSOR, arguments[0].maker, arguments[2])
    return None


def _sizes(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, Node) and value.maker == "torch.Size" and isinstance(value.arguments, tuple):
        value = value.arguments[0] if value.arguments else None
    items = _elements(value)
    plain = all(type(item) is int and 0 <= item < 2**48 for item in items) and len(items) <= _MAX_DIMS
    return tuple(items) if plain and (items or value == ()) else None


def _storage(value: Any) -> tuple[str, str, int]:
    """The dtype, key and number of elements in `("storage", class, key, device, number, ...)`; "?" where it is not."""
    identity = value.arguments if isinstance(value, Node) else None
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":  # noqa: PLR2004
        return "?", "", 0
    _, cls, key, _, number, *_ = identity
    name = cls.maker.rpartition(".")[2].removesuffix("Storage") if isinstance(cls, Node) else ""
    known = isinstance(key, str | int) and isinstance(number, int)
    return (_STORAGES.get(name, "?"), str(key), number) if known else ("?", "", 0)


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the elements fill one block, in whatever order of dimensions."""
    expected = 1
    for step, size in sorted((step, size) for size, step in zip(shape, strides, strict=True) if size != 1):
        if step != expected:
            return False
        expected *= size
    return True
