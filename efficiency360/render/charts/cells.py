"""Cells of a scorecard's tables as numbers that can be drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from efficiency360.records import Cell, Series


def number(cell: Cell) -> float | None:
    """A cell that is a finite number; None for anything else."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    return float(cell) if math.isfinite(cell) else None


def share(cell: Cell) -> float | None:
    """A cell that is a proportion; None for anything else."""
    found = number(cell)
    return found if found is not None and 0 <= found <= 1 else None


def numbers(series: Series, columns: Sequence[str]) -> list[tuple[float, ...]] | None:
    """The rows of these columns; None where one is not there, or a cell is no finite number."""
    cells = [series.columns.get(name) for name in columns]
    if any(column is None for column in cells):
        return None
    return whole([number(cell) for cell in row] for row in zip(*(column or () for column in cells), strict=True))


def whole(rows: Iterable[Iterable[float | None]]) -> list[tuple[float, ...]] | None:
    """The rows where nothing is missing; None where something is."""
    found = [tuple(row) for row in rows]
    told = [tuple(cell for cell in row if cell is not None) for row in found]
    return told if list(map(len, told)) == list(map(len, found)) else None
