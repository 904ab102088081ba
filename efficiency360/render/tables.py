"""The tables of a report: measurements with the rules on them, and rules with what they measured, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.records import AxisRecord, Measurement, RuleResult, Scorecard
from efficiency360.render.text import common

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LONG = 12
_SHOWN = 8
_SHOWN_RESULTS = 3
_OUTCOMES = ("fail", "inconclusive", "pass")
_SEVERITIES = ("block", "warn", "info")
Key = tuple[str, frozenset[tuple[str, object]]]
"""What a rule's result and the measurement it judged have in common: name and params."""


@dataclass(frozen=True)
class Figure:
    """A proportion with its interval and limits, each in percent of the way from 0 to 1."""

    value: float
    low: float
    high: float
    limits: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """A measurement with the results of the rules that speak of it."""

    measurement: Measurement
    rules: tuple[RuleResult, ...]

    @property
    def figure(self) -> Figure | None:
        """A dot and an interval for a proportion with an interval; None for anything else."""
        return _figure(self.measurement, [rule.limit for rule in self.rules])


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

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows."""
        return self.shown + self.folded

    @property
    def sampled(self) -> bool:
        """Whether any row states a number of samples or an interval."""
        return any(row.measurement.n is not None or row.measurement.interval for row in self.rows)

    @property
    def method(self) -> tuple[float, str] | None:
        """Level and method of the intervals where all share them."""
        intervals = [row.measurement.interval for row in self.rows]
        ways = {(interval.level, interval.method) for interval in intervals if interval}
        return ways.pop() if len(ways) == 1 else None

    @property
    def ranked(self) -> bool:
        """Whether the rows have a worst."""
        return all(row.measurement.better for row in self.rows)

    @property
    def judged(self) -> bool:
        """Whether any rule speaks of a row."""
        return any(row.rules for row in self.rows)

    @property
    def drawn(self) -> bool:
        """Whether any row has a figure."""
        return any(row.figure for row in self.rows)


@dataclass(frozen=True)
class RuleView:
    """A rule's result with the measurement it is about, as far as the scorecard has it."""

    result: RuleResult
    measurement: Measurement | None

    @property
    def unit(self) -> str:
        """The unit of what was measured; none where nothing was."""
        return self.measurement.unit if self.measurement else ""

    @property
    def figure(self) -> Figure | None:
        """As `Row.figure`."""
        found = self.measurement
        return _figure(found, [self.result.limit]) if found and self.result.measured is not None else None


@dataclass(frozen=True)
class RuleGroup:
    """All results of one rule, worst first."""

    rule: str
    shown: tuple[RuleView, ...]
    folded: tuple[RuleView, ...]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many of the folded results have which outcome, worst first."""
        outcomes = [view.result.outcome for view in self.folded]
        return [(outcome, outcomes.count(outcome)) for outcome in _OUTCOMES if outcome in outcomes]


def measurement_tables(record: AxisRecord, results: Sequence[RuleResult]) -> tuple[Table, ...]:
    """The tables of an axis: one for what has few variants, then one for each name that has many.

    Args:
        record: the axis.
        results: of all rules; those that speak of a measurement stand beside it.
    """
    rules: dict[Key, list[RuleResult]] = {}
    for result in results:
        rules.setdefault(_key(result), []).append(result)
    return tuple(_tables(record, rules))


def _tables(record: AxisRecord, rules: Mapping[Key, Sequence[RuleResult]]) -> Iterator[Table]:
    names: dict[str, list[Row]] = {}
    for measurement in record.measurements:
        names.setdefault(measurement.name, []).append(Row(measurement, tuple(rules.get(_key(measurement), ()))))
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


def rule_groups(card: Scorecard) -> tuple[RuleGroup, ...]:
    """Rules in the order of urgency: what fails first, then what is open, blocking before the rest."""
    found = [measurement for axis in card.axes for measurement in axis.measurements]
    by_name = {measurement.name: measurement for measurement in reversed(found)}
    by_key = {_key(measurement): measurement for measurement in found}
    groups: dict[str, list[RuleView]] = {}
    for result in card.verdict.rules:
        view = RuleView(result, by_key.get(_key(result), by_name.get(result.measurement)))
        groups.setdefault(result.rule, []).append(view)
    ordered = [sorted(views, key=_urgency) for views in groups.values()]
    ordered.sort(key=lambda views: _urgency(views[0]))
    return tuple(_rule_group(views) for views in ordered)


def _rule_group(views: Sequence[RuleView]) -> RuleGroup:
    shown = _SHOWN_RESULTS if len(views) > _LONG else len(views)
    return RuleGroup(views[0].result.rule, tuple(views[:shown]), tuple(views[shown:]))


def _urgency(view: RuleView) -> tuple[int, int]:
    return _OUTCOMES.index(view.result.outcome), _SEVERITIES.index(view.result.severity)


def _key(of: Measurement | RuleResult) -> Key:
    name = of.name if isinstance(of, Measurement) else of.measurement
    return name, frozenset(of.params.items())


def _figure(measurement: Measurement, limits: Sequence[float]) -> Figure | None:
    interval = measurement.interval
    if measurement.unit != "proportion" or interval is None:
        return None
    if not 0 <= interval.low <= measurement.value <= interval.high <= 1:
        return None
    inside = tuple(100 * limit for limit in dict.fromkeys(limits) if 0 <= limit <= 1)
    return Figure(100 * measurement.value, 100 * interval.low, 100 * interval.high, inside)
