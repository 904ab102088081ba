"""Timed stretches as evidence: checked against the auditor's own clock, and against what else the machine was doing.

Evidence of a timed axis: `ms` (R,) milliseconds of each run and `of` (R,) the stretch that it belongs to; what the axis
says of each stretch, `stretch_NAME` (S,); two marks of the auditor around each stretch (see `engine.host`);
`processors` and `device` (1,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.records import Caveat
from efficiency360.statistics import timing
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence

DRIFT = 0.05
"""The share by which the median of one model was seen to change between audits of one shared machine, and more."""
_PRECISION = 0.01
_SLACK_S = 0.01
_ACCOUNTED = {"cpu": 0.75}  # the rest of a stretch is the loop around the runs; elsewhere synchronisation is in it too
_ACCOUNTED_ELSEWHERE = 0.4
_TOLD = 0.05
_STOLEN = 0.02
_TREND_P, _RISE = 0.01, 1.1
_TAIL, _TAIL_SHARE, _TAIL_RUNS = 2.0, 0.005, 3
_DRIFT = 0.15


@dataclass(frozen=True)
class Stretches:
    """Runs (R,) in milliseconds and the stretch (R,) of each, and what the auditor noted around the stretches."""

    ms: NDArray[np.float64]
    of: NDArray[np.int64]
    count: int
    evidence: Evidence

    @classmethod
    def read(cls, evidence: Evidence) -> Stretches:
        """Take the timings out of evidence.

        Raises:
            AxisError: they are no durations, or do not fit the auditor's clock.
        """
        ms, of = evidence["ms"].astype(np.float64), evidence["of"].astype(np.int64)
        count = len(evidence["mark.left_s"]) // 2
        if ms.ndim != 1 or ms.shape != of.shape or not len(ms) or not (np.isfinite(ms) & (ms > 0)).all():
            raise AxisError("the timings are not durations")
        named = {len(values) for name, values in evidence.items() if name.startswith("stretch_")}
        if not np.array_equal(np.unique(of), np.arange(count)) or named != {count}:
            raise AxisError("the timings do not belong to the stretches that were timed")
        stretches = cls(ms, of, count, evidence)
        stretches._check_clock()
        return stretches

    @property
    def outside_s(self) -> NDArray[np.float64]:
        """Seconds of each stretch (S,) by the auditor's clock."""
        return _between(self.evidence["mark.left_s"], self.evidence["mark.arrived_s"])

    def during(self, reading: str) -> NDArray[np.float64] | None:
        """How much a reading grew in each stretch (S,); None where the machine has no such sensor."""
        values = self.evidence.get(f"mark.{reading}")
        return None if values is None else _between(values, values)

    def chosen(self, stretches: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The runs of some stretches, given as a mask (S,), and the stretch of each."""
        runs = stretches[self.of]
        return self.ms[runs], self.of[runs]

    def _check_clock(self) -> None:
        inside = np.bincount(self.of, weights=self.ms) / 1e3
        outside = self.outside_s
        accounted = _ACCOUNTED.get(str(self.evidence["device"][0]), _ACCOUNTED_ELSEWHERE)
        if (
            inside > outside * (1 + _PRECISION) + _SLACK_S
        ).any() or inside.sum() < accounted * outside.sum() - _SLACK_S:
            raise AxisError(
                f"the model's process reports {inside.sum():.3g} s of runs in {outside.sum():.3g} s by the auditor's"
                " clock: its clock cannot be trusted"
            )


def _between(starts: NDArray[np.generic], ends: NDArray[np.generic]) -> NDArray[np.float64]:
    """From each first mark of a pair to its second."""
    grown: NDArray[np.float64] = ends[1::2].astype(np.float64) - starts[::2].astype(np.float64)
    return grown


def interference(stretches: Stretches, axis_id: str) -> Iterator[Caveat]:
    """Say what else kept the machine busy while it was timed."""
    elapsed = float(stretches.outside_s.sum())
    found = []
    processors = int(stretches.evidence["processors"][0])
    stolen, busy, own, waited = (stretches.during(name) for name in ("steal_s", "busy_s", "worker_s", "waited_s"))
    if stolen is not None and (share := float(stolen.sum()) / (elapsed * processors)) > _STOLEN:
        found.append(f"the host took {share:.0%} of the processors for other machines (steal time)")
    if busy is not None and own is not None:
        share = float((busy - own).sum()) / (elapsed * processors)
        if share > _TOLD:
            found.append(f"other processes used {share:.0%} of the processors")
    if waited is not None and (share := float(waited.sum()) / elapsed) > _TOLD:
        found.append(f"the model waited {share:.0%} of the time for a processor")
    if found:
        text = f"While this was timed {', '.join(found)}. On a quiet machine it may be faster."
        yield Caveat(id=f"{axis_id}.interference", severity="warning", text=text)
    mhz = stretches.evidence.get("mark.mhz")
    if mhz is not None and mhz.max() > (1 + _TOLD) * mhz.min():
        text = f"The processor's frequency went between {mhz.min():.0f} and {mhz.max():.0f} MHz meanwhile."
        yield Caveat(id=f"{axis_id}.frequency", severity="warning", text=text)


def unsteadiness(ms: NDArray[np.float64], of: NDArray[np.int64], axis_id: str) -> Iterator[Caveat]:
    """Say where runs get slower and slower, where a few take far longer, and where stretches differ."""
    middles = np.array([np.median(ms[of == stretch]) for stretch in np.unique(of)])
    tau, p = timing.trend(middles)
    third = max(1, len(middles) // 3)
    rise = float(np.median(middles[-third:]) / np.median(middles[:third]))
    if tau > 0 and p < _TREND_P and rise > _RISE:
        text = (
            f"It got slower as it ran: by {rise - 1:.0%} from the first third to the last. The model keeps something,"
            " or the machine throttles; the figures are those of the first seconds."
        )
        yield Caveat(id=f"{axis_id}.slowing", severity="warning", text=text)
    elif len(middles) > 1 and (reach := float(np.ptp(middles) / np.median(middles))) > _DRIFT:
        text = f"The machine is unsteady: the median of a stretch varied by {reach:.0%}; the intervals allow for it."
        yield Caveat(id=f"{axis_id}.unsteady", severity="warning", text=text)
    median = float(np.median(ms))
    late = ms > _TAIL * median
    if late.sum() >= _TAIL_RUNS and late.mean() >= _TAIL_SHARE:
        text = (
            f"{late.mean():.1%} of the runs took more than twice the median of {quantity(median, 'ms')}:"
            f" {quantity(float(np.median(ms[late])), 'ms')} in the middle, {quantity(float(ms.max()), 'ms')} at most."
        )
        yield Caveat(id=f"{axis_id}.long_tail", severity="warning", text=text)
