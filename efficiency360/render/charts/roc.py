"""Members found against non-members accused, on log scales: the privacy axis's table -> curves in steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import share
from efficiency360.render.charts.theme import COLOURS, SERIES as LOOKS, Layer, Spec, across, chart, field, layer, upright
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from efficiency360.records import Series

AXIS, SERIES = "privacy", "privacy.roc"
HEIGHT = 310.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 18.0, 26.0, 44.0
_ACROSS, _DOWN = 480 - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
_FEWEST_DECADES, _MOST_DECADES = 2, 7
_TOLD = (0.001, 0.01, 0.1)
_KEY, _LETTERS = 30.0, 30
Rates = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Curve:
    """An attack's rates: the share of non-members accused with the share of members found."""

    attack: str
    rates: Rates

    @property
    def told(self) -> Rates:
        """The rates worth telling, as far as the data reach."""
        return tuple(
            (at, max(tpr for fpr, tpr in self.rates if fpr <= at)) for at in _TOLD if self.rates[0][0] <= at
        )


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
    ticks = [float(f"1e{2 - power}") for power in range(drawn.decades, -1, -1)]
    floor, domain = ticks[0], (ticks[0], 100)
    scale = {"type": "log", "domain": list(domain), "nice": False}
    level = across("accused", said["x"], domain, ticks, end=_ACROSS, scale=scale)
    return chart(
        [
            layer("chance", [{"accused": end, "found": end} for end in domain], "line", color=COLOURS["quiet"], strokeWidth=1, strokeDash=[1, 3]),
            *(
                layer("line", _steps(curve, floor), "line", interpolate="step-after", **_look(index))
                for index, curve in enumerate(drawn.curves)
            ),
            *_key([curve.attack for curve in drawn.curves], words["charts"]["roc"]["chance"]),
        ],
        HEIGHT,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        x=level | {"axis": level["axis"] | {"grid": True}},
        y=upright("found", said["y"], domain, ticks, _LEFT) | {"scale": scale},
    )  # fmt: skip


def _steps(curve: Curve, floor: float) -> list[dict[str, Any]]:
    """The rates where they step, in percent."""
    return [{"accused": max(floor, 100 * fpr), "found": max(floor, 100 * tpr)} for fpr, tpr in curve.rates]


def _look(index: int) -> dict[str, Any]:
    role, dashes = LOOKS[index]
    return {"color": COLOURS[role]} | ({"strokeDash": list(dashes)} if dashes else {})


def _key(attacks: Sequence[str], chance: str) -> Iterator[Layer]:
    """What each line is, in the corner where no curve goes."""
    looks = [*(_look(index) for index in range(len(attacks))), {"color": COLOURS["quiet"], "strokeDash": [1, 3]}]
    for index, (name, look) in enumerate(zip([*attacks, chance], looks, strict=True)):
        y = _DOWN - 12 - 15 * (len(attacks) - index)
        ends = {"x": {"value": _ACROSS - 8 - _KEY}, "x2": {"value": _ACROSS - 8}, "y": {"value": y}}
        row = [{"text": middle(name, _LETTERS)}]
        yield layer("key", row, "rule", ends, strokeWidth=1.8, **look)
        place = {"x": {"value": _ACROSS - 14 - _KEY}, "y": {"value": y}, "text": field("text", "nominal")}
        yield layer("direct", row, "text", place, align="right", baseline="middle")
