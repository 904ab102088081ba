"""Evidence for axes: observed once, kept on disk, shared where several axes need it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.axes import Need, labels_for, make_axis
from efficiency360.engine.doubts import TOLD, replaced
from efficiency360.engine.environment import host_class, host_fingerprint, versions
from efficiency360.engine.guard import is_own
from efficiency360.engine.job import Observation
from efficiency360.engine.members import GIVEN, Mixed
from efficiency360.engine.store import Stored
from efficiency360.errors import AxisError
from efficiency360.files import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from efficiency360.axes import Axis, Labels
    from efficiency360.dataset import Dataset
    from efficiency360.engine.executors import Executor
    from efficiency360.engine.job import AuditJob
    from efficiency360.engine.store import EvidenceStore
    from efficiency360.records import DatasetRecord
    from efficiency360.samples import Sample
    from efficiency360.subject.info import SubjectInfo


@dataclass(frozen=True)
class Context:
    """What every axis of one audit shares; `seen` remembers each axis's evidence, or why there is none.

    `load_s` is how long the subject took to load; `samples` are by axis, `images` the hashes in the audit's order.
    `mixed` are members and non-members for each axis that asks for them, as far as there are any.
    """

    job: AuditJob
    executor: Executor
    info: SubjectInfo
    labels: Labels | None
    dataset: DatasetRecord | None
    store: EvidenceStore
    load_s: float
    seen: dict[str, Stored | AxisError] = field(default_factory=dict)
    samples: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    images: NDArray[np.bytes_] | None = None
    mixed: Mapping[str, Mixed] = field(default_factory=dict)

    def labels_for(self, axis: Axis) -> Labels | None:
        """The labels that this axis may use: the data's own classes are only for those that teach them."""
        return labels_for(axis, self.labels)


def observe_used(context: Context, axis_id: str) -> Stored:
    """The evidence of an axis that another one builds on, with the settings that the audit gives it."""
    spec = context.job.spec.axes.get(axis_id)
    settings = spec.settings if spec else {}
    return observe_once(context, make_axis(axis_id, settings), settings)


def evidence_beside(context: Context, axis: Axis) -> dict[str, Stored]:
    """The evidence of the axes that this one builds on, and of those that it may use or that ran, if there is any.

    Raises:
        AxisError: one that it cannot do without has none.
    """
    used = {other: observe_used(context, other) for other in axis.uses}
    for other in axis.may_use:
        with contextlib.suppress(AxisError):
            used[other] = observe_used(context, other)
    seen = {other: context.seen.get(other) for other in axis.where_ran}
    return used | {other: stored for other, stored in seen.items() if isinstance(stored, Stored)}


def prefixed(used: Mapping[str, Stored]) -> dict[str, NDArray[np.generic]]:
    """The evidence of several axes in one table, as `AXIS.NAME`."""
    return {f"{axis_id}.{name}": array for axis_id, stored in used.items() for name, array in stored.evidence.items()}


def observe_once(context: Context, axis: Axis, settings: dict[str, Any]) -> Stored:
    """Observe an axis the first time it is asked for; later its evidence, or its failure, is there already."""
    if axis.id not in context.seen:
        try:
            context.seen[axis.id] = _observe(context, axis, settings)
        except AxisError as error:
            context.seen[axis.id] = error
    seen = context.seen[axis.id]
    if isinstance(seen, AxisError):
        raise seen
    return seen


def _observe(context: Context, axis: Axis, settings: dict[str, Any]) -> Stored:
    given = _briefing(context, axis)
    depends_on = {**_depends_on(context, axis, settings), **_told(given)}
    if context.job.resume and _repeatable(context) and (found := context.store.find(axis.id, depends_on)):
        return found
    started = time.monotonic()
    starts = _start_anew(context, axis)
    mixed = context.mixed.get(axis.id)
    labels = context.labels_for(axis)
    known = labels.classes if axis.sees_labels and labels is not None else None
    asked = Observation(axis.id, settings, _data_sets(context, axis), context.job.reporter.progress, known, given)
    evidence = {**context.executor.observe(asked), **starts, **(mixed.evidence() if mixed else {})}
    if own := [name for name in replaced(evidence) if is_own(name)]:
        raise AxisError(f"the model's code replaced what measures it ({', '.join(own[:TOLD])})")
    return context.store.save(axis.id, depends_on, evidence, time.monotonic() - started)


def _briefing(context: Context, axis: Axis) -> dict[str, NDArray[np.generic]]:
    """What the axis makes of the labels, and those of members and non-members in their order."""
    labels = context.labels_for(axis)
    own = axis.briefing(labels) if labels is not None else {}
    mixed = context.mixed.get(axis.id)
    return {**own, **({GIVEN: mixed.labels.classes} if mixed else {})}


def _told(given: Mapping[str, NDArray[np.generic]]) -> dict[str, Any]:
    """What the axis made of labels and groups, as far as evidence depends on it."""
    return {"given": {name: sha256_bytes(array.tobytes()) for name, array in given.items()}} if given else {}


def _start_anew(context: Context, axis: Axis) -> dict[str, NDArray[np.generic]]:
    """Start as many new processes as the axis asks for, and note how long each took to its first answer."""
    n = axis.fresh_starts
    seconds = []
    for done in range(n):
        context.job.reporter.progress(done, n)
        seconds.append(context.executor.start_anew())
    return {"start_s": np.array([took for took in seconds if took is not None])} if n else {}


def _data_sets(context: Context, axis: Axis) -> dict[str, Dataset]:
    seen = {"data": context.job.data} if context.job.data is not None and _sees_data(axis) else {}
    more = context.job.more_data.get(axis.id, {})
    mixed = context.mixed.get(axis.id)
    return {**seen, **more, **({GIVEN: mixed.data} if mixed else {})}


def _sees_data(axis: Axis) -> bool:
    return bool((axis.needs | axis.wants) & {Need.DATA, Need.LABELS})


def _repeatable(context: Context) -> bool:
    """Whether the request tells all about the weights: a factory may load others, a module in memory may change."""
    request = context.job.request
    return context.job.module is None and (request.file is not None or request.factory_fingerprint is None)


def _depends_on(context: Context, axis: Axis, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that this evidence depends on."""
    request, info = context.job.request, context.info
    more = context.job.more_data.get(axis.id, {})
    return {
        "axis": [axis.id, axis.version, dict(settings)],
        "subject": [request.fingerprint, info.record.arch, request.factory_fingerprint or request.spec_fingerprint],
        "loading": [request.remap, request.key, request.seed, info.record.preprocess],
        "output": request.manifest.model.output,
        "claim": request.manifest.privacy.model_dump() if axis.id in context.mixed else None,
        "data": context.dataset.fingerprint if context.dataset else None,
        "more_data": {name: data.record(data.image_hashes()).fingerprint for name, data in more.items()},
        "code": request.runs_code,
        "device": [info.device, request.threads],
        "host": [host_fingerprint(), host_class()] if axis.timed else None,
        "versions": versions(),
    }
