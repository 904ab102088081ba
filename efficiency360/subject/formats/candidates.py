"""The sets of named tensors that a weights file holds, and the one that the user chose by `--key`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from efficiency360.errors import InputError
from efficiency360.subject.files.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 3


class SortedWeights(dict[str, Tensor]):
    """Weights from a format that sorts them, so that their order says nothing about the model."""


@dataclass(frozen=True)
class Candidate:
    """Named tensors found at `key` ("" for the file itself, else a dotted path such as "state_dict" or "nets.0").

    `strangers` are names in it whose values are not tensors; `left_out` are names beside it that are no part of it;
    `ordered` says whether the tensors are in the order of the model that saved them.
    """

    key: str
    tensors: dict[str, Tensor]
    strangers: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    ordered: bool = True


def candidates(loaded: object) -> list[Candidate]:
    """Every mapping of names to tensors in what a file holds, three levels deep, without optimiser state."""
    return list(_walk(loaded, "", 0))


def _walk(value: object, key: str, depth: int) -> Iterator[Candidate]:
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict) and "param_groups" not in value:
        children = list(value.items())
        tensors = {name: item for name, item in children if isinstance(name, str) and isinstance(item, Tensor)}
        others = [str(name) for name, _ in children if name not in tensors]
        beside = [name for name in others if not key and "." not in name]
        strangers = [name for name in others if name not in beside]
        if tensors:
            ordered = not isinstance(value, SortedWeights)
            yield Candidate(key, tensors, tuple(strangers), tuple(beside), ordered)
    elif isinstance(value, list | tuple):
        children = list(enumerate(value))
    if depth < _DEPTH:
        for name, child in children:
            yield from _walk(child, f"{key}.{name}" if key else str(name), depth + 1)


def find(loaded: object, key: str | None) -> list[Candidate]:
    """The candidates at or below `key`, else the parts of candidates whose names begin with it; all without a key."""
    found = candidates(loaded)
    if key is None:
        return found
    chosen = [one for one in found if one.key == key] or [one for one in found if one.key.startswith(f"{key}.")]
    return chosen or [part for one in found if (part := part_of(one, key.removeprefix(f"{one.key}.")))]


def select(loaded: object, key: str | None, file: str) -> list[Candidate]:
    """The same as `find`, never empty.

    Raises:
        InputError: the file holds no named tensors, or none at `key`.
    """
    if found := find(loaded, key):
        return found
    if keys := [one.key for one in candidates(loaded)]:
        raise InputError(f"{file} has no weights at --key {key}; it has {quoted(keys)} ('' is the file itself)")
    raise InputError(
        f"{file} holds no state dict, only a value of type {type(loaded).__name__}; save model.state_dict()"
    )


def part_of(candidate: Candidate, prefix: str) -> Candidate | None:
    """The part of a candidate whose names begin with `prefix` and a dot; the rest counts as left out."""
    start = f"{prefix}."
    inside = {name: tensor for name, tensor in candidate.tensors.items() if name.startswith(start)}
    strangers = tuple(name for name in candidate.strangers if name.startswith(start))
    rest = tuple(name for name in (*candidate.tensors, *candidate.strangers) if not name.startswith(start))
    key = f"{candidate.key}.{prefix}" if candidate.key else prefix
    return Candidate(key, inside, strangers, (*candidate.left_out, *rest), candidate.ordered) if inside else None
