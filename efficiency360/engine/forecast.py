"""A dry run: what an audit would do, and about how long and in how much memory, from a short probe of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.axes import axis_ids, make_axis
from efficiency360.axes.probe import BATCH
from efficiency360.engine.audit import missing_need, prepared
from efficiency360.engine.job import Observation

if TYPE_CHECKING:
    from efficiency360.engine.job import AuditJob
    from efficiency360.engine.observation import Context
    from efficiency360.records import SubjectRecord


@dataclass(frozen=True)
class Foreseen:
    """One axis: seconds and bytes as far as they can be foretold; `why_not` is set where it will not run.

    `missed` says that the audit requires it and will not have it.
    """

    axis_id: str
    missed: bool
    why_not: str | None
    seconds: float | None = None
    peak_bytes: float | None = None


@dataclass(frozen=True)
class Forecast:
    """The axes in the order in which they run; `load_s` is how long the model takes to load."""

    subject: SubjectRecord
    images: int
    load_s: float
    axes: tuple[Foreseen, ...]

    @property
    def seconds(self) -> float:
        """Of all axes that can be foretold, with loading."""
        return self.load_s + sum(axis.seconds or 0 for axis in self.axes)

    @property
    def peak_bytes(self) -> float:
        """The most of any axis."""
        return max((axis.peak_bytes or 0 for axis in self.axes), default=0)


@dataclass(frozen=True)
class _Probed:
    load_s: float
    image_s: float
    batch_s: float
    decode_s: float
    image_bytes: float
    batch_bytes: float

    def seconds(self, images: float, batch: int) -> float:
        """Of the forward passes of so many images: between the rate of single ones and that of the probe's batch."""
        each = self.image_s if batch == 1 else min(self.image_s, self.batch_s / BATCH)
        return images * each

    def peak_bytes(self, batch: int) -> float:
        each = max(0.0, self.batch_bytes - self.image_bytes) / (BATCH - 1)
        return self.image_bytes + (batch - 1) * each


def foretell(job: AuditJob, selected: frozenset[str]) -> Forecast:
    """Load the subject, look at it for a moment, and foretell every axis; nothing is kept.

    Raises:
        InputError: the subject cannot be loaded, or labels do not fit.
    """
    with prepared(job, selected) as context:
        load_s = context.load_s
        data = {} if job.data is None else {"data": job.data}
        found = context.executor.observe(Observation("probe", {}, data))
        once = {name: float(found[name][0]) for name in found}
        probed = _Probed(
            load_s,
            once["image_ms"] / 1e3,
            once["batch_ms"] / 1e3,
            once["decode_ms"] / 1e3,
            once["image_bytes"],
            once["batch_bytes"],
        )
        axes = tuple(_foreseen(context, axis_id, probed) for axis_id in axis_ids() if axis_id in selected)
        return Forecast(context.info.record, len(job.data or ()), load_s, axes)


def _foreseen(context: Context, axis_id: str, probed: _Probed) -> Foreseen:
    spec = context.job.spec.axes[axis_id]
    axis = make_axis(axis_id, spec.settings)
    there = context.job.elsewhere
    why_not = missing_need(context, axis)
    if there is not None and there.has(axis_id):
        return Foreseen(axis_id, missed=False, why_not=f"taken over from {there.folder}")
    if why_not is not None:
        return Foreseen(axis_id, spec.required, why_not)
    images = len(context.job.data or ())
    work = axis.workload(images)
    if work is None:
        return Foreseen(axis_id, missed=False, why_not=None)
    decoded = work.images if axis.needs | axis.wants else 0
    seconds = work.seconds + probed.seconds(work.images, work.batch) + decoded * probed.decode_s
    seconds += axis.fresh_starts * probed.load_s
    return Foreseen(axis_id, missed=False, why_not=None, seconds=seconds, peak_bytes=probed.peak_bytes(work.batch))
