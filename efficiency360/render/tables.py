"""The tables of a report: measurements with the rules on them, where there are many the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from efficiency360.records import AxisRecord, Measurement, RuleResult
from efficiency360.render.text import common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_LONG = 12
_SHOWN = 8
_SHOWN_OF_A_NAME = 3
_AIR, _WIDEST = 0.08, 1e9
Key = tuple[str, frozenset[tuple[str, object]]]
"""What a rule's result and the measurement it judged have in common: name and params."""


@dataclass(frozen=True)
class Figure:
    """A number with its interval and limits, each in percent of the way from one end of a scale to the other.

    The scale of a proportion is from 0 to 1; that of a change holds no change at `zero`.
    """

    value: float
    low: float
    high: float
    limits: tuple[float, ...]
    zero: float | None = None


@dataclass(frozen=True)
class Row:
    """A measurement with the results of the rules that speak of it."""

    measurement: Measurement
    rules: tuple[RuleResult, ...]

    @cached_property
    def figure(self) -> Figure | None:
        """A dot and an interval for a proportion with an interval; None for anything else."""
        return figure(self.measurement, self.rules)


@dataclass(frozen=True)
class Table:
    """Measurements of an axis. `name` is set where all share one name; then `keys` are the params that tell them apart.

    `shown` come first, worst first where the table is long; `folded` are the rest. `common` are the params that all
    measurements of the axis share, which are said above the tables.
    """

    name: str | None
    keys: tuple[str, ...]
    shown: tuple[Row, ...]
    folded: tuple[Row, ...]
    common: frozenset[str] = frozenset()

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """All rows."""
        return self.shown + self.folded

    @cached_property
    def sampled(self) -> bool:
        """Whether any row states a number of samples or an interval."""
        return any(row.measurement.n is not None or row.measurement.interval for row in self.rows)

    @cached_property
    def method(self) -> tuple[float, str] | None:
        """Level and method of the intervals where all share them."""
        intervals = [row.measurement.interval for row in self.rows]
        ways = {(interval.level, interval.method) for interval in intervals if interval}
        return ways.pop() if len(ways) == 1 else None

    @cached_property
    def ranked(self) -> bool:
        """Whether the rows have a worst."""
        return all(row.measurement.better for row in self.rows)

    @cached_property
    def judged(self) -> bool:
        """Whether any rule speaks of a row."""
        return any(row.rules for row in self.rows)

    @cached_property
    def drawn(self) -> bool:
        """Whether any row has a figure."""
        return any(row.figure for row in self.rows)


def measurement_tables(record: AxisRecord, results: Sequence[RuleResult]) -> tuple[Table, ...]:
    """The tables of an axis: one for what has few variants, then one for each name that has many.

    Args:
        record: the axis.
        results: of all rules; those that speak of a measurement stand beside it.
    """
    return tuple(_tables(record, by_measurement(results)))


def by_measurement(results: Iterable[RuleResult]) -> dict[Key, list[RuleResult]]:
    """The results of rules by what they judged (`key_of` a measurement)."""
    found: dict[Key, list[RuleResult]] = {}
    for result in results:
        found.setdefault(key_of(result), []).append(result)
    return found


def _tables(record: AxisRecord, rules: Mapping[Key, Sequence[RuleResult]]) -> Iterator[Table]:
    names: dict[str, list[Row]] = {}
    for measurement in record.measurements:
        names.setdefault(measurement.name, []).append(Row(measurement, tuple(rules.get(key_of(measurement), ()))))
    shared = frozenset(common(record.measurements))
    if few := [row for rows in names.values() if len(rows) <= _LONG for row in rows]:
        yield Table(None, (), tuple(few), (), shared)
    for name, rows in names.items():
        if len(rows) > _LONG:
            keys = sorted({key for row in rows for key in row.measurement.params} - shared)
            ordered = tuple(sorted(rows, key=_badness))
            yield Table(name, tuple(keys), ordered[:_SHOWN], ordered[_SHOWN:], shared)


def _badness(row: Row) -> tuple[float, float]:
    """Sorts the worst value first, then the worse end of the interval; keeps the order where neither way is better."""
    measurement = row.measurement
    if measurement.better is None:
        return 0.0, 0.0
    sign = 1 if measurement.better == "higher" else -1
    return sign * measurement.value, sign * measurement.pessimistic


def notable(axis: AxisRecord) -> Iterator[tuple[Measurement, str]]:
    """The measurements to show where there is little room, each with what it stands for.

    Of a name with more than three variants that is the worst and the best.
    """
    for name in dict.fromkeys(measurement.name for measurement in axis.measurements):
        same = [measurement for measurement in axis.measurements if measurement.name == name]
        if len(same) > _SHOWN_OF_A_NAME:
            sign = -1 if same[0].better == "lower" else 1
            ranked = sorted(same, key=lambda measurement: sign * measurement.pessimistic)
            yield ranked[0], f"worst of {len(same)}"
            yield ranked[-1], f"best of {len(same)}"
        else:
            yield from ((measurement, "") for measurement in same)


def key_of(of: Measurement | RuleResult) -> Key:
    """Name and params, by which results and measurements are matched."""
    name = of.name if isinstance(of, Measurement) else of.measurement
    return name, frozenset(of.params.items())


def figure(measurement: Measurement, rules: Sequence[RuleResult]) -> Figure | None:
    """A proportion on the scale from 0 to 1; None for anything else. A margin is no place on it."""
    interval = measurement.interval
    if measurement.unit != "proportion" or interval is None:
        return None
    if not 0 <= interval.low <= measurement.value <= interval.high <= 1:
        return None
    limits = [rule.limit for rule in rules if rule.bound != "no_worse_than_baseline"]
    inside = tuple(100 * limit for limit in dict.fromkeys(limits) if 0 <= limit <= 1)
    return Figure(100 * measurement.value, 100 * interval.low, 100 * interval.high, inside)


def change_figure(rule: RuleResult) -> Figure | None:
    """A change against the baseline with its margin, worse to the right; None where nothing was sampled."""
    found = rule.comparison
    if found is None or found.interval is None or not found.interval.low <= found.worse_by <= found.interval.high:
        return None
    least, most = min(0.0, found.interval.low), max(rule.limit, found.interval.high, 0.0)
    if not 0 < most - least < _WIDEST:
        return None
    margin = _AIR * (most - least)

    def at(change: float) -> float:
        return 100 * (change - least + margin) / (most - least + 2 * margin)

    return Figure(at(found.worse_by), at(found.interval.low), at(found.interval.high), (at(rule.limit),), at(0.0))
