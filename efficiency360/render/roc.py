"""Members found against non-members accused, on log scales: the privacy axis's table -> places in a figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.records import Cell, Series

AXIS, SERIES = "privacy", "privacy.roc"
WIDTH, HEIGHT = 480.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 462.0, 24.0, 252.0
_FEWEST_DECADES, _MOST_DECADES = 2, 7
_TOLD = (0.001, 0.01, 0.1)
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
Rates = list[tuple[float, float]]


@dataclass(frozen=True)
class Log:
    """A log scale from `10 ** -decades` to 1 between `start` and `end` of the figure, with a tick a decade."""

    decades: int
    start: float
    end: float

    def at(self, share: float) -> float:
        """Where a share lies; what is smaller than the scale lies at its start."""
        part = 1 + math.log10(share) / self.decades if share > 0 else 0.0
        return self.start + (self.end - self.start) * max(0.0, part)

    @property
    def ticks(self) -> tuple[float, ...]:
        """The powers of ten."""
        return tuple(float(f"1e-{power}") for power in range(self.decades, -1, -1))


@dataclass(frozen=True)
class Line:
    """An attack's curve: its name, its path, how it is dashed, where its name stands, and rates worth telling."""

    attack: str
    path: str
    dashes: str
    y: float
    told: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Roc:
    """The figure; `chance` is the path on which an attack knows nothing."""

    title: str
    lines: tuple[Line, ...]
    x: Log
    y: Log
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def chance(self) -> str:
        """The diagonal, as far as both scales reach."""
        least = 10.0 ** -min(self.x.decades, self.y.decades)
        return f"M{_at(self.x.at(least))} {_at(self.y.at(least))}L{_at(self.x.end)} {_at(self.y.end)}"


def roc(series: Series) -> Roc | None:
    """Lay out the figure; None where the table holds no curves, such as rates that fall or are none."""
    curves = _curves(series)
    if not curves:
        return None
    decades = _decades(min(fpr for rates in curves.values() for fpr, _ in rates))
    x, y = Log(decades, _LEFT, _RIGHT), Log(decades, _BOTTOM, _TOP)
    lines = [_line(attack, rates, number, x, y) for number, (attack, rates) in enumerate(curves.items())]
    return Roc(series.title, tuple(lines), x, y)


def _curves(series: Series) -> dict[str, Rates]:
    """The rates of each attack; empty where something is none."""
    found: dict[str, Rates] = {}
    columns = [series.columns.get(name, []) for name in ("attack", "fpr", "tpr")]
    for attack, fpr, tpr in zip(*columns, strict=False):
        if not (isinstance(attack, str) and _is_share(fpr) and _is_share(tpr)):
            return {}
        found.setdefault(attack, []).append((float(fpr or 0), float(tpr or 0)))
    sound = all(_grows(rates) for rates in found.values())
    return found if sound and len(found) <= len(_DASHES) else {}


def _is_share(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and 0 <= cell <= 1


def _grows(rates: Rates) -> bool:
    return rates[0][0] > 0 and all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(rates))


def _decades(least: float) -> int:
    return min(_MOST_DECADES, max(_FEWEST_DECADES, math.ceil(-math.log10(least) - 1e-9)))


def _line(attack: str, rates: Rates, number: int, x: Log, y: Log) -> Line:
    """Steps: the rate holds until the next threshold."""
    path = f"M{_at(x.at(rates[0][0]))} {_at(y.at(rates[0][1]))}"
    path += "".join(f"H{_at(x.at(fpr))}V{_at(y.at(tpr))}" for fpr, tpr in rates[1:])
    return Line(attack, path, _DASHES[number], _TOP + 6 + 15 * number, tuple(_told(rates)))


def _told(rates: Rates) -> Sequence[tuple[float, float]]:
    return [(at, max(tpr for fpr, tpr in rates if fpr <= at)) for at in _TOLD if rates[0][0] <= at]


def _at(value: float) -> str:
    return f"{value:.4g}"
