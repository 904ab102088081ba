"""What a pickle would do, read from its opcodes. Nothing is unpickled, imported or called."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.subject.files.pickle_machine import MARK, MAX_NAME, Machine, Made, Node, first_global
from efficiency360.subject.files.pickle_tokens import Bulk, tokens

if TYPE_CHECKING:
    import io
    from collections.abc import Callable
    from pickletools import OpcodeInfo

__all__ = ["MAX_PICKLE_BYTES", "Made", "Node", "Program", "read_program"]

MAX_PICKLE_BYTES = 24 * 2**20
_MAX_OPCODES = 1_000_000


@dataclass(frozen=True)
class Program:
    """A pickle in short: every global it names, in order; what its top object is; what makes it ("" for plain values).

    `value` describes the top object: `Node`s, and plain values as they are. `persistent` are the values that it takes
    from outside, such as storages; `tensors` all that it makes.
    """

    globals: tuple[str, ...]
    top: Made
    maker: str
    value: Any = field(default=None, compare=False)
    persistent: tuple[Node, ...] = field(default=(), compare=False)
    tensors: tuple[Node, ...] = field(default=(), compare=False)


def read_program(pickle: io.BytesIO) -> Program:
    """Read one pickle up to its end, leaving the position behind it; time and memory follow its length.

    Raises:
        InputError: damaged, cut short, or longer than any model's.
    """
    machine = Machine()
    data, end = pickle.getvalue(), pickle.tell()
    try:
        for count, (name, argument, end) in enumerate(tokens(data, end)):  # noqa: B007, B020 - the last end counts
            if count == _MAX_OPCODES:
                raise InputError(
                    f"its pickle has over {_MAX_OPCODES:,} instructions, more than any model needs;"
                    " save model.state_dict() alone"
                )
            _EFFECTS[name](machine, argument)
        top = machine.stack[-1]
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise InputError("its pickle is damaged or cut short; download or save it again") from error
    pickle.seek(end)
    maker = top.maker if isinstance(top, Node) else ""
    return Program(tuple(machine.globals), _made(top), maker, top, tuple(machine.persistent), tuple(machine.tensors))


def _made(value: Any) -> Made:
    if isinstance(value, Node):
        return value.made
    if isinstance(value, tuple):
        return Made.CONTAINER
    return Made.TEXT if isinstance(value, str) else Made.VALUE


def _push(value: Any) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value)


def _push_argument(machine: Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _push_new(maker: str) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.stack.append(Node(Made.CONTAINER, maker))


def _from_mark(maker: str, *, pairs: bool = False) -> Callable[[Machine, Any], None]:
    def collect(machine: Machine, _: Any) -> None:
        items = machine.pop_to_mark()
        machine.stack.append(Node(Made.CONTAINER, maker, None, _paired(items) if pairs else items))

    return collect


def _paired(items: list[Any]) -> list[Any]:
    return list(zip(items[::2], items[1::2], strict=True))


def _tuple(machine: Machine, _: Any) -> None:
    machine.stack.append(tuple(machine.pop_to_mark()))


def _small_tuple(size: int) -> Callable[[Machine, Any], None]:
    def collect(machine: Machine, _: Any) -> None:
        items = tuple(machine.stack[-size:])
        if len(items) < size:
            raise IndexError(size)
        del machine.stack[-size:]
        machine.stack.append(items)

    return collect


def _named_global(machine: Machine, argument: tuple[str, str]) -> None:
    machine.push_global(*argument)


def _stack_global(machine: Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    known = isinstance(module, str) and isinstance(name, str) and max(len(module), len(name)) <= MAX_NAME
    machine.push_global(*((module, name) if known else ("(computed)", "(computed)")))


def _extension(machine: Machine, argument: int) -> None:
    machine.push_global("copyreg", f"extension {argument}")


def _call(machine: Machine, _: Any) -> None:
    arguments, maker = machine.stack.pop(), machine.stack.pop()
    machine.push_made(maker, arguments)


def _call_with_keywords(machine: Machine, _: Any) -> None:
    keywords, arguments, maker = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    machine.push_made(maker, arguments)
    machine.stack[-1].state = keywords


def _inst(machine: Machine, argument: tuple[str, str]) -> None:
    arguments = tuple(machine.pop_to_mark())
    machine.push_global(*argument)
    machine.push_made(machine.stack.pop(), arguments)


def _obj(machine: Machine, _: Any) -> None:
    maker, *arguments = machine.pop_to_mark()
    machine.push_made(maker, tuple(arguments))


def _persistent(machine: Machine, _: Any) -> None:
    """A storage, or in old files a class: `("module", cls, ...)`."""
    identity = machine.stack.pop()
    machine.stack.append(Node(Made.VALUE, first_global(identity), identity))
    machine.persistent.append(machine.stack[-1])


def _build(machine: Machine, _: Any) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, Node):
        target.state = state


def _add(machine: Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Node):
        if target.entries is None:
            target.entries = items
        else:
            target.entries += items


def _set_item(machine: Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _add(machine, [(key, value)])


def _store(machine: Machine, argument: Any) -> None:
    if isinstance(argument, Bulk) or (argument is not None and argument < 0):
        raise ValueError(argument)
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _drop(machine: Machine, _: Any) -> None:
    machine.stack.pop()


def _drop_to_mark(machine: Machine, _: Any) -> None:
    machine.pop_to_mark()


def _is_literal(opcode: OpcodeInfo) -> bool:
    """Whether an opcode only pushes its argument."""
    pushes = [kind.name for kind in opcode.stack_after]
    return not opcode.stack_before and len(pushes) == 1 and pushes[0] != "any"


def _nothing(machine: Machine, _: Any) -> None:
    del machine


_LITERALS = tuple(opcode.name for opcode in pickletools.opcodes if opcode.arg and _is_literal(opcode))
_EFFECTS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(_LITERALS, _push_argument),
    **dict.fromkeys(("PROTO", "FRAME", "READONLY_BUFFER", "STOP"), _nothing),
    "NONE": _push(None),
    "NEWTRUE": _push(True),
    "NEWFALSE": _push(False),
    "EMPTY_TUPLE": _push(()),
    "EMPTY_LIST": _push_new("builtins.list"),
    "EMPTY_DICT": _push_new("builtins.dict"),
    "EMPTY_SET": _push_new("builtins.set"),
    "LIST": _from_mark("builtins.list"),
    "DICT": _from_mark("builtins.dict", pairs=True),
    "FROZENSET": _from_mark("builtins.frozenset"),
    "NEXT_BUFFER": _push(Bulk("a buffer")),
    "MARK": _push(MARK),
    "POP": _drop,
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "GLOBAL": _named_global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "TUPLE": _tuple,
    **{f"TUPLE{size}": _small_tuple(size) for size in (1, 2, 3)},
    "PERSID": lambda machine, identity: machine.stack.append(Node(Made.VALUE, "", identity)),
    "BINPERSID": _persistent,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _call),
    "NEWOBJ_EX": _call_with_keywords,
    "BUILD": _build,
    "APPEND": lambda machine, _: _add(machine, [machine.stack.pop()]),
    "SETITEM": _set_item,
    "APPENDS": lambda machine, _: _add(machine, machine.pop_to_mark()),
    "ADDITEMS": lambda machine, _: _add(machine, machine.pop_to_mark()),
    "SETITEMS": lambda machine, _: _add(machine, _paired(machine.pop_to_mark())),
    "POPMARK": _drop_to_mark,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _store),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, n: machine.stack.append(machine.memo[n])),
}
