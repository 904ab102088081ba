"""From measurements to points: axes 0-100, the overall range, and grades."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.judge.matching import matching
from efficiency360.records import FRAMEWORK_AXES, AxisRecord, AxisScore, Grade, Measurement, Overall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.spec import AuditSpec, ScoreSpec

_GRADES: tuple[tuple[float, Grade], ...] = ((90, "A"), (75, "B"), (60, "C"), (40, "D"), (0, "E"))


@dataclass(frozen=True)
class ScoreRange:
    """An axis's points: what is unmeasured counts 0 at `low`, 100 at `high`; `scored` is False where all of it is."""

    axis: str
    low: float
    high: float
    scored: bool

    @property
    def record(self) -> AxisScore:
        """How the scorecard shows it: the low end, or nothing."""
        if not self.scored:
            return AxisScore(axis=self.axis)
        return AxisScore(axis=self.axis, score=self.low, grade=grade(self.low))


def grade(points: float) -> Grade:
    """A from 90, B from 75, C from 60, D from 40, else E."""
    return next(letter for floor, letter in _GRADES if points >= floor)


def points(spec: ScoreSpec, value: float) -> float:
    """Points 0-100 of a value between the anchors, clipped outside them."""
    if spec.scale == "log":
        if value <= 0:
            return 0.0 if spec.full > spec.zero else 100.0
        zero, full = math.log(spec.zero), math.log(spec.full)
        share = (math.log(value) - zero) / (full - zero)
    else:
        share = (value - spec.zero) / (spec.full - spec.zero)
    return 100.0 * min(1.0, max(0.0, share))


def score_axes(spec: AuditSpec, axes: Sequence[AxisRecord]) -> list[ScoreRange]:
    """The points of every axis, in the order given."""
    return [_score_axis(spec, axis) for axis in axes]


def _score_axis(spec: AuditSpec, axis: AxisRecord) -> ScoreRange:
    entries = [entry for entry in spec.scores if entry.measurement.split(".")[0] == axis.id]
    if axis.status != "measured" or not entries:
        return ScoreRange(axis.id, 0.0, 100.0, scored=False)
    low = high = total = 0.0
    scored = False
    for entry in entries:
        found = matching([axis], entry.measurement, entry.params)
        worst = min((_pessimistic_points(entry, measurement) for measurement in found), default=None)
        low += entry.weight * (0.0 if worst is None else worst)
        high += entry.weight * (100.0 if worst is None else worst)
        total += entry.weight
        scored = scored or worst is not None
    return ScoreRange(axis.id, _tenths(low / total), _tenths(high / total), scored)


def _pessimistic_points(spec: ScoreSpec, measurement: Measurement) -> float:
    """The points of the end of the interval that earns fewer."""
    interval = measurement.interval
    ends = (interval.low, interval.high) if interval else (measurement.value,)
    return min(points(spec, end) for end in ends)


def overall_score(ranges: Sequence[ScoreRange]) -> Overall:
    """The mean over all axes of the framework, all of one weight; axes from elsewhere have a score of their own only.

    Neither an audit file nor an installed plugin can change which axes count, so leaving one out can only lower the
    low end.
    """
    counted = [score for score in ranges if score.axis in FRAMEWORK_AXES]
    absent = len(FRAMEWORK_AXES) - len(counted)
    low = _tenths(sum(score.low for score in counted) / len(FRAMEWORK_AXES))
    high = _tenths((sum(score.high for score in counted) + 100.0 * absent) / len(FRAMEWORK_AXES))
    return Overall(low=low, high=high, grade=grade(low))


def _tenths(value: float) -> float:
    """Rounded down to one decimal, so that what is shown never promises a better grade than was earned."""
    return math.floor(round(10 * value, 6)) / 10
