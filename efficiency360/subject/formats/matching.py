"""How one set of named tensors meets the tensors that an architecture expects: by name, or by order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from efficiency360.subject.files.names import few, quoted, short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.subject.formats.candidates import Candidate

_COUNTER = "num_batches_tracked"
_AVERAGED = "n_averaged"
_COMPILED = "_orig_mod"
_ROLES = frozenset({"weight", "bias", "running_mean", "running_var", _COUNTER})
_MAX_PREFIXES = 8


@dataclass(frozen=True)
class Attempt:
    """A candidate under the architecture's names, and everything that keeps it from fitting.

    `clashes` describe tensors of another shape or kind; `notes` say what was done to the names.
    """

    candidate: Candidate
    tensors: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    clashes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Nothing is missing, nothing is left over, every shape and kind is right."""
        return not (self.missing or self.unexpected or self.clashes)

    @property
    def problems(self) -> str:
        """What keeps it from fitting, in a clause."""
        lists = (("missing", self.missing), ("unexpected", self.unexpected))
        parts = [f"{len(names)} {what} ({quoted(names)})" for what, names in lists if names]
        if self.clashes:
            parts.append(f"{len(self.clashes)} of another shape or kind ({few(self.clashes)})")
        return "; ".join(parts)


def by_name(candidate: Candidate, expected: Mapping[str, Tensor]) -> Attempt:
    """Match by name after undoing wrapping; absent `num_batches_tracked` (old files) are filled with 0.

    A name that is missing takes the tensor of another that the architecture shares it with.
    """
    tensors, notes = unwrap(candidate.tensors, expected)
    filled = {name: _zero(want) for name, want in expected.items() if is_counter(name) and name not in tensors}
    tied = {name: tensors[twin] for name, twin in _twins(expected, tensors) if name not in filled}
    tensors = {**tensors, **filled, **tied}
    return Attempt(
        candidate=candidate,
        tensors=tensors,
        notes=(*notes, *_filled_note(filled), *_tied_note(tied)),
        missing=tuple(name for name in expected if name not in tensors),
        unexpected=(*(name for name in tensors if name not in expected), *candidate.strangers),
        clashes=tuple(
            f"{short(name)} {problem}"
            for name, want in expected.items()
            if name in tensors and (problem := _clash(name, tensors[name], want))
        ),
    )


def by_order(candidate: Candidate, expected: Mapping[str, Tensor]) -> Attempt:
    """Match position by position; `num_batches_tracked` is set aside where only one side has it.

    Shapes and kinds must agree one by one, and so must the last part of the names where both are of a layer's usual
    ones: a weight never becomes a running mean.
    """
    tensors, notes = _without_averaged(candidate.tensors, expected)
    slots = dict(expected)
    if sum(map(is_counter, tensors)) != sum(map(is_counter, slots)):
        tensors = {name: tensor for name, tensor in tensors.items() if not is_counter(name)}
        slots = {name: want for name, want in slots.items() if not is_counter(name)}
    filled = {name: _zero(want) for name, want in expected.items() if name not in slots}
    pairs = list(zip(slots.items(), tensors.items(), strict=False))
    return Attempt(
        candidate=candidate,
        tensors={**{slot: tensor for (slot, _), (_, tensor) in pairs}, **filled},
        notes=("names mapped by order", *notes, *_filled_note(filled), *_dropped_note(candidate.tensors, tensors)),
        missing=tuple(slots)[len(tensors) :],
        unexpected=(*tuple(tensors)[len(slots) :], *candidate.strangers),
        clashes=tuple(
            f"{short(name)} for {short(slot)} {problem}"
            for (slot, want), (name, tensor) in pairs
            if (problem := _role_clash(name, slot) or _clash(slot, tensor, want))
        ),
    )


def unwrap(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take off the prefixes that all names share, as many as leave most names in common with `expected`; with notes."""
    plain, notes = _without_averaged(tensors, expected)
    return max(_unwrappings(plain, notes), key=lambda option: len(option[0].keys() & expected.keys()))


def _unwrappings(
    tensors: dict[str, Tensor], notes: tuple[str, ...]
) -> Iterator[tuple[dict[str, Tensor], tuple[str, ...]]]:
    yield tensors, notes
    plain = {_without_compiled(name): tensor for name, tensor in tensors.items()}
    if len(plain) == len(tensors) and plain.keys() != tensors.keys():
        tensors, notes = plain, (*notes, f"prefix '{_COMPILED}.' removed")
        yield tensors, notes
    for _ in range(_MAX_PREFIXES):
        prefix = _common_prefix(tensors)
        if not prefix:
            return
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        notes = (*notes, f"prefix {short(prefix)} removed")
        yield tensors, notes


def _without_compiled(name: str) -> str:
    """torch.compile puts its prefix before any module, not only the outermost."""
    return ".".join(part for part in name.split(".") if part != _COMPILED)


def _common_prefix(tensors: Mapping[str, Tensor]) -> str:
    first, dot, _ = next(iter(tensors), "").partition(".")
    prefix = first + dot
    return prefix if dot and all(name.startswith(prefix) for name in tensors) else ""


def _without_averaged(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Leave out the counter that torch's AveragedModel keeps beside the weights."""
    kept = {name: tensor for name, tensor in tensors.items() if _last(name) != _AVERAGED or name in expected}
    return kept, () if len(kept) == len(tensors) else (f"'{_AVERAGED}' left out",)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def is_counter(name: str) -> bool:
    """Whether a name is of the counter that BatchNorm keeps and evaluation does not read."""
    return _last(name) == _COUNTER


def _zero(want: Tensor) -> Tensor:
    return torch.zeros(want.shape, dtype=want.dtype)


def _filled_note(filled: Mapping[str, Tensor]) -> tuple[str, ...]:
    return (f"'{_COUNTER}' is missing in {len(filled)} layers, as in old files, and was set to 0",) if filled else ()


def _twins(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Names that are missing, each with one that is there and is the same tensor in the architecture."""
    places = {_place(want): name for name, want in expected.items() if name in found and want.numel()}
    missing = ((name, _place(want)) for name, want in expected.items() if name not in found and not want.is_meta)
    yield from ((name, places[place]) for name, place in missing if place in places)


def _place(want: Tensor) -> tuple[object, ...]:
    """What a tensor shares with another only where both are the same; other layouts have no address."""
    if want.is_meta or want.layout is not torch.strided:
        return (id(want),)
    return want.data_ptr(), tuple(want.shape), want.stride(), want.dtype


def _tied_note(tied: Mapping[str, Tensor]) -> tuple[str, ...]:
    return (f"{quoted(list(tied))} filled from the weights that the architecture shares with it",) if tied else ()


def _dropped_note(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> tuple[str, ...]:
    dropped = sum(map(is_counter, before)) - sum(map(is_counter, after))
    return (f"'{_COUNTER}' of {dropped} layers left out",) if dropped else ()


def _role_clash(name: str, slot: str) -> str | None:
    roles = (_last(name), _last(slot))
    return "is another part of a layer" if roles[0] != roles[1] and _ROLES.issuperset(roles) else None


def _clash(slot: str, tensor: Tensor, want: Tensor) -> str | None:
    if tensor.is_nested or tensor.layout is not torch.strided:
        return "is not a dense tensor"
    if tensor.is_meta:
        return "has no data"
    if tensor.shape != want.shape:
        return f"is {list(tensor.shape)} instead of {list(want.shape)}"
    if _kind(tensor) != _kind(want) and not is_counter(slot):
        return f"is {dtype_name(tensor)} instead of {dtype_name(want)}"
    return None


def _kind(tensor: Tensor) -> str:
    """Kinds of numbers that do not turn into each other without loss of meaning."""
    if tensor.is_quantized:
        return "quantized"
    if tensor.dtype == torch.bool:
        return "bool"
    return "float" if tensor.is_floating_point() else "complex" if tensor.is_complex() else "integer"


def dtype_name(tensor: Tensor) -> str:
    """A dtype as people write it, such as float16."""
    return str(tensor.dtype).removeprefix("torch.")
