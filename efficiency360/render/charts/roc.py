"""Members found against non-members accused, on log scales: the privacy axis's table -> curves in steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import share
from efficiency360.render.charts.scales import Scale
from efficiency360.render.charts.theme import GUESS, Frame, Spec, chart, key, layer, level, look, upright
from efficiency360.render.charts.theme import SERIES as LOOKS
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.records import Series

AXIS, SERIES = "privacy", "privacy.roc"
_FRAME = Frame(310.0, left=44.0)
_FEWEST_DECADES, _MOST_DECADES = 2, 7
_TOLD = (0.001, 0.01, 0.1)
_LETTERS = 30
Rates = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Curve:
    """An attack's rates: the share of non-members accused with the share of members found."""

    attack: str
    rates: Rates

    @property
    def told(self) -> Rates:
        """The rates worth telling, as far as the data reach."""
        return tuple((at, max(tpr for fpr, tpr in self.rates if fpr <= at)) for at in _TOLD if self.rates[0][0] <= at)


@dataclass(frozen=True)
class Roc:
    """What is drawn; both axes reach from 1 down by as many powers of ten."""

    curves: tuple[Curve, ...]

    @property
    def decades(self) -> int:
        """How many powers of ten."""
        least = min(curve.rates[0][0] for curve in self.curves)
        return min(_MOST_DECADES, max(_FEWEST_DECADES, math.ceil(-math.log10(least) - 1e-9)))


def read(series: Series) -> Roc | None:
    """What can be drawn; None where the table holds no curves, such as rates that fall or are none."""
    found: dict[str, list[tuple[float, float]]] = {}
    columns = [series.columns.get(name, []) for name in ("attack", "fpr", "tpr")]
    for attack, accused, right in zip(*columns, strict=False):
        fpr, tpr = share(accused), share(right)
        if not isinstance(attack, str) or fpr is None or tpr is None:
            return None
        found.setdefault(attack, []).append((fpr, tpr))
    sound = all(map(_grows, found.values())) and 0 < len(found) <= len(LOOKS)
    return Roc(tuple(Curve(attack, tuple(rates)) for attack, rates in found.items())) if sound else None


def _grows(rates: Sequence[tuple[float, float]]) -> bool:
    return rates[0][0] > 0 and all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(rates))


def spec(drawn: Roc, words: Mapping[str, Any]) -> Spec:
    """The chart, in percent; what is less than the axes show lies at their end. `words` are all the page's."""
    said = words["privacy"]["roc"]
    ticks = tuple(float(f"1e{2 - power}") for power in range(drawn.decades, -1, -1))
    scale = Scale(ticks[0], 100.0, ticks, log=True)
    chance = [{"accused": end, "found": end} for end in (scale.low, scale.high)]
    entries = [(middle(curve.attack, _LETTERS), look(index)) for index, curve in enumerate(drawn.curves)]
    entries.append((words["charts"]["roc"]["chance"], GUESS))
    return chart(
        [
            layer("chance", chance, "line", **GUESS),
            *(
                layer("line", _steps(curve, scale.low), "line", interpolate="step-after", **look(index))
                for index, curve in enumerate(drawn.curves)
            ),
            *key(entries, _FRAME.across - 8, _FRAME.down - 12 - 15 * len(drawn.curves)),
        ],
        _FRAME,
        x=level("accused", said["x"], scale, _FRAME, grid=True),
        y=upright("found", said["y"], scale, _FRAME),
    )


def _steps(curve: Curve, floor: float) -> list[dict[str, Any]]:
    """The rates where they step, in percent."""
    return [{"accused": max(floor, 100 * fpr), "found": max(floor, 100 * tpr)} for fpr, tpr in curve.rates]
