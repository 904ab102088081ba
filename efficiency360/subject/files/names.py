"""Names from files, as messages show them: quoted, on one line, not too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 3
_MAX_NAME = 80


def short(name: str) -> str:
    """A name from a file, quoted, on one line, at most 80 characters."""
    return ascii(name) if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]!a}..."


def quoted(names: Sequence[str]) -> str:
    """The first three names, quoted, and how many more there are."""
    return few([short(name) for name in names[:_SHOWN]], len(names))


def few(items: Sequence[str], total: int | None = None) -> str:
    """The first three items and how many more there are."""
    more = (len(items) if total is None else total) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
