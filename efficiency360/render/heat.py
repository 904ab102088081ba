"""Accuracy by corruption and severity: the axis's table -> rows of a heat map, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficiency360.records import Cell as RecordCell
    from efficiency360.records import Series

SERIES = "robustness.corruptions"
_PREFIX = "severity_"
STEPS = (0.02, 0.1, 0.2, 0.4, 0.6)
"""Shares of the clean accuracy from which on a cell is a shade darker."""


@dataclass(frozen=True)
class Cell:
    """An accuracy, and its shade: 0 where (nearly) all of the clean accuracy is left, up to `len(STEPS)`."""

    accuracy: float
    shade: int


@dataclass(frozen=True)
class Line:
    """A corruption: its name, a cell for each severity, and one for their mean."""

    name: str
    cells: tuple[Cell, ...]
    mean: Cell


@dataclass(frozen=True)
class Heat:
    """The heat map; `lines` begin with the worst mean, `clean` is the accuracy of the same images as they are."""

    title: str
    severities: tuple[str, ...]
    clean: float
    lines: tuple[Line, ...]


def heat(series: Series) -> Heat | None:
    """Arrange the axis's table; None where it is not one, such as without severities or with what is no proportion."""
    columns = series.columns
    severities = [name for name in columns if name.startswith(_PREFIX)]
    names = columns.get("corruption", [])
    shares = [_shares(columns.get(name, [])) for name in ("clean", "mean", *severities)]
    if not names or not severities or {len(column) for column in shares} != {len(names)}:
        return None
    clean, means, *cells = shares
    lines = [
        Line(str(name), tuple(_cell(column[row], clean[row]) for column in cells), _cell(means[row], clean[row]))
        for row, name in enumerate(names)
    ]
    lines.sort(key=lambda line: line.mean.accuracy)
    return Heat(series.title, tuple(name.removeprefix(_PREFIX) for name in severities), clean[0], tuple(lines))


def _shares(column: list[RecordCell]) -> list[float]:
    """The cells that are proportions."""
    numbers = [float(cell) for cell in column if isinstance(cell, int | float) and not isinstance(cell, bool)]
    return [number for number in numbers if 0 <= number <= 1]


def _cell(share: float, clean: float) -> Cell:
    lost = (clean - share) / clean if clean else 0.0
    return Cell(share, sum(lost > step for step in STEPS))
