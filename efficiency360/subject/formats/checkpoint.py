"""Weights out of a file and onto an architecture's names. Runs in the worker only."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Literal

import torch
from safetensors.torch import load_file
from torch import Tensor

from efficiency360.errors import InputError
from efficiency360.subject.files.archive import check_checksums
from efficiency360.subject.files.names import quoted, short
from efficiency360.subject.files.sniff import REFUSALS, FileKind, shown
from efficiency360.subject.files.trust import holds_objects, strangers
from efficiency360.subject.formats.candidates import Candidate, SortedWeights, candidates, find, part_of, select
from efficiency360.subject.formats.matching import Attempt, by_name, by_order, dtype_name, is_counter, unwrap
from efficiency360.subject.formats.unpickle import unpickled
from efficiency360.words import one_line, told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Candidate", "Fit", "candidates", "fit", "read_weights", "shape_of"]

_NAMED_BY_TORCH = re.compile(r"GLOBAL (\S+) was not an allowed|unsupported GLOBAL (\S+) whose module")
_OTHER_PROTOCOL = "Unsupported operand"
_SAVE_AGAIN = (
    "where you trust it, add --trust-code, or load it yourself and save the weights alone:"
    ' torch.save(checkpoint["state_dict"], "weights.pt") or safetensors'
)


@dataclass(frozen=True)
class Fit:
    """Tensors under the architecture's names, in its order and dtypes, and what was done for that, in words."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


def read_weights(path: Path, kind: FileKind, globals_: tuple[str, ...], *, trust_code: bool = False) -> object:
    """What a weights file holds, on the CPU, read without running anything that it carries; no fallback.

    `globals_` is what `sniff` found in its pickle. With `trust_code`, a pickle that names more than weights, or is of a
    protocol that `weights_only` does not read, is read with all of pickle's powers.

    Raises:
        InputError: not a kind that is opened, damaged, or with objects that `weights_only` refuses, which are named.
    """
    if why := REFUSALS.get(kind):
        raise InputError(f"{shown(path)}: {why}")
    if trust_code and holds_objects(kind, globals_):
        return unpickled(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _load(path, kind)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error}") from error
    except UnpicklingError as error:
        if trust_code and _OTHER_PROTOCOL in str(error):
            return unpickled(path)
        raise InputError(f"{shown(path)}: {_refused(str(error), globals_)}; {_SAVE_AGAIN}") from error
    except Exception as error:
        raise InputError(f"{shown(path)}: damaged or cut short ({told(error)}); download or save it again") from error


def _load(path: Path, kind: FileKind) -> object:
    if kind is FileKind.SAFETENSORS:
        return SortedWeights(load_file(path))
    if kind is FileKind.ZIP_WEIGHTS:
        check_checksums(path)
    # An open file, because torch.load takes any path that ends in .safetensors for that format; not mapped into memory,
    # because torch then takes neighbouring bytes for weights where a record is shorter than the pickle says.
    with path.open("rb") as file:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=False)


def _refused(message: str, globals_: Sequence[str]) -> str:
    """A clause on what `weights_only` refused."""
    named = [name for match in _NAMED_BY_TORCH.finditer(message) for name in match.groups() if name]
    refused = list(dict.fromkeys([*named, *strangers(globals_)]))
    if any(name.startswith("torch.nn.modules.") for name in refused):
        return f"holds whole pickled modules ({quoted(refused)}), and opening those can run any code"
    if refused:
        return f"holds objects other than weights ({quoted(refused)}), and opening those can run any code"
    if _OTHER_PROTOCOL in message:
        return "was saved with a pickle protocol other than torch.save's own (2), which weights_only does not read"
    lines = [line for line in message.splitlines() if line.strip() and not line.startswith("Check the documentation")]
    return f"holds more than weights ({one_line(lines[-1]) if lines else 'no reason given'})"


def fit(  # noqa: PLR0913 - one keyword for each thing that an error names
    loaded: object,
    expected: Mapping[str, Tensor],
    *,
    remap: Literal["order"] | None,
    key: str | None,
    file: str,
    arch: str = "the architecture",
) -> Fit:
    """The weights in `loaded` that fit `expected`, the untrained model's state dict, exactly.

    Wrapping is undone (prefixes shared by all names, AveragedModel's counter); with `remap` "order" names may differ.

    Raises:
        InputError: nothing fits (with what differs most tellingly), or several sets fit and differ, or no such `key`.
    """
    found = select(loaded, key, file)
    fits = _distinct([attempt for attempt in (by_name(one, expected) for one in found) if attempt.fits], expected)
    if not fits and remap == "order":
        fits = _distinct(_in_order(found, expected, file), expected)
    if not fits:
        raise InputError(f"{file} does not fit {arch}: {_why_not(found, expected)}")
    if len(fits) > 1:
        keys = [attempt.candidate.key for attempt, _ in fits]
        raise InputError(
            f"{file} holds several sets of weights that fit: {quoted(keys)}; choose one with --key {keys[-1]}"
        )
    attempt, tensors = fits[0]
    return Fit(tensors, tuple(_notes(attempt, tensors)))


def _in_order(found: Sequence[Candidate], expected: Mapping[str, Tensor], file: str) -> list[Attempt]:
    attempts = [by_order(one, expected) for one in found if one.ordered]
    if not attempts:
        raise InputError(
            f"{file}: --remap order cannot be used on safetensors, which sorts the weights by name; save the state dict"
            " with torch.save"
        )
    if not any(attempt.fits for attempt in attempts):
        nearest = max(attempts, key=lambda attempt: len(attempt.tensors) - len(attempt.clashes))
        raise InputError(f"{file} does not fit the architecture by order either: {nearest.problems}; check --arch")
    return [attempt for attempt in attempts if attempt.fits]


def _why_not(found: Sequence[Candidate], expected: Mapping[str, Tensor]) -> str:
    """The most telling difference, and what would mend it."""
    for one in found:
        if one.ordered and by_order(one, expected).fits:
            names = unwrap(one.tensors, expected)[0]
            theirs, ours = _first_outside(names, expected), _first_outside(expected, names)
            return (
                f"the names differ (such as {theirs} for {ours}), but number, order and shapes of all"
                f" {len(one.tensors)} weights agree; add --remap order to map them by order"
            )
        if keys := _fitting_parts(one, expected):
            return f"but its part {quoted(keys)} does; choose it with --key {keys[-1]}"
    nearest = max(found, key=lambda one: _agreement(one, expected))
    if not _agreement(nearest, expected)[0]:
        have = f"none of its {len(nearest.tensors)} names ({quoted(tuple(nearest.tensors))})"
        return f"{have} is among the {len(expected)} wanted ({quoted(tuple(expected))}); check --arch"
    where = f"its {short(nearest.key)} comes nearest: " if nearest.key else ""
    return f"{where}{by_name(nearest, expected).problems}; check --arch"


def _first_outside(names: Collection[str], others: Collection[str]) -> str:
    return short(next((name for name in names if name not in others), next(iter(names))))


def _fitting_parts(candidate: Candidate, expected: Mapping[str, Tensor]) -> list[str]:
    """Keys of parts that would fit alone: `model` beside a stored loss, `teacher` and `student` in one mapping."""
    starts = Counter(".".join(name.split(".")[:length]) for name in candidate.tensors for length in (1, 2))
    enough = sum(not is_counter(name) for name in expected)
    parts = [part_of(candidate, start) for start, count in starts.items() if count >= enough]
    fitting = {tuple(part.tensors): part.key for part in reversed(parts) if part and by_name(part, expected).fits}
    return [key for names, key in reversed(fitting.items()) if len(names) < len(candidate.tensors)]


def _distinct(attempts: Sequence[Attempt], expected: Mapping[str, Tensor]) -> list[tuple[Attempt, dict[str, Tensor]]]:
    """The attempts whose tensors differ, the first of each, in the architecture's order and dtypes."""
    kept: list[tuple[Attempt, dict[str, Tensor]]] = []
    for attempt in attempts:
        tensors = {name: attempt.tensors[name].detach().to(want.dtype) for name, want in expected.items()}
        if not any(all(_same_bytes(tensors[name], other[name]) for name in tensors) for _, other in kept):
            kept.append((attempt, tensors))
    return kept


def _same_bytes(one: Tensor, other: Tensor) -> bool:
    """Equality under which NaN equals itself."""
    return torch.equal(*(tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)))


def _notes(attempt: Attempt, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    if attempt.candidate.key:
        yield f"taken from {short(attempt.candidate.key)}"
    yield from attempt.notes
    if attempt.candidate.left_out:
        yield f"{quoted(attempt.candidate.left_out)} left out"
    weights = {name: tensor for name, tensor in tensors.items() if not is_counter(name)}
    stored = {(dtype_name(attempt.tensors[name]), dtype_name(tensor)) for name, tensor in weights.items()}
    yield from (f"weights stored as {was}, evaluated in {now}" for was, now in sorted(stored) if was != now)
    if broken := sum(int((~tensor.isfinite()).sum()) for tensor in weights.values()):
        yield f"{broken} {'weights are' if broken > 1 else 'weight is'} NaN or infinite"


def _agreement(candidate: Candidate, expected: Mapping[str, Tensor]) -> tuple[int, int]:
    """How near a candidate is: names in common, then (where the numbers agree) positions that agree."""
    named = len(unwrap(candidate.tensors, expected)[0].keys() & expected.keys())
    attempt = by_order(candidate, expected)
    same_number = candidate.ordered and not (attempt.missing or attempt.unexpected)
    return named, len(attempt.tensors) - len(attempt.clashes) if same_number else 0


def shape_of(
    loaded: object, name: str, expected: Mapping[str, Tensor], *, key: str | None = None
) -> tuple[int, ...] | None:
    """The shape that the nearest candidate has for the architecture's tensor `name`; None where it has none.

    Nearest is the one with most names in common; where no name agrees but their number does, tensors correspond by
    order. It tells for how many classes or channels to build the architecture before `fit`.
    """
    found = find(loaded, key)
    if not found:
        return None
    nearest = max(found, key=lambda one: _agreement(one, expected))
    named, placed = _agreement(nearest, expected)
    tensors = unwrap(nearest.tensors, expected)[0] if named else by_order(nearest, expected).tensors if placed else {}
    return tuple(tensors[name].shape) if name in tensors else None
