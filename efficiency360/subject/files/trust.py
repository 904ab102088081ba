"""Which files run code of their own when they are opened, and what they name for that. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.subject.files.pickle_trust import split_globals
from efficiency360.subject.files.sniff import FileKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

WEIGHTS = frozenset({FileKind.ZIP_WEIGHTS, FileKind.LEGACY_WEIGHTS})
"""Kinds of pickles that hold weights, perhaps among other objects."""
PROGRAMS = frozenset({FileKind.PICKLED_MODULE, FileKind.TORCHSCRIPT, FileKind.EXPORTED_PROGRAM})
"""Kinds that carry code."""


def strangers(globals_: Collection[str]) -> list[str]:
    """The globals of a pickle that weights alone do not need, each once."""
    return list(split_globals(globals_)[1])


def holds_objects(kind: FileKind, globals_: Collection[str]) -> bool:
    """Whether a file of weights holds other objects too, which only unpickling with all its powers makes."""
    return kind in WEIGHTS and bool(strangers(globals_))


def modules_beside(model: Path, globals_: Collection[str]) -> Iterator[Path]:
    """The Python files and packages beside a model that its pickle imports from."""
    for package in dict.fromkeys(name.partition(".")[0] for name in strangers(globals_)):
        if package.isidentifier():
            places = (model.parent / f"{package}.py", model.parent / package / "__init__.py")
            yield from (place for place in places if place.is_file())
