"""From columns of text to groups: missing values, numbers in bins, intersections."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import InputError
from efficiency360.spec import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MISSING = "missing"
AND = " x "
_NO_VALUE = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", MISSING})
"""What stands for no value, in lower case; pandas reads most of them so."""
_FEW_VALUES = 10
"""As many different numbers are categories; more are binned."""


@dataclass(frozen=True)
class Attribute:
    """Groups by a column or by several: `codes` (N,) are positions in `groups`, in the order in which they are shown.

    `columns` are the columns it is made of; `missing` counts images without a value.
    """

    name: str
    codes: NDArray[np.int64]
    groups: tuple[str, ...]
    columns: tuple[str, ...]
    missing: int = 0

    def crossed(self, other: Attribute) -> Attribute:
        """The intersection: a group for each pair of groups that occurs."""
        pair = self.codes * len(other.groups) + other.codes
        there, codes = np.unique(pair, return_inverse=True)
        first, second = np.divmod(there, len(other.groups))
        names = [f"{self.groups[a]}{AND}{other.groups[b]}" for a, b in zip(first, second, strict=True)]
        return Attribute(
            f"{self.name}{AND}{other.name}", codes.reshape(-1), tuple(names), (*self.columns, *other.columns)
        )


def attribute(name: str, values: Sequence[str], *, bins: int = 4, edges: Sequence[float] | None = None) -> Attribute:
    """Groups by a column (N,).

    A column of numbers with more than ten different ones, or with `edges`, is binned: at the edges, else into `bins`
    groups of about equal size; of fewer numbers each is a group, 2 and 2.0 the same. Images without a value are a group
    of their own.

    Raises:
        InputError: all values are missing or alike, or nearly every image has one of its own.
    """
    texts = [_text(value) for value in values]
    gone = np.array([text.casefold() in _NO_VALUE for text in texts], dtype=np.bool_)
    if gone.all():
        raise InputError(
            f"the column '{name}' holds no values: all {len(texts)} are missing; leave it out of the groups"
        )
    present = [text for text, missing in zip(texts, gone, strict=True) if not missing]
    numbers = _numbers(present)
    if numbers is not None and (edges is not None or len(np.unique(numbers)) > _FEW_VALUES):
        codes, groups = binned(numbers, bins, edges)
    elif edges is not None:
        raise InputError(f"the column '{name}' has edges but does not hold numbers, such as '{_other(present)}'")
    else:
        codes, groups = _categories(present if numbers is None else [f"{number:.15g}" for number in numbers])
    if len(groups) > max(_FEW_VALUES, len(texts) // 2):
        raise InputError(
            f"the column '{name}' has {len(groups)} different values for {len(texts)} images, so it makes no groups;"
            " name a column that does"
        )
    if len(groups) + bool(gone.any()) < 2:  # noqa: PLR2004 - nothing to compare
        raise InputError(f"the column '{name}' has one value only, '{groups[0]}', so there is nothing to compare")
    everyone = np.full(len(texts), len(groups), np.int64)
    everyone[~gone] = codes
    return Attribute(name, everyone, (*groups, MISSING) if gone.any() else groups, (name,), int(gone.sum()))


def binned(
    numbers: NDArray[np.float64], bins: int, edges: Sequence[float] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The bin of each number (N,) and the names of those that occur; a number on an edge belongs above it.

    Without `edges` there are about `bins` bins of about equal size; `numbers` must then differ.
    """
    if edges is None:
        quantiles = np.quantile(numbers, np.arange(1, bins) / bins, method="inverted_cdf")
        edges = [edge for edge in _rounded(quantiles) if edge > numbers.min()] or np.unique(numbers)[1:2].tolist()
    cuts = sorted({float(edge) for edge in edges})
    there, codes = np.unique(np.searchsorted(cuts, numbers, side="right"), return_inverse=True)
    shown = [f"{cut:.6g}" for cut in cuts]
    names = [
        f"below {shown[0]}",
        *(f"{a} to {b}" for a, b in pairwise(shown)),
        f"{shown[-1]} and up",
    ]
    return codes.reshape(-1), tuple(names[bin_] for bin_ in there)


def _rounded(numbers: NDArray[np.float64]) -> list[float]:
    """To four digits, so that what is shown is what cuts."""
    return [float(f"{number:.4g}") for number in numbers]


def attributes_of(
    names: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    *,
    bins: int = 4,
    edges: Mapping[str, Sequence[float]] | None = None,
) -> list[Attribute]:
    """The attributes called `names`, each a column, or several joined as `race x age`.

    Raises:
        InputError: there is no such column (with the nearest), or it makes no groups.
    """
    made: dict[str, Attribute] = {}
    found = []
    for name in dict.fromkeys(names):
        parts = [name] if name in columns else [part.strip() for part in name.split(AND)]
        for part in parts:
            if part not in columns:
                raise InputError(f"the data has no column '{part}' to group by{suggest(part, columns)}")
            if part not in made:
                made[part] = attribute(part, columns[part], bins=bins, edges=(edges or {}).get(part))
        joined = made[parts[0]]
        for part in parts[1:]:
            joined = joined.crossed(made[part])
        found.append(joined)
    return found


def _text(value: str) -> str:
    """A value as it may stand in a scorecard: without blanks around it, and without what is no UTF-8."""
    return str(value).strip().encode(errors="replace").decode()


def _numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """The numbers that all of these texts are; None where one is none."""
    try:
        numbers = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _other(texts: Sequence[str]) -> str:
    return next((text for text in texts if _numbers([text]) is None), texts[0])


def _categories(texts: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    names, codes = np.unique(np.array(texts), return_inverse=True)
    order = sorted(range(len(names)), key=lambda index: _sort_key(str(names[index])))
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    return place[codes.reshape(-1)], tuple(str(names[index]) for index in order)


def _sort_key(name: str) -> tuple[float, str]:
    """Numbers by size, then text by alphabet; `10-19` stands where 10 does."""
    start = ""
    for char in name:
        if not (char.isascii() and (char.isdigit() or char == ".")):
            break
        start += char
    try:
        return float(start), name
    except ValueError:
        return math.inf, name
