"""What a pickle would do, read from its opcodes. Nothing is unpickled, imported or called."""

from __future__ import annotations

import pickletools
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable
    from pickletools import OpcodeInfo

MAX_PICKLE_BYTES = 32 * 2**20
_MAX_OPCODES = 2_000_000
_MAX_NAME = 256

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
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class _Value:
    """`text` is a string's own text, else the "module.name" that the value stands for or was made by."""

    made: Made
    text: str = ""


_MARK = _Value(Made.MARK)
_LITERALS = {
    name: _Value(Made.CONTAINER if name in {"dict", "list", "tuple", "set", "frozenset"} else Made.VALUE)
    for name in (info.name for opcode in pickletools.opcodes for info in opcode.stack_after)
}


@dataclass(frozen=True)
class Program:
    """A pickle in short: every global it names, in order; what its top object is; what makes it ("" for a literal)."""

    globals: tuple[str, ...]
    top: Made
    maker: str


def read_program(pickle: io.BytesIO) -> Program:
    """Read one pickle up to its end, leaving the position behind it.

    Raises:
        InputError: damaged, cut short, or longer than any model's.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(pickle)):
            if count == _MAX_OPCODES:
                raise InputError(
                    f"its pickle has over {_MAX_OPCODES:,} instructions, more than any model needs;"
                    " save model.state_dict() alone"
                )
            _EFFECTS.get(opcode.name, _literal)(machine, opcode, argument)
        top = machine.stack[-1]
    except (ValueError, LookupError, OverflowError) as error:
        raise InputError("its pickle is damaged or cut short; download or save it again") from error
    return Program(tuple(machine.globals), top.made, top.text if top.made is not Made.TEXT else "")


@dataclass(slots=True)
class _Machine:
    """The unpickler's stack and memo, holding descriptions instead of objects."""

    stack: list[_Value] = field(default_factory=list)
    memo: dict[int, _Value] = field(default_factory=dict)
    globals: dict[str, None] = field(default_factory=dict)

    def pop_to_mark(self) -> list[_Value]:
        """Remove everything above the last mark, and the mark."""
        items = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def push_global(self, module: str, name: str) -> None:
        """Note a global under its Python 3 name and push it."""
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        full = f"{module}.{name}"[:_MAX_NAME]
        full = full if full.isprintable() else full.encode("unicode_escape").decode()
        self.globals[full] = None
        self.stack.append(_Value(Made.GLOBAL, full))

    def push_made(self, maker: _Value, arguments: _Value) -> None:
        """Push what calling `maker` would give."""
        name = arguments.text if maker.text in _RECONSTRUCTORS else maker.text
        made = Made.TENSOR if name.startswith(_TENSOR_MAKERS) else Made.OBJECT
        self.stack.append(_Value(Made.CONTAINER if name in _CONTAINERS else made, name))


def _literal(machine: _Machine, opcode: OpcodeInfo, argument: Any) -> None:
    """Any opcode without an effect of its own: pop and push what its description says."""
    consumed = [info.name for info in opcode.stack_before]
    if "mark" in consumed:
        machine.pop_to_mark()
        consumed = consumed[: consumed.index("mark")]
    for _ in consumed:
        machine.stack.pop()
    for info in opcode.stack_after:
        is_text = isinstance(argument, str) and len(argument) <= _MAX_NAME
        machine.stack.append(_Value(Made.TEXT, argument) if is_text else _LITERALS[info.name])


def _tuple(machine: _Machine, items: list[_Value]) -> None:
    """A tuple stands for the first global in it: the class of `(cls, args)` and of `("module", cls, source)`."""
    named = next((item.text for item in items if item.made is Made.GLOBAL), "")
    machine.stack.append(_Value(Made.CONTAINER, named))


def _small_tuple(machine: _Machine, opcode: OpcodeInfo, _: Any) -> None:
    size = len(opcode.stack_before)
    items = machine.stack[-size:]
    if len(items) < size:
        raise IndexError(opcode.name)
    del machine.stack[-size:]
    _tuple(machine, items)


def _named_global(machine: _Machine, _: OpcodeInfo, argument: str) -> None:
    machine.push_global(*argument.split(" ", 1))


def _stack_global(machine: _Machine, _: OpcodeInfo, __: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    known = module.made is Made.TEXT and name.made is Made.TEXT
    machine.push_global(*((module.text, name.text) if known else ("(computed)", "(computed)")))


def _extension(machine: _Machine, _: OpcodeInfo, argument: int) -> None:
    machine.push_global("copyreg", f"extension {argument}")


def _call(machine: _Machine, opcode: OpcodeInfo, _: Any) -> None:
    if opcode.name == "NEWOBJ_EX":
        machine.stack.pop()
    arguments, maker = machine.stack.pop(), machine.stack.pop()
    machine.push_made(maker, arguments)


def _inst(machine: _Machine, opcode: OpcodeInfo, argument: str) -> None:
    machine.pop_to_mark()
    _named_global(machine, opcode, argument)
    machine.push_made(machine.stack.pop(), _LITERALS["tuple"])


def _obj(machine: _Machine, _: OpcodeInfo, __: Any) -> None:
    machine.push_made(machine.pop_to_mark()[0], _LITERALS["tuple"])


def _persistent(machine: _Machine, _: OpcodeInfo, __: Any) -> None:
    """A storage, or in old files a class: `("module", cls, ...)`."""
    machine.stack.append(_Value(Made.VALUE, machine.stack.pop().text))


def _store(machine: _Machine, _: OpcodeInfo, argument: int | None) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _drop(count: int) -> Callable[[_Machine, OpcodeInfo, Any], None]:
    def drop(machine: _Machine, _: OpcodeInfo, __: Any) -> None:
        for _unused in range(count):
            machine.stack.pop()

    return drop


def _drop_to_mark(machine: _Machine, _: OpcodeInfo, __: Any) -> None:
    machine.pop_to_mark()


_EFFECTS: dict[str, Callable[[_Machine, OpcodeInfo, Any], None]] = {
    "MARK": lambda machine, _, __: machine.stack.append(_MARK),
    "POP": _drop(1),
    "DUP": lambda machine, _, __: machine.stack.append(machine.stack[-1]),
    "STOP": _drop(0),
    "GLOBAL": _named_global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "TUPLE": lambda machine, _, __: _tuple(machine, machine.pop_to_mark()),
    "PERSID": lambda machine, _, __: machine.stack.append(_LITERALS["any"]),
    "BINPERSID": _persistent,
    **dict.fromkeys(("TUPLE1", "TUPLE2", "TUPLE3"), _small_tuple),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension),
    **dict.fromkeys(("REDUCE", "NEWOBJ", "NEWOBJ_EX"), _call),
    **dict.fromkeys(("BUILD", "APPEND"), _drop(1)),
    "SETITEM": _drop(2),
    **dict.fromkeys(("APPENDS", "SETITEMS", "ADDITEMS", "POP_MARK"), _drop_to_mark),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _store),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, _, n: machine.stack.append(machine.memo[n])),
}
