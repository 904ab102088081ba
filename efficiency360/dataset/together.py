"""Images that belong together, such as those of one patient: a split that parts them measures memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

PERSONAL: Final = frozenset(
    f"{who}{end}"
    for who in ("patient", "lesion", "subject", "person", "participant", "identity", "case", "study")
    for end in ("", "_id", "id")
) | {"group_id"}
"""Columns of these names, whatever their case, say whose images belong together."""


def personal(names: Iterable[str]) -> tuple[str, ...]:
    """The columns whose name says that they tell whose an image is."""
    return tuple(name for name in names if name.lower() in PERSONAL)


def joined(columns: Sequence[Sequence[str]], n: int) -> NDArray[np.int64]:
    """The group (N,) of each image: images that share a value in any column, directly or through others.

    An empty value joins nothing. Groups are numbered from 0.
    """
    root = list(range(n))

    def find(one: int) -> int:
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    for column in columns:
        first: dict[str, int] = {}
        for index, value in enumerate(column):
            if value.strip():
                root[find(index)] = find(first.setdefault(value, index))
    _, numbers = np.unique([find(index) for index in range(n)], return_inverse=True)
    return numbers.astype(np.int64)
