"""The tensors that a pickle describes: names, shapes, dtypes and storages, read from its opcodes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from efficiency360.subject.files.opcodes import Made, Node
from efficiency360.subject.files.storages import ITEM_BYTES, STRIDED, elements, extent_of, sizes_of, storage_of
from efficiency360.subject.inspection.contents import MAX_TENSORS, Place, StoredTensor, WeightSet, possible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from efficiency360.subject.files.opcodes import Program

    Locate = Callable[[str], tuple[int, int] | None]

_DEPTH = 3
_MODULE_DEPTH = 64
_WRAPPERS = frozenset(
    {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter"}
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
    return {key: kind for kind, key, _ in map(storage_of, program.persistent) if kind != "?"}


def legacy_keys(value: Any) -> list[str]:
    """The keys of the storages of a file in torch.save's old format, from the pickle that lists them."""
    return [str(key) for key in elements(value) if isinstance(key, str | int)]


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
            children = list(enumerate(elements(value)))
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
        if node.maker in STRIDED:
            return self._strided(name, arguments)
        if node.maker == "torch._utils._rebuild_tensor_v3" and len(arguments) > 6:  # noqa: PLR2004 - dtype is the 7th
            dtype = arguments[6]
            return self._strided(
                name, arguments, dtype.maker.removeprefix("torch.") if isinstance(dtype, Node) else "?"
            )
        if node.maker == _WITHOUT_DATA and len(arguments) > 1:
            dtype = arguments[0].maker.removeprefix("torch.") if isinstance(arguments[0], Node) else "?"
            return StoredTensor(name, sizes_of(arguments[1]) or (), dtype, unread="it has no data")
        return StoredTensor(name, (), "?", unread=f"it is not a dense tensor ({node.maker or 'unknown'})")

    def _strided(self, name: str, arguments: tuple[Any, ...], dtype: str = "") -> StoredTensor:
        storage, offset, shape, strides = (*arguments[:4], None, None, None, None)[:4]
        sizes, steps = sizes_of(shape), sizes_of(strides)
        kind, key, number = storage_of(storage)
        if sizes is None or steps is None or len(sizes) != len(steps) or not possible(sizes):
            return StoredTensor(name, sizes or (), dtype or kind, unread="its shape is damaged")
        if type(offset) is not int or kind == "?":
            return StoredTensor(name, sizes, dtype or kind, unread="its storage is damaged")
        dtype = dtype or kind
        place, unread = self._place(key, number * ITEM_BYTES.get(kind, 1), offset, sizes, steps, dtype)
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
        extent = extent_of(shape, strides)
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
    return [tuple(elements(pair)[:2]) for pair in elements(first)]


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
    return [item for item in [*(value.entries or ()), *elements(first)] if isinstance(item, str)]


def _inside(node: Node) -> Node | None:
    """The tensor that a parameter or a subclass is made from."""
    arguments = node.arguments if isinstance(node.arguments, tuple) else ()
    if node.maker in _WRAPPERS and arguments and isinstance(arguments[0], Node):
        return arguments[0]
    if node.maker in _SUBCLASSED and len(arguments) > 2 and isinstance(arguments[0], Node):  # noqa: PLR2004
        return Node(Made.TENSOR, arguments[0].maker, arguments[2])
    return None


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the elements fill one block, in whatever order of dimensions."""
    expected = 1
    for step, size in sorted((step, size) for size, step in zip(shape, strides, strict=True) if size != 1):
        if step != expected:
            return False
        expected *= size
    return True
