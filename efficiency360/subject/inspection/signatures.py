"""Which architectures a set of named tensors may belong to: its shapes compared with an index, without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Named = tuple[str, tuple[int, ...]]

INDEX = "architectures.json"
_LEFT_OUT = frozenset({"num_batches_tracked", "n_averaged"})
_COMPILED = "_orig_mod"
_DIGEST_BYTES = 6
_MAX_PREFIXES = 8
_FILTER_DIMS, _MAX_STEMS = 4, 64


@dataclass(frozen=True)
class Signature:
    """An architecture's tensors in short; those that evaluation does not need are left out.

    `named` is a digest of names and shapes in the order of names, `ordered` of the shapes alone in the order in which
    the architecture lists them. The dimensions that follow the number of classes count as unknown in both; `classes`
    holds their (position, dimension) among the sorted names, `classes_ordered` in the architecture's own order.
    """

    arch: str
    number: int
    named: str
    ordered: str
    classes: tuple[tuple[int, int], ...]
    classes_ordered: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Match:
    """Architectures whose shapes are those of the file, the most usual first, all alike.

    `by_order` says that the names differ, so that it takes `--remap order`. `num_classes` is None where it is fixed.
    """

    archs: tuple[str, ...]
    by_order: bool
    num_classes: int | None


def sign(arch: str, tensors: Mapping[str, tuple[int, ...]], other: Mapping[str, tuple[int, ...]]) -> Signature:
    """The signature of an architecture, from its shapes with two different numbers of classes."""
    entries = _relevant(tensors.items())
    vary = {
        name: tuple(dim for dim, (one, two) in enumerate(zip(shape, other[name], strict=True)) if one != two)
        for name, shape in entries
    }
    by_name = sorted(entries)
    classes, classes_ordered = (
        tuple((at, dim) for at, (name, _) in enumerate(listed) for dim in vary[name]) for listed in (by_name, entries)
    )
    return Signature(
        arch=arch,
        number=len(entries),
        named=_digest(by_name, classes, names=True),
        ordered=_digest(entries, classes_ordered, names=False),
        classes=classes,
        classes_ordered=classes_ordered,
    )


def match(tensors: Iterable[Named], *, ordered: bool) -> Match | None:
    """The architectures that the tensors fit, by name where possible, else (where `ordered`) by order; else None.

    A stem for grey images counts as one for colours, since architectures are built for either.
    """
    entries = _relevant(tensors)
    if len(entries) not in _index():
        return None
    return _match(entries, ordered=ordered) or next(
        (found for option in _in_colour(entries) if (found := _match(option, ordered=ordered))), None
    )


def _match(entries: list[Named], *, ordered: bool) -> Match | None:
    for option in _unwrappings(entries):
        if found := _search(sorted(option), by_order=False):
            return found
    return _search(entries, by_order=True) if ordered else None


def _in_colour(entries: list[Named]) -> Iterator[list[Named]]:
    """The tensors with one convolution of a single channel, which may be the stem, as if it had three."""
    places = [at for at, (_, shape) in enumerate(entries) if len(shape) == _FILTER_DIMS and shape[1] == 1]
    for at in places[:_MAX_STEMS]:
        name, (filters, _, *sizes) = entries[at]
        yield [*entries[:at], (name, (filters, 3, *sizes)), *entries[at + 1 :]]


def _search(entries: Sequence[Named], *, by_order: bool) -> Match | None:
    digests: dict[tuple[tuple[int, int], ...], str] = {}
    archs, numbers = [], set()
    for known in _index().get(len(entries), ()):
        places = known.classes_ordered if by_order else known.classes
        if places not in digests:
            digests[places] = _digest(entries, places, names=not by_order)
        if digests[places] == (known.ordered if by_order else known.named):
            found = {entries[at][1][dim] for at, dim in places}
            if len(found) <= 1:
                archs.append(known.arch)
                numbers |= found
    if not archs or len(numbers) > 1:
        return None
    return Match(tuple(sorted(archs, key=_unusual)), by_order, next(iter(numbers), None))


def _unusual(arch: str) -> tuple[bool, int, str]:
    """What comes first is timm's and has a short name."""
    return not arch.startswith(("timm:", "zoo:")), len(arch), arch


def _relevant(tensors: Iterable[Named]) -> list[Named]:
    return [(name, tuple(shape)) for name, shape in tensors if name.rpartition(".")[2] not in _LEFT_OUT]


def _unwrappings(entries: list[Named]) -> Iterator[list[Named]]:
    """The tensors under their names, without torch.compile's mark, and without each prefix that all share."""
    yield entries
    entries = [(".".join(part for part in name.split(".") if part != _COMPILED), shape) for name, shape in entries]
    yield entries
    for _ in range(_MAX_PREFIXES):
        prefix, dot, _ = entries[0][0].partition(".") if entries else ("", "", "")
        if not dot or not all(name.startswith(prefix + dot) for name, _ in entries):
            return
        entries = [(name.removeprefix(prefix + dot), shape) for name, shape in entries]
        yield entries


def _digest(entries: Sequence[Named], unknown: Iterable[tuple[int, int]], *, names: bool) -> str:
    places = set(unknown)
    if any(at >= len(entries) or dim >= len(entries[at][1]) for at, dim in places):
        return ""
    hasher = hashlib.blake2s(digest_size=_DIGEST_BYTES)
    for at, (name, shape) in enumerate(entries):
        sizes = "x".join("?" if (at, dim) in places else str(size) for dim, size in enumerate(shape))
        hasher.update(f"{name if names else ''}:{sizes}\n".encode(errors="surrogatepass"))
    return hasher.hexdigest()


def pack(signatures: Iterable[Signature]) -> list[list[Any]]:
    """Signatures as JSON values, one row each."""
    return [
        [
            one.arch,
            one.number,
            one.named,
            one.ordered,
            list(map(list, one.classes)),
            list(map(list, one.classes_ordered)),
        ]
        for one in signatures
    ]


@cache
def _index() -> dict[int, list[Signature]]:
    """All known signatures by their number of tensors."""
    content = json.loads((resources.files("efficiency360.subject.inspection") / INDEX).read_text())
    found: dict[int, list[Signature]] = {}
    for arch, number, named, ordered, *places in content["architectures"]:
        classes, classes_ordered = (tuple((at, dim) for at, dim in pairs) for pairs in places)
        found.setdefault(number, []).append(Signature(arch, number, named, ordered, classes, classes_ordered))
    return found


def index_versions() -> dict[str, str]:
    """The versions of the libraries that the index was made from."""
    versions: dict[str, str] = json.loads((resources.files("efficiency360.subject.inspection") / INDEX).read_text())[
        "versions"
    ]
    return versions
