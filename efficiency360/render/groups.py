"""Accuracy by group: the fairness axis's tables -> a row with dot and interval a group, and maps of intersections."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from efficiency360.records import AxisRecord, RuleResult, Series
    from efficiency360.records import Cell as RecordCell

AXIS, SERIES, GAPS = "fairness", "fairness.groups", "fairness.gaps"
_LIMITS = frozenset({"fairness.group_accuracy", "fairness.worst_group_accuracy"})
_AND = " x "
_PARTS = 2
_MOST = 40
_AIR = 1e-6
Row = dict[str, "RecordCell"]


@dataclass(frozen=True)
class Group:
    """A group with its accuracy and interval as proportions; one that is not `judged` is too small for it."""

    name: str
    n: int
    accuracy: float
    low: float
    high: float
    judged: bool
    limits: tuple[float, ...] = ()
    worst: bool = False


@dataclass(frozen=True)
class Gap:
    """The largest gap of an attribute's accuracies with its interval, as proportions, and its p-value."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Panel:
    """An attribute's groups, the first of many; `left_out` counts the others. `gap` is None where nothing is judged."""

    attribute: str
    groups: tuple[Group, ...]
    left_out: int
    gap: Gap | None

    @property
    def scale(self) -> tuple[float, float]:
        """The tenths between which all intervals lie."""
        low, high = min(one.low for one in self.groups), max(one.high for one in self.groups)
        return math.floor(10 * low) / 10, min(1.0, math.ceil(10 * high + _AIR) / 10)


@dataclass(frozen=True)
class Map:
    """An intersection of two attributes: a line for each group of the first, a cell for each of the second.

    A cell is None where there are no images; `best` is the highest accuracy of a judged one.
    """

    attribute: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Group | None, ...]], ...]
    best: float

    @property
    def attributes(self) -> tuple[str, str]:
        """Those that cross."""
        first, _, second = self.attribute.partition(_AND)
        return first, second


@dataclass(frozen=True)
class Groups:
    """All that is drawn of the axis."""

    panels: tuple[Panel, ...]
    maps: tuple[Map, ...]
    drawn: frozenset[str] = frozenset({SERIES})


def groups(records: Iterable[AxisRecord], results: Sequence[RuleResult]) -> Groups | None:
    """Arrange the axis's tables; None where there is none, or one that makes no sense."""
    record = next((one for one in records if one.id == AXIS), None)
    tables = {series.name: series for series in record.series} if record else {}
    rows = _rows(tables.get(SERIES))
    by_attribute: dict[str, list[Group]] = {}
    for row in rows:
        if (found := _group(row, results)) is not None:
            by_attribute.setdefault(str(row.get("attribute")), []).append(found)
    gaps = {str(row.get("attribute")): row for row in _rows(tables.get(GAPS)) if row.get("gap") == "accuracy"}
    maps = {name: drawn for name, some in by_attribute.items() if (drawn := _map(name, some)) is not None}
    panels = [_panel(name, some, gaps.get(name)) for name, some in by_attribute.items() if name not in maps]
    return Groups(tuple(panels), tuple(maps.values())) if by_attribute else None


def _rows(series: Series | None) -> list[Row]:
    if series is None:
        return []
    return [dict(zip(series.columns, cells, strict=True)) for cells in zip(*series.columns.values(), strict=True)]


def _numbers(row: Mapping[str, RecordCell], *names: str) -> list[float] | None:
    """These cells where all are proportions."""
    cells = [row.get(name) for name in names]
    numbers = [float(cell) for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]
    return numbers if len(numbers) == len(names) and all(0 <= number <= 1 for number in numbers) else None


def _group(row: Row, results: Sequence[RuleResult]) -> Group | None:
    numbers, n = _numbers(row, "low", "accuracy", "high"), row.get("n")
    if numbers is None or sorted(numbers) != numbers or not isinstance(n, int):
        return None
    low, accuracy, high = numbers
    judged, name = row.get("judged") is True, str(row.get("group"))
    limits = _limits(results, str(row.get("attribute")), name) if judged else ()
    return Group(name, n, accuracy, low, high, judged, limits)


def _limits(results: Iterable[RuleResult], attribute: str, group: str) -> tuple[float, ...]:
    mine = (
        one.limit
        for one in results
        if one.measurement in _LIMITS
        and one.bound != "no_worse_than_baseline"
        and 0 <= one.limit <= 1
        and one.params.get("attribute") == attribute
        and one.params.get("group", group) == group
    )
    return tuple(dict.fromkeys(mine))


def _panel(attribute: str, found: Sequence[Group], gap: Row | None) -> Panel:
    judged = [one for one in found if one.judged]
    worst = min(judged, key=lambda one: one.accuracy) if len(judged) > 1 else None
    marked = [replace(one, worst=one is worst) for one in found]
    return Panel(attribute, tuple(marked[:_MOST]), max(0, len(marked) - _MOST), _gap(gap))


def _gap(row: Row | None) -> Gap | None:
    numbers = _numbers(row, "value", "low", "high", "p_value") if row else None
    return Gap(*numbers) if numbers else None


def _map(attribute: str, found: Sequence[Group]) -> Map | None:
    """A map where the names of all groups have two parts."""
    names = [tuple(one.name.split(_AND)) for one in found]
    if attribute.count(_AND) != 1 or any(len(parts) != _PARTS for parts in names):
        return None
    cells = dict(zip(names, found, strict=True))
    lines = list(dict.fromkeys(first for first, _ in names))
    columns = _in_order([[second for first, second in names if first == line] for line in lines])
    best = max((one.accuracy for one in found if one.judged), default=0.0)
    shown = tuple(columns[:_MOST])
    grid = tuple((line, tuple(cells.get((line, column)) for column in shown)) for line in lines[:_MOST])
    return Map(attribute, shown, grid, best)


def _in_order(orders: Sequence[Sequence[str]]) -> list[str]:
    """All names in an order that agrees with each line's, which may lack some."""
    found: list[str] = []
    for order in sorted(orders, key=len, reverse=True):
        place = 0
        for name in order:
            if name in found:
                place = found.index(name) + 1
            else:
                found.insert(place, name)
                place += 1
    return found
