"""The audit: observe, measure, judge, and write down, one axis at a time."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from efficiency360.audited import Audited
from efficiency360.axes import Need, axis_ids, axis_type, make_axis
from efficiency360.dataset import OtherClassesError, kept, own_labels, resolve_labels
from efficiency360.engine.doubts import beside_labels, of_foreign_code
from efficiency360.engine.environment import describe, versions
from efficiency360.engine.executors import Executor, InProcess
from efficiency360.engine.gate import today
from efficiency360.engine.grouping import check_labels
from efficiency360.engine.members import GIVEN, Mixed, mixed
from efficiency360.engine.observation import Context, evidence_beside, observe_once, prefixed
from efficiency360.engine.remote import Worker
from efficiency360.engine.store import EvidenceStore
from efficiency360.errors import AxisError, InputError
from efficiency360.files import write_atomic
from efficiency360.judge import judge
from efficiency360.records import FRAMEWORK_AXES, AxisRecord, Caveat, Scorecard
from efficiency360.spec import AuditSpec, AxisSpec, suggest
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from efficiency360.axes import Axis
    from efficiency360.dataset import Labels
    from efficiency360.engine.elsewhere import Elsewhere
    from efficiency360.engine.job import AuditJob
    from efficiency360.records import Artifact
    from efficiency360.subject.info import SubjectInfo


def select_axes(spec: AuditSpec, wanted: Sequence[str] | None) -> tuple[AuditSpec, frozenset[str]]:
    """The spec with axes that `--axes` adds, and the ids to run; what is left out stays in the spec as not measured.

    Raises:
        InputError: an axis that does not exist, in the audit file or in `wanted`, or an impossible setting.
    """
    for axis_id, axis in spec.axes.items():
        make_axis(axis_id, axis.settings)
    if wanted is None:
        return spec, frozenset(spec.axes)
    if not wanted:
        raise InputError("--axes names no axis; give some, such as --axes cost,accuracy")
    for axis_id in wanted:
        if axis_id not in axis_ids():
            raise InputError(f"--axes: no axis '{axis_id}'{suggest(axis_id, axis_ids())}")
    added = {axis_id: AxisSpec() for axis_id in wanted if axis_id not in spec.axes}
    return spec.model_copy(update={"axes": {**spec.axes, **added}}), frozenset(wanted)


def run_audit(job: AuditJob, selected: frozenset[str]) -> Scorecard:
    """Run the selected axes and write `scorecard.json` and `evidence/` into `job.out`.

    Raises:
        InputError: the subject cannot be loaded, labels do not fit, or `out` cannot be written.
    """
    with prepared(job, selected) as context:
        records = tuple(_run_axis(context, axis_id, selected) for axis_id in _listed(job.spec))
    card = _scorecard(context, records)
    write_atomic(job.out / "scorecard.json", card.model_dump_json(indent=2).encode() + b"\n")
    return card


@contextmanager
def prepared(job: AuditJob, selected: frozenset[str]) -> Iterator[Context]:
    """The subject loaded, labels resolved and images hashed; nothing is left running afterwards.

    Labels that are no classes of the model are those of the data where a selected axis teaches it such.

    Raises:
        InputError: the subject cannot be loaded, labels do not fit, or `out` cannot be written.
    """
    _check_writable(job.out)
    deadline = None if job.budget_s is None else time.monotonic() + job.budget_s
    _begin(job.out / "run.log", job)
    executor = _executor(job, deadline)
    try:
        yield _prepare(job, executor, selected)
    finally:
        executor.close()


def _executor(job: AuditJob, deadline: float | None) -> Executor:
    if job.module is not None:
        if job.strict:
            raise InputError("a module in memory is observed in this process, without isolation: strict needs a file")
        return InProcess(job.module)
    compilers = any(make_axis(axis_id, axis.settings).compiles for axis_id, axis in job.spec.axes.items())
    return Worker(job.out / "run.log", deadline=deadline, compilers=compilers, strict=job.strict, hides=job.hidden)


def _listed(spec: AuditSpec) -> list[str]:
    """The axes that the scorecard mentions: of those beside the framework only what this audit asks for."""
    return [axis_id for axis_id in axis_ids() if axis_id in FRAMEWORK_AXES or axis_id in spec.axes]


def _check_writable(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; give a folder")
    probe = out / ".e360"
    write_atomic(probe, b"")
    probe.unlink()


def _begin(log: Path, job: AuditJob) -> None:
    """Start the log anew, or go on with it, and leave no verdict of an earlier audit beside it."""
    for stale in (job.out / "scorecard.json", job.out / "report.html"):
        stale.unlink(missing_ok=True)
    for stale in () if job.resume else (job.out / "evidence").glob("*.npz"):
        stale.unlink()
    with log.open("a" if job.resume else "w", encoding="utf-8") as file:
        file.write(f"{job.command}\n{json.dumps(versions())}\n")


def _prepare(job: AuditJob, executor: Executor, selected: frozenset[str]) -> Context:
    job.reporter.stage(f"Loading {job.request.name}")
    began = time.monotonic()
    info = executor.load(job.request)
    load_s = time.monotonic() - began
    labels = dataset = images = None
    store = EvidenceStore(job.out / "evidence")
    if job.data is not None:
        labels = _labels(job, info, selected)
        check_labels(job.spec, selected, labels, info.num_classes)
        job.reporter.stage(f"Hashing {len(job.data)} images")
        hashes = job.data.image_hashes()
        artifact = store.keep_images(kept.to_bytes(job.data, hashes, labels))
        dataset = job.data.record(hashes).model_copy(update={"artifacts": (artifact,)})
        images = np.array(hashes, np.bytes_)
    mixed_in = {} if labels is not None and labels.own else _mixed(job, info)
    context = Context(job, executor, info, labels, dataset, store, load_s, images=images, mixed=mixed_in)
    context = replace(context, info=_with_behaviour(context))
    if job.elsewhere is not None:
        job.elsewhere.check_same_model(info.record)
    return context


def _labels(job: AuditJob, info: SubjectInfo, selected: frozenset[str]) -> Labels | None:
    """The labels as the model's classes; as the data's own where they are none of these and an axis teaches them."""
    assert job.data is not None  # noqa: S101 - only called where there are data
    try:
        return resolve_labels(job.data, num_classes=info.num_classes, names=info.class_names)
    except OtherClassesError:
        if not any(make_axis(one, job.spec.axes[one].settings).own_classes for one in selected):
            raise
        return own_labels(job.data, info.num_classes)


def _mixed(job: AuditJob, info: SubjectInfo) -> dict[str, Mixed]:
    """Members and non-members for the axes that ask for them."""
    found = {}
    for axis_id, spec in job.spec.axes.items():
        axis = make_axis(axis_id, spec.settings)
        if Need.MEMBERS in axis.needs | axis.wants:
            given = job.more_data.get(axis_id, {}).get(GIVEN)
            found[axis_id] = mixed(job.data, given, info, job.request.manifest.privacy, seed=job.request.seed)
    return {axis_id: one for axis_id, one in found.items() if one is not None}


def _with_behaviour(context: Context) -> SubjectInfo:
    """The subject's record with caveats on how it answers when it is asked again."""
    context.job.reporter.stage(f"Asking {context.job.request.name} twice")
    axis = make_axis("behaviour", {})
    artifacts: tuple[Artifact, ...] = ()
    try:
        stored = observe_once(context, axis, {})
        caveats, artifacts = axis.measure(stored.evidence, None).caveats, (stored.artifact,)
    except (AxisError, ValueError, LookupError, TypeError) as error:
        text = f"How it behaves when it is asked again could not be found out: {error}."
        caveats = (Caveat(id="subject.behaviour_unknown", severity="critical", text=text),)
    record = context.info.record
    told_of = (*record.caveats, *caveats, *_gaps(context.executor))
    record = record.model_copy(update={"caveats": told_of, "artifacts": artifacts})
    return context.info.model_copy(update={"record": record})


def _gaps(executor: Executor) -> Iterator[Caveat]:
    """What the wall around the model lacks on this machine."""
    if executor.missing:
        text = f"Its process was not fully confined: this machine does not give {', '.join(executor.missing)}."
        yield Caveat(id="subject.wall_incomplete", severity="warning", text=text)


def _run_axis(context: Context, axis_id: str, selected: frozenset[str]) -> AxisRecord:
    spec = context.job.spec.axes.get(axis_id)
    if spec is None or axis_id not in selected:
        reason = "it is not part of this audit" if spec is None else "it was left out by --axes"
        return AxisRecord(id=axis_id, version=_version(axis_id), status="skipped", reason=reason)
    reporter = context.job.reporter
    axis = make_axis(axis_id, spec.settings)
    reporter.axis(axis_id, still=axis.timed)
    there = context.job.elsewhere
    if there is not None and there.has(axis_id):
        record = _taken_over(context, there, axis, spec.settings)
    else:
        record = _measured(context, axis, spec.settings)
    reporter.finished(record)
    return record


def _version(axis_id: str) -> int:
    """An axis's version; 0 where its plugin does not load, which is no matter for an axis that is left out."""
    try:
        return axis_type(axis_id).version
    except InputError:
        return 0


def _taken_over(context: Context, there: Elsewhere, axis: Axis, settings: dict[str, Any]) -> AxisRecord:
    """Measure an axis from evidence that another machine observed, and name that machine in every number.

    Raises:
        InputError: the evidence is not what the scorecard beside it says, or belongs to other settings or data.
    """
    if (failed := there.failed_record(axis.id)) is not None:
        return failed
    found = there.found(axis, settings)
    context.seen[axis.id] = context.store.adopt(axis.id, found.evidence, found.seconds, found.data)
    same_data = there.same_data(context.dataset, context.job.request.seed)
    if axis.needs & {Need.DATA, Need.LABELS} and not same_data:
        raise InputError(f"--with: {axis.id} was measured there on other data, or with another --seed or --limit")
    beside = context if same_data else replace(context, labels=None)
    return there.signed(_measured(beside, axis, settings))


def _measured(context: Context, axis: Axis, settings: dict[str, Any]) -> AxisRecord:
    """Observe, store and measure one axis; a failure becomes its record."""

    def ended(status: str, reason: str) -> AxisRecord:
        return AxisRecord.model_validate(
            {"id": axis.id, "version": axis.version, "status": status, "reason": reason, "settings": settings}
        )

    if missing := missing_need(context, axis):
        return ended("skipped", missing)
    try:
        stored = observe_once(context, axis, settings)
        used = evidence_beside(context, axis)
        findings = axis.measure({**stored.evidence, **prefixed(used)}, context.labels_for(axis))
    except AxisError as error:
        return ended("failed", str(error))
    except (ValidationError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        return ended("failed", f"the evidence does not make sense ({told(error)})")
    samples = (context.store.keep_samples(axis.id, findings.samples),) if findings.samples else ()
    context.samples[axis.id] = findings.samples
    return AxisRecord(
        id=axis.id,
        version=axis.version,
        status="measured",
        seconds=None if stored.seconds is None else round(stored.seconds, 3),
        settings=settings,
        measurements=findings.measurements,
        series=findings.series,
        artifacts=(stored.artifact, *(other.artifact for other in used.values()), *samples),
        caveats=(
            *findings.caveats,
            *beside_labels(context.info.record, axis),
            *of_foreign_code(stored.evidence, runs_code=context.job.request.runs_code),
        ),
    )


def missing_need(context: Context, axis: Axis) -> str | None:
    """Why an axis cannot be observed; None where it can."""
    data = context.job.data
    if data is None and axis.needs & {Need.DATA, Need.LABELS, Need.GROUPS}:
        return "no data was given (--data)"
    if Need.LABELS in axis.needs and context.labels_for(axis) is None:
        own = context.labels is not None
        return "the labels are not classes of the model" if own else "the data has no labels"
    if Need.GROUPS in axis.needs and data is not None and not data.columns:
        return "the data has no group columns"
    if Need.GRADIENTS in axis.needs and not context.info.differentiable:
        return "the subject gives no gradients"
    return "no member data was given" if Need.MEMBERS in axis.needs and axis.id not in context.mixed else None


def _scorecard(context: Context, records: tuple[AxisRecord, ...]) -> Scorecard:
    job = context.job
    environment = describe(
        device=context.info.device,
        threads=job.request.threads,
        seed=job.request.seed,
        isolation=context.executor.isolation,
    )
    here = Audited(context.info.record, context.dataset, environment, records, context.samples, context.images)
    judgement = judge(job.spec, records, against=job.baseline.against(here), today=today())
    return Scorecard(
        subject=context.info.record,
        dataset=context.dataset,
        environment=environment,
        audit=job.spec.record,
        command=job.command,
        axes=records,
        scores=judgement.scores,
        overall=judgement.overall,
        coverage=judgement.coverage,
        verdict=judgement.verdict,
        business=judgement.business,
    )
