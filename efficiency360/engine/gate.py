"""Judging an audit that lies on disk, against limits and against a baseline, without the model."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from efficiency360.audited import Audited, read_audited
from efficiency360.axes import axis_type, make_axis
from efficiency360.engine.recompute import recompute
from efficiency360.errors import InputError
from efficiency360.files import is_there
from efficiency360.judge import NOT_GIVEN, Against, judge
from efficiency360.records import Caveat
from efficiency360.scorecards import scorecard_file
from efficiency360.spec import load_audit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import AxisRecord, Scorecard
    from efficiency360.spec import AuditSpec

NONE = "none"
"""What `--baseline` says where there cannot be a baseline yet."""


@dataclass(frozen=True)
class Gated:
    """A scorecard under a new judgement, the audit file that it was judged by, and what a reader must be told."""

    card: Scorecard
    spec: AuditSpec
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Baseline:
    """The audit to compare with, or none and `why`; `first` where the user says that there cannot be one."""

    audited: Audited | None = None
    first: bool = False
    why: str = NOT_GIVEN

    def against(self, here: Audited) -> Against:
        """What a verdict on `here` compares."""
        there = self.audited and with_defaults(self.audited)
        return Against(with_defaults(here), there, self.first, self.why)


def today() -> date:
    """The day of the verdict, by universal time, so that a waiver ends on one day everywhere."""
    return datetime.now(UTC).date()


def gate(
    scorecard: str | Path,
    *,
    audit: str | None = None,
    baseline: str | Path | None = None,
    again: bool | None = None,
    day: date | None = None,
) -> Gated:
    """Judge a scorecard.

    Args:
        scorecard: its file, or the folder that holds it.
        audit: the audit file to judge by (default: the one that the scorecard names).
        baseline: the scorecard to compare with, `none` for a first release (default: the one that the audit names).
        again: measure from the evidence beside the scorecard. None: as far as it is there; True: refuse where any is
            missing; False: take the numbers as they stand.
        day: the day on which waivers have to hold (default: today).

    Raises:
        InputError: bad input, or the scorecard and its evidence contradict each other.
    """
    path = Path(scorecard)
    card, found = read_audited(path)
    spec = load_audit(audit or card.audit.file)
    for axis_id in spec.axes.keys() - {axis.id for axis in card.axes}:
        axis_type(axis_id)
    notes, said = [], [] if again is not False else ["the numbers are taken as the scorecard has them (--no-recompute)"]
    if audit is None and spec.record.fingerprint != card.audit.fingerprint:
        notes.append(f"the audit '{spec.file}' is not what the scorecard was made with (edited, or --set)")
    if again is not False:
        found, said = _measured_again(card, found, path, required=again is True)
    against = find_baseline(spec, baseline, again=again)
    there = against.audited and against.audited.subject.fingerprint
    if there and there == found.subject.fingerprint:
        notes.append("the baseline is this very model")
    found = replace(found, axes=tuple(_as_asked(axis, spec) for axis in found.axes))
    judgement = judge(spec, found.axes, against=against.against(found), today=day or today())
    verdict = judgement.verdict.model_copy(update={"reasons": (*judgement.verdict.reasons, *said)})
    judgement = judgement.model_copy(update={"verdict": verdict})
    card = card.model_copy(update={"subject": found.subject, "axes": found.axes}).judged(judgement, spec.record)
    return Gated(card, spec, tuple(notes))


def with_defaults(found: Audited) -> Audited:
    """The audit with all settings of its axes, so that a default which is written out is no other setting."""
    return replace(found, axes=tuple(_with_defaults(axis) for axis in found.axes))


def _with_defaults(record: AxisRecord) -> AxisRecord:
    return record.model_copy(update={"settings": _all_settings(record.id, record.settings)})


def _all_settings(axis_id: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        axis = make_axis(axis_id, settings)
    except InputError:  # of a plugin that is not here
        return dict(settings)
    return {field.name: getattr(axis, field.name) for field in fields(cast("Any", axis))}


def _as_asked(record: AxisRecord, spec: AuditSpec) -> AxisRecord:
    """The record, in doubt where it was measured with other settings than the audit file asks for."""
    if record.status != "measured" or record.id not in spec.axes:
        return record
    asked = _all_settings(record.id, spec.axes[record.id].settings)
    had = _all_settings(record.id, record.settings)
    left_open = _of_the_data(record.id) - spec.axes[record.id].settings.keys()
    differing = sorted(key for key in (asked.keys() | had.keys()) - left_open if asked.get(key) != had.get(key))
    if not differing:
        return record
    told = ", ".join(f"{record.id}.{key} = {had.get(key)!s:.40} and not {asked.get(key)!s:.40}" for key in differing)
    caveat = Caveat(
        id=f"{record.id}.other_settings",
        severity="critical",
        text=f"It was measured with other settings than the audit file asks for: {told}.",
    )
    return record.model_copy(update={"caveats": (*record.caveats, caveat)})


def _of_the_data(axis_id: str) -> frozenset[str]:
    try:
        return axis_type(axis_id).of_the_data
    except InputError:  # of a plugin that is not here
        return frozenset()


def find_baseline(spec: AuditSpec, given: str | Path | None, *, again: bool | None = None) -> Baseline:
    """The baseline that was given, or the one that the audit file names.

    Raises:
        InputError: the one that was given is not there, or was edited.
    """
    named = spec.baseline_path
    if given is not None and str(given) == NONE:
        if named is not None and is_there(scorecard_file(named)):
            raise InputError(
                f"--baseline none: {spec.file} names a baseline, and {named} is there; leave the option out"
            )
        return Baseline(first=True, why="this is a first release (--baseline none)")
    path = Path(given) if given is not None else named
    if path is None:
        return Baseline()
    if given is None and not is_there(scorecard_file(path)):
        where = os.path.normpath(path)
        return Baseline(why=f"there is none yet at {where}, where the audit file looks for it (e360 baseline accept)")
    try:
        card, found = read_audited(path)
        if again is not False:
            found, _ = _measured_again(card, found, path, required=False)
    except InputError as error:
        raise InputError(f"baseline: {error}") from error
    return Baseline(found)


def _measured_again(card: Scorecard, found: Audited, path: Path, *, required: bool) -> tuple[Audited, list[str]]:
    done = recompute(card, found, scorecard_file(path).parent)
    if not done.unchecked:
        return done.audited, []
    reasons = dict.fromkeys(done.unchecked.values())
    told = "; ".join(f"{', '.join(a for a, why in done.unchecked.items() if why == one)}: {one}" for one in reasons)
    if required:
        raise InputError(f"{path}: not all can be measured again ({told}); bring the whole folder of the audit")
    return done.audited, [f"taken as the scorecard has it, not measured again: {told}"]
