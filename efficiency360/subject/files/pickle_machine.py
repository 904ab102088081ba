"""The values that a pickle would make, as descriptions, and the stack that it makes them on."""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from efficiency360.errors import InputError

MAX_NAME = 256
_MAX_GLOBALS = 20_000
_ALONE = "save model.state_dict() alone"
MARK = object()
_CONTAINERS = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.Counter",
        "builtins.dict",
        "builtins.list",
        "builtins.tuple",
        "builtins.set",
        "builtins.frozenset",
        "torch.Size",
    }
)
_TENSOR_MAKERS = ("torch._utils._rebuild_", "torch._tensor._rebuild_", "torch.nn.parameter.Parameter", "torch.Tensor")
_RECONSTRUCTORS = frozenset({"copyreg._reconstructor", "copyreg.__newobj__"})


class Made(StrEnum):
    """What kind of value an opcode leaves on the stack."""

    CONTAINER = "container"
    TENSOR = "tensor"
    VALUE = "value"
    TEXT = "text"
    GLOBAL = "global"
    OBJECT = "object"


@dataclass(slots=True, eq=False)
class Node:
    """A value that the pickle would make; its plain values (text, numbers, tuples) stand for themselves.

    `maker` is the "module.name" that it is or is made by, `arguments` what it is made from, `entries` the items added
    to it: values, or (key, value) pairs. `state` is what it would be told to restore.
    """

    made: Made
    maker: str = ""
    arguments: Any = None
    entries: list[Any] | None = None
    state: Any = None


@dataclass(slots=True)
class Machine:
    """The unpickler's stack and memo, holding descriptions instead of objects."""

    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    globals: dict[str, None] = field(default_factory=dict)
    persistent: list[Node] = field(default_factory=list)
    tensors: list[Node] = field(default_factory=list)

    def pop_to_mark(self) -> list[Any]:
        """Remove everything above the last mark, and the mark."""
        items = []
        while (item := self.stack.pop()) is not MARK:
            items.append(item)
        return items[::-1]

    def push_global(self, module: str, name: str) -> None:
        """Note a global under its Python 3 name and push it."""
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"[:MAX_NAME]
        full = full if full.isprintable() else full.encode("unicode_escape", "surrogatepass").decode()
        self.globals[full] = None
        if len(self.globals) > _MAX_GLOBALS:
            raise InputError(f"its pickle names over {_MAX_GLOBALS:,} objects, more than any model; {_ALONE}")
        self.stack.append(Node(Made.GLOBAL, full))

    def push_made(self, maker: Any, arguments: Any) -> None:
        """Push what calling `maker` would give."""
        called = maker.maker if isinstance(maker, Node) else ""
        name = first_global(arguments) if called in _RECONSTRUCTORS else called
        made = Made.TENSOR if name.startswith(_TENSOR_MAKERS) else Made.OBJECT
        self.stack.append(Node(Made.CONTAINER if name in _CONTAINERS else made, name, arguments))
        if made is Made.TENSOR:
            self.tensors.append(self.stack[-1])


def first_global(arguments: Any) -> str:
    """A tuple stands for the first global in it: the class of `(cls, args)` and of `("module", cls, source)`."""
    items = arguments if isinstance(arguments, tuple) else ()
    return next((item.maker for item in items if isinstance(item, Node) and item.made is Made.GLOBAL), "")
