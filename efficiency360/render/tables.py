"""The tables of a report: measurements with the rules on them, and rules with what they measured, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.records import AxisRecord, Measurement, RuleResult, Scorecard
from efficiency360.render.text import common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_LONG = 12
_SHOWN = 8
_SHOWN_RESULTS = 3
_SHOWN_OF_A_NAME = 3
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
        return _figure(self.measurement, self.rules)


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
        return _figure(found, [self.result]) if found and self.result.measured is not None else None


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


def rule_views(card: Scorecard) -> tuple[RuleView, ...]:
    """All results in the order of the verdict, each with the measurement that it is about."""
    found = [measurement for axis in card.axes for measurement in axis.measurements]
    by_name = {measurement.name: measurement for measurement in reversed(found)}
    by_key = {key_of(measurement): measurement for measurement in found}
    return tuple(
        RuleView(result, by_key.get(key_of(result), by_name.get(result.measurement))) for result in card.verdict.rules
    )


def by_urgency(views: Iterable[RuleView]) -> list[RuleView]:
    """What fails first, then what is open, blocking before the rest; otherwise in the order given."""
    return sorted(views, key=_urgency)


def rule_groups(card: Scorecard) -> tuple[RuleGroup, ...]:
    """Rules in the order of urgency."""
    groups: dict[str, list[RuleView]] = {}
    for view in rule_views(card):
        groups.setdefault(view.result.rule, []).append(view)
    ordered = [by_urgency(views) for views in groups.values()]
    ordered.sort(key=lambda views: _urgency(views[0]))
    return tuple(_rule_group(views) for views in ordered)


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


def _rule_group(views: Sequence[RuleView]) -> RuleGroup:
    shown = _SHOWN_RESULTS if len(views) > _LONG else len(views)
    return RuleGroup(views[0].result.rule, tuple(views[:shown]), tuple(views[shown:]))


def _urgency(view: RuleView) -> tuple[int, int]:
    return _OUTCOMES.index(view.result.outcome), _SEVERITIES.index(view.result.severity)


def key_of(of: Measurement | RuleResult) -> Key:
    """Name and params, by which results and measurements are matched."""
    name = of.name if isinstance(of, Measurement) else of.measurement
    return name, frozenset(of.params.items())


def _figure(measurement: Measurement, rules: Sequence[RuleResult]) -> Figure | None:
    """A margin is no place on the scale of the number, so it is not drawn."""
    interval = measurement.interval
    if measurement.unit != "proportion" or interval is None:
        return None
    if not 0 <= interval.low <= measurement.value <= interval.high <= 1:
        return None
    limits = [rule.limit for rule in rules if rule.bound != "no_worse_than_baseline"]
    inside = tuple(100 * limit for limit in dict.fromkeys(limits) if 0 <= limit <= 1)
    return Figure(100 * measurement.value, 100 * interval.low, 100 * interval.high, inside)
