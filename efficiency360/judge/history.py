"""Past audits in the order of time: what became of every axis from one release to the next.

Two neighbouring points are joined only where `compare` says that their numbers may be compared: the same version and
settings of the axis, the same data, for what is timed the same class of machine. A release without the number leaves a
gap, which nothing bridges.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from efficiency360.judge.comparing import Difference, Line, Sides
from efficiency360.records import FRAMEWORK_AXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from efficiency360.audited import Audited
    from efficiency360.records import AxisRecord, Measurement, Param, Scorecard

_HOW = frozenset({"threads", "dtype", "device", "host"})
"""Params that say how a number was measured rather than which number it is."""
_HEADLINES: Mapping[str, tuple[tuple[str, Mapping[str, Param]], ...]] = {
    "cost": (("cost.macs", {}), ("cost.weights_bytes", {})),
    "speed": (("speed.latency_ms", {"stat": "p50", "batch": 1}), ("speed.latency_ms", {"stat": "p95", "batch": 1})),
    "accuracy": (("accuracy.top1", {}), ("accuracy.balanced", {})),
    "uncertainty": (("uncertainty.ece", {"binning": "equal_mass"}), ("uncertainty.ood_auroc", {"against": "noise"})),
    "robustness": (("robustness.adversarial_accuracy", {}), ("robustness.mean_corruption_accuracy", {})),
    "privacy": (("privacy.mia_auc", {}), ("privacy.dp_accuracy", {})),
    "fairness": (("fairness.worst_group_accuracy", {}), ("fairness.accuracy_gap", {})),
    "transparency": (("transparency.deletion_gain", {}), ("transparency.insertion_gain", {})),
}
"""What stands for an axis; of several that fit, the worst in the latest release that has it, followed back in time."""
_Key = tuple[str, frozenset[tuple[str, "Param"]]]


@dataclass(frozen=True)
class Release:
    """One audit: what it is called, when it was made, and what it found."""

    name: str
    card: Scorecard
    audit: Audited

    @property
    def moment(self) -> datetime:
        """When it was audited.

        Raises:
            ValueError: the scorecard names no time.
        """
        found = datetime.fromisoformat(self.card.environment.started_at)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Point:
    """One release's number, None where it has none and `why` says why not.

    `against` is how it differs from the number before it: as text, why the two cannot be compared; None where there is
    none before it.
    """

    measurement: Measurement | None
    why: str = ""
    against: Difference | str | None = None


@dataclass(frozen=True)
class Trend:
    """A measurement over all releases; `params` are those that tell it from others of its name."""

    name: str
    params: Mapping[str, Param]
    points: tuple[Point, ...]

    @property
    def axis(self) -> str:
        """The axis that measures it."""
        return self.name.partition(".")[0]

    def joined(self, index: int) -> bool:
        """Whether a line may lead to this point from the release just before it."""
        if index == 0 or self.points[index].measurement is None or self.points[index - 1].measurement is None:
            return False
        return not isinstance(self.points[index].against, str)


@dataclass(frozen=True)
class Scores:
    """The scores of an axis over all releases, None where there is none; `same` says by the audit file of before."""

    axis: str
    points: tuple[float | None, ...]
    same: tuple[bool, ...]


@dataclass(frozen=True)
class History:
    """All releases, the oldest first, with the trends and scores of every axis that any of them measured."""

    releases: tuple[Release, ...]
    trends: tuple[Trend, ...]
    scores: tuple[Scores, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes in the order of the wheel, others after them."""
        return tuple(dict.fromkeys(trend.axis for trend in self.trends))


def history(releases: Iterable[Release]) -> History:
    """Order audits by time and follow the headline numbers of every axis through them.

    Args:
        releases: in any order; each has a time.
    """
    ordered = tuple(sorted(releases, key=lambda one: (one.moment, one.name)))
    sides = Sides(tuple(one.audit for one in ordered))
    axes = _axes(ordered)
    return History(
        ordered,
        tuple(_trend(sides, ordered, key) for axis in axes for key in _headlines(axis, ordered)),
        tuple(_scores(axis, ordered) for axis in axes),
    )


def _axes(releases: Sequence[Release]) -> list[str]:
    found = dict.fromkeys(axis.id for one in releases for axis in one.card.axes if axis.status == "measured")
    known = [axis for axis in FRAMEWORK_AXES if axis in found]
    return [*known, *(axis for axis in found if axis not in known)]


def _headlines(axis: str, releases: Sequence[Release]) -> Iterator[_Key]:
    """What to follow of an axis: its headlines, each once; of an axis without any its first number that has a side."""
    seen = set()
    for name, params in _HEADLINES.get(axis, ()):
        key = _latest(axis, name, params, releases)
        if key and key not in seen:
            seen.add(key)
            yield key
    if not seen:
        latest = (one.card.axis(axis) for one in reversed(releases))
        rows = (row for record in latest if record for row in record.measurements)
        if first := next(iter(sorted(rows, key=lambda row: (row.better is None, row.interval is None))), None):
            yield _key(first)


def _latest(axis: str, name: str, params: Mapping[str, Param], releases: Sequence[Release]) -> _Key | None:
    for release in reversed(releases):
        record = release.card.axis(axis)
        rows = [row for row in (record.measurements if record else ()) if row.name == name]
        if fitting := [row for row in rows if params.items() <= row.params.items()]:
            return _key(min(fitting, key=lambda row: row.pessimistic * (-1 if row.better == "lower" else 1)))
    return None


def _key(row: Measurement) -> _Key:
    return row.name, frozenset(item for item in row.params.items() if item[0] not in _HOW)


def _trend(sides: Sides, releases: Sequence[Release], key: _Key) -> Trend:
    axis = key[0].partition(".")[0]
    records = [one.card.axis(axis) for one in releases]
    found = tuple(_of(record, key) for record in records)
    line = Line(key[0], dict(key[1]), found)
    points: list[Point] = []
    before: int | None = None
    for index, (row, record) in enumerate(zip(found, records, strict=True)):
        if row is None:
            points.append(Point(None, _why_absent(record)))
            continue
        points.append(Point(row, against=None if before is None else sides.difference(line, index, before)))
        before = index
    return Trend(key[0], dict(sorted(key[1], key=str)), tuple(points))


def _of(record: AxisRecord | None, key: _Key) -> Measurement | None:
    return next((row for row in (record.measurements if record else ()) if _key(row) == key), None)


def _why_absent(record: AxisRecord | None) -> str:
    if record is None:
        return "the audit did not have the axis"
    return f"{record.status}: {record.reason}" if record.status != "measured" else "this number was not measured"


def _scores(axis: str, releases: Sequence[Release]) -> Scores:
    points = tuple(next((one.score for one in release.card.scores if one.axis == axis), None) for release in releases)
    audits = [release.card.audit.fingerprint for release in releases]
    return Scores(axis, points, (False, *(before == here for before, here in pairwise(audits))))
