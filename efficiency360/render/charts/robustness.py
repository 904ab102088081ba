"""Accuracy against the radius of an attack: the axis's table -> a curve with its intervals and the rules' limits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from efficiency360.radii import levels
from efficiency360.render.charts.cells import numbers
from efficiency360.render.charts.scales import WHOLE, Scale
from efficiency360.render.charts.theme import (
    COLOURS,
    TICK,
    Frame,
    Layer,
    Spec,
    at,
    chart,
    field,
    layer,
    level,
    spread,
    texts,
    upright,
)
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from efficiency360.records import RuleResult, Series

SERIES = "robustness.curve"
JUDGED = "robustness.adversarial_accuracy"
_COLUMNS = ("eps", "accuracy", "low", "high")
_FRAME = Frame(260.0, right=40.0, top=40.0, bottom=54.0)
_APART = 40.0
"""How far apart the labels of radii must be."""
_REACH, _TEXT = 14.0, 90.0
"""How far a limit's line goes beyond its radii, and how much room its text takes."""
_NAMED = 7
"""How many accuracies are written beside their dots."""


@dataclass(frozen=True)
class Point:
    """A radius with the accuracy there and its interval, as proportions."""

    eps: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Bound:
    """A limit of rules, and the radii between which they speak."""

    rule: RuleResult
    first: float
    last: float


@dataclass(frozen=True)
class Curve:
    """What is drawn; the first point is at radius 0, the clean images."""

    points: tuple[Point, ...]
    bounds: tuple[Bound, ...]

    @property
    def reach(self) -> float:
        """The largest radius."""
        return self.points[-1].eps


def read(series: Series, results: Iterable[RuleResult]) -> Curve | None:
    """What can be drawn; None where the table holds no curve, such as text or radii that do not grow from 0.

    Args:
        series: the axis's table, see `SERIES`.
        results: of all rules; the limits on `JUDGED` are drawn.
    """
    rows = numbers(series, _COLUMNS)
    points = [Point(*row) for row in rows or ()]
    grows = all(first.eps < second.eps for first, second in pairwise(points))
    sound = all(0 <= point.low <= point.accuracy <= point.high <= 1 for point in points)
    if len(points) < 2 or points[0].eps != 0 or not (grows and sound):  # noqa: PLR2004 - a line has two ends
        return None
    return Curve(tuple(points), tuple(_bounds(results, points[-1].eps)))


def _bounds(results: Iterable[RuleResult], reach: float) -> Iterator[Bound]:
    """One for a limit, however many radii it holds for."""
    found: dict[tuple[str, float], list[tuple[float, RuleResult]]] = {}
    for rule in results:
        eps = rule.params.get("eps")
        fits = rule.measurement == JUDGED and rule.bound != "no_worse_than_baseline" and 0 <= rule.limit <= 1
        if fits and isinstance(eps, int | float) and not isinstance(eps, bool) and 0 <= eps <= reach:
            found.setdefault((rule.bound, rule.limit), []).append((float(eps), rule))
    for _, same in sorted(found.items(), key=lambda pair: pair[0]):
        radii = [eps for eps, _ in same]
        yield Bound(same[0][1], min(radii), max(radii))


def spec(curve: Curve, words: Mapping[str, Any]) -> Spec:
    """The chart, in percent; `words` are all the page's."""
    said = words["robustness"]["curve"]
    rows = [
        {"eps": one.eps, "accuracy": 100 * one.accuracy, "low": 100 * one.low, "high": 100 * one.high}
        for one in curve.points
    ]
    named = [row | {"text": f"{row['accuracy']:.1f}"} for row in rows if len(rows) <= _NAMED]
    radii = _radii(curve)
    scale = Scale(0.0, curve.reach, tuple(one.eps for one in radii))
    lower = {"labels": False, "titleX": _FRAME.across + 36, "titleY": 46}
    return chart(
        [
            *_limits(curve, words["limit"]),
            spread("spread", rows),
            layer("line", rows, "line"),
            layer("dots", rows, "point"),
            texts("value", named, dx=6, dy=-4),
            *_labels(radii),
        ],
        _FRAME,
        x=level("eps", said["x"], scale, _FRAME, **lower),
        y=upright("accuracy", said["y"], WHOLE, _FRAME, lift=27),
    )


def _radii(curve: Curve) -> Sequence[Point]:
    """The first and the last radius, and of those between them as many as have room."""
    first, *inner, last = curve.points
    apart = _APART * curve.reach / _FRAME.across
    shown = [first]
    for point in inner:
        if point.eps - shown[-1].eps >= apart and last.eps - point.eps >= apart:
            shown.append(point)
    return (*shown, last)


def _labels(radii: Sequence[Point]) -> Iterator[Layer]:
    """Radii in numbers, and below as n/255 where they are that."""
    rows = [{"eps": one.eps, "text": f"{one.eps:.3g}"} for one in radii]
    steps = [{"eps": one.eps, "text": f"{levels(one.eps)}/255"} for one in radii if levels(one.eps)]
    quiet = {"fontSize": TICK, "color": COLOURS["quiet"], "align": "center"}
    yield texts("tick", rows, at(y=_FRAME.down + 15), **quiet)
    yield texts("tick", steps, at(y=_FRAME.down + 27), **quiet)


def _limits(curve: Curve, words: Mapping[str, str]) -> Iterator[Layer]:
    """Dashed lines over their radii, and what they demand: behind them where there is room, else above their end."""
    unit = curve.reach / _FRAME.across
    for bound in curve.bounds:
        left, right = max(0.0, bound.first - _REACH * unit), min(curve.reach, bound.last + _REACH * unit)
        row = {"from": left, "to": right, "accuracy": 100 * bound.rule.limit, "text": _demand(bound.rule, words)}
        ends = {"x": field("from"), "x2": {"field": "to"}}
        yield layer("bound", [row], "rule", ends, color=COLOURS["ink"], strokeDash=[5, 3], strokeWidth=1.4)
        follows = right + _TEXT * unit < curve.reach
        place: dict[str, Any] = {"dx": 5, "baseline": "middle"} if follows else {"align": "right", "dy": -5}
        yield texts("limit", [row], {"x": field("to")}, **place)


def _demand(rule: RuleResult, words: Mapping[str, str]) -> str:
    return words[rule.bound].format(limit=quantity(rule.limit, "proportion"))
