"""Several audits side by side: every number of each, and how it compares with the first audit's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from efficiency360.judge.comparison import compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from efficiency360.audited import Audited
    from efficiency360.records import AxisRecord, Better, Comparison, Interval, Measurement, Param

Outcome = Literal["better", "worse", "differs", "same", "open"]
"""What a difference amounts to. `same`: two exact numbers are equal; `open`: no difference is shown, its interval
contains 0; `differs`: neither direction is better."""

_HOST = "host"
_HOW = frozenset({"threads", "dtype", "device", _HOST})
"""Params that say how a number was measured rather than which number it is."""
Key = tuple[str, frozenset[tuple[str, "Param"]]]


@dataclass(frozen=True)
class Difference:
    """How a number differs from the reference's.

    `change` is the number less the reference, in the measurement's unit, or a share of the reference where `relative`;
    `interval` covers it, None where nothing was sampled. `reference` is the reference's number.
    """

    outcome: Outcome
    change: float
    interval: Interval | None
    relative: bool
    reference: float


@dataclass(frozen=True)
class Line:
    """One measurement of all audits, in their order: what each found (None: it did not measure it).

    `params` are those that all share. `against` says how each compares with the first: a difference; as text, why
    there is none; or None for the first itself and where one of the two lacks the number.
    """

    name: str
    params: Mapping[str, Param]
    found: tuple[Measurement | None, ...]
    against: tuple[Difference | str | None, ...] = ()

    @property
    def better(self) -> Better | None:
        """Which direction is good."""
        return next(measurement.better for measurement in self.found if measurement)

    @property
    def measured(self) -> int:
        """How many audits have it."""
        return sum(measurement is not None for measurement in self.found)


class Wanted(Protocol):
    """A measurement to show: of this name with at least these params, or where several fit the `best` of them."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def params(self) -> Mapping[str, Param]:
        """What its params must hold."""

    @property
    def best(self) -> bool:
        """Whether the best value is wanted rather than the first."""


@dataclass(frozen=True)
class Sides:
    """The audits, which remember what was compared."""

    audits: tuple[Audited, ...]
    _known: dict[tuple[int, int, Key], Difference | str] = field(default_factory=dict, repr=False, compare=False)

    def difference(self, line: Line, here: int, there: int) -> Difference | str | None:
        """How the number of the audit at index `here` differs from that at `there`; None where one is missing."""
        found, reference = line.found[here], line.found[there]
        if found is None or reference is None or here == there:
            return None
        if otherwise := _measured_otherwise(found, reference):
            return otherwise
        key = here, there, _key(found)
        if key not in self._known:
            self._known[key] = self._compared(found, reference, here, there)
        return self._known[key]

    def _compared(self, found: Measurement, reference: Measurement, here: int, there: int) -> Difference | str:
        result = compare(found, self.audits[here], self.audits[there])
        return result if isinstance(result, str) else _difference(result.comparison, found, reference)


@dataclass(frozen=True)
class Table:
    """All that was measured: the lines of each axis, in the order in which the audits list them."""

    sides: Sides
    axes: Mapping[str, tuple[Line, ...]]

    def pick(self, wanted: Wanted) -> Line | None:
        """The line that fits and that most audits have; then the first, or the one where the reference is best."""
        axis = wanted.name.partition(".")[0]
        fitting = [line for line in self.axes.get(axis, ()) if _fits(line, wanted)]
        most = max((line.measured for line in fitting), default=0)
        fitting = [line for line in fitting if line.measured == most]
        if not fitting:
            return None
        return max(fitting, key=_goodness) if wanted.best else fitting[0]


def tabulate(audits: Sequence[Audited]) -> Table:
    """Set audits side by side; the first is the reference, with which all others are compared."""
    sides = Sides(tuple(audits))
    ids = dict.fromkeys(axis.id for audit in audits for axis in audit.axes)
    axes = {axis_id: tuple(_lines(sides, axis_id)) for axis_id in ids}
    return Table(sides, {axis_id: lines for axis_id, lines in axes.items() if lines})


def _lines(sides: Sides, axis_id: str) -> Iterable[Line]:
    columns = [_by_identity(audit.axis(axis_id)) for audit in sides.audits]
    for key in dict.fromkeys(key for column in columns for key in column):
        found = tuple(column.get(key) for column in columns)
        line = Line(key[0], _shared(found), found)
        against = tuple(sides.difference(line, index, 0) for index in range(len(found)))
        yield Line(line.name, line.params, found, against)


def _by_identity(axis: AxisRecord | None) -> dict[Key, Measurement]:
    """The measurements of an axis by what they are; by how they were measured too where only that tells them apart."""
    measurements = axis.measurements if axis else ()
    often = Counter(_key(measurement, _HOW) for measurement in measurements)
    return {
        _key(measurement) if often[_key(measurement, _HOW)] > 1 else _key(measurement, _HOW): measurement
        for measurement in measurements
    }


def _key(measurement: Measurement, without: frozenset[str] = frozenset()) -> Key:
    return measurement.name, frozenset(item for item in measurement.params.items() if item[0] not in without)


def _shared(found: Sequence[Measurement | None]) -> dict[str, Param]:
    first, *others = [measurement.params for measurement in found if measurement]
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def _fits(line: Line, wanted: Wanted) -> bool:
    return line.name == wanted.name and wanted.params.items() <= line.params.items()


def _goodness(line: Line) -> float:
    """The value of the first audit that has one, larger where it is better."""
    value = next(measurement.value for measurement in line.found if measurement)
    return -value if line.better == "lower" else value


def _measured_otherwise(found: Measurement, reference: Measurement) -> str:
    """How two measurements of one thing were made differently; empty if they were not. Hosts are compared elsewhere."""
    keys = sorted({*found.params, *reference.params} - {_HOST})
    other = [key for key in keys if found.params.get(key) != reference.params.get(key)]
    here, there = (", ".join(f"{key}={of.params.get(key, '-')}" for key in other) for of in (found, reference))
    return f"measured with {here}, the reference with {there}" if other else ""


def _difference(comparison: Comparison, found: Measurement, reference: Measurement) -> Difference:
    """A comparison, which tells how much worse, as a change from the reference."""
    sign = -1 if found.better == "higher" else 1
    change, interval = sign * comparison.worse_by, _signed(comparison.interval, sign)
    if found.better is None:
        change, interval = found.value - reference.value, None
    return Difference(
        outcome=_outcome(comparison, found.better),
        change=change,
        interval=interval,
        relative=comparison.relative and found.better is not None,
        reference=reference.value,
    )


def _signed(interval: Interval | None, sign: int) -> Interval | None:
    if interval is None:
        return None
    low, high = sorted((sign * interval.low, sign * interval.high))
    return interval.model_copy(update={"low": low, "high": high})


def _outcome(comparison: Comparison, better: Better | None) -> Outcome:
    interval = comparison.interval
    if interval is None and comparison.worse_by == 0:
        return "same"
    if interval is not None and interval.low <= 0 <= interval.high:
        return "open"
    if better is None:
        return "differs"
    return "worse" if comparison.worse_by > 0 else "better"
