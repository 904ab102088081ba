"""Measuring again from the hashed evidence beside a scorecard: what was edited shows, and the verdict rests on it.

Nothing here imports torch: `measure` is a pure function of the evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from efficiency360.audited import IMAGES, Audited, evidence_bytes
from efficiency360.axes import Need, labels_for, make_axis
from efficiency360.dataset import kept
from efficiency360.engine import origin
from efficiency360.engine.doubts import beside_labels, of_foreign_code
from efficiency360.errors import AxisError, InputError
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.axes import Axis, Labels
    from efficiency360.engine.origin import Evidence
    from efficiency360.records import Artifact, AxisRecord, Caveat, Findings, Measurement, Scorecard, SubjectRecord
    from efficiency360.samples import Sample

_CLOSE = 1e-6
_TOLD = 3
_EDITED = "it was edited: audit the model again"
_UNCHECKED = "its evidence is not beside the scorecard"


@dataclass(frozen=True)
class Recomputed:
    """The audit with the numbers of its evidence; `unchecked` says of each other axis why it was taken as it stands."""

    audited: Audited
    unchecked: Mapping[str, str]


def recompute(card: Scorecard, found: Audited, folder: Path) -> Recomputed:
    """Measure every axis again whose evidence lies beside the scorecard; `found` is what was read with it.

    Raises:
        InputError: the evidence is not what the scorecard names, is of another model, data, version or settings, or
            gives other numbers: somebody edited one of the two.
    """
    subject = _asked_again(card, folder)
    labels = _labels(card, folder)
    axes, samples, unchecked = [], dict(found.samples), {}
    for record in card.axes:
        again = _Again(card.model_copy(update={"subject": subject}), record, folder, labels)
        if record.status != "measured":
            axes.append(record)
        elif why := again.why_not():
            unchecked[record.id] = why
            axes.append(record)
        else:
            findings = again.findings()
            axes.append(_agreed(record, findings, folder))
            samples[record.id] = findings.samples
    _check_samples(axes, [one for some in samples.values() for one in some], folder)
    return Recomputed(replace(found, subject=subject, axes=tuple(axes), samples=samples), unchecked)


def _labels(card: Scorecard, folder: Path) -> Labels | None:
    """The labels beside the scorecard; None where there are none.

    Raises:
        InputError: they are not those of the scorecard's data.
    """
    for artifact in card.dataset.artifacts if card.dataset else ():
        if artifact.kind == IMAGES and (data := evidence_bytes(artifact, folder)) is not None:
            try:
                found = kept.from_bytes(data)
            except ValueError as error:
                raise InputError(f"{folder / artifact.path}: {error}") from error
            if card.dataset and found.fingerprint != card.dataset.fingerprint:
                raise InputError(f"{folder / artifact.path}: not the scorecard's images or labels; {_EDITED}")
            return found.labels
    return None


def _asked_again(card: Scorecard, folder: Path) -> SubjectRecord:
    """The subject with all caveats on how it answers when it is asked again, also those that were taken out.

    Raises:
        InputError: the evidence is of another model.
    """
    subject = card.subject
    for artifact in subject.artifacts:
        if (data := evidence_bytes(artifact, folder)) is not None:
            evidence = origin.read(data, "behaviour", folder)
            axis = make_axis("behaviour", {})
            if evidence.about is None or evidence.about["subject"][:2] != [subject.fingerprint, subject.arch]:
                raise InputError(f"{folder}: how the model answers was observed of another model; {_EDITED}")
            caveats = _measure(axis, evidence.arrays, None, folder).caveats
            return subject.model_copy(update={"caveats": _joined(subject.caveats, caveats)})
    return subject


def _measure(axis: Axis, evidence: Mapping[str, NDArray[np.generic]], labels: Labels | None, folder: Path) -> Findings:
    try:
        return axis.measure(evidence, labels)
    except (AxisError, ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise InputError(f"{folder}: the evidence of {axis.id} cannot be measured: {told(error)}") from error


def _joined(first: tuple[Caveat, ...], more: tuple[Caveat, ...]) -> tuple[Caveat, ...]:
    return tuple(dict.fromkeys((*first, *more)))


class _Again:
    """One axis, to be measured again."""

    def __init__(self, card: Scorecard, record: AxisRecord, folder: Path, labels: Labels | None) -> None:
        self._card, self._record, self._folder, self._labels = card, record, folder, labels
        self._named = [artifact for artifact in record.artifacts if artifact.kind == "evidence"]

    def why_not(self) -> str:
        """Why it cannot be; empty where it can.

        Raises:
            InputError: it names no evidence, or no labels though it needs some, as no audit leaves it.
        """
        if _of(self._record.id) not in {artifact.path for artifact in self._named}:
            raise InputError(
                f"{self._folder}: the scorecard names no evidence for {self._record.id}, as every measured axis does;"
                f" {_EDITED}"
            )
        self._evidence = dict(self._read())
        if len(self._evidence) < len(self._named):
            return _UNCHECKED
        if any(evidence.about is None for evidence in self._evidence.values()):
            return "its evidence is too old to say what it is of"
        self._axis = self._made()
        self._labels = labels_for(self._axis, self._labels)
        if self._axis.needs & {Need.LABELS, Need.GROUPS} and self._labels is None:
            return self._without_labels()
        if not self._card.subject.artifacts and not self._odd:
            raise InputError(f"{self._folder}: the scorecard names no evidence of how the model answers; {_EDITED}")
        return ""

    def findings(self) -> Findings:
        """Measure, with the doubts that the engine adds.

        Raises:
            InputError: what is there cannot be measured, or is of something else than the scorecard says.
        """
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, evidence in self._evidence.items():
            origin.check(evidence, name, self._record, self._card, self._folder)
            prefix = "" if name == self._axis.id else f"{name}."
            arrays |= {f"{prefix}{key}": array for key, array in evidence.arrays.items()}
        own = self._evidence[self._axis.id]
        found = _measure(self._axis, arrays, self._labels if self._is_of_these_data(own) else None, self._folder)
        doubts = (
            *beside_labels(self._card.subject, self._axis),
            *of_foreign_code(own.arrays, runs_code=own.runs_code),
        )
        return found.model_copy(update={"caveats": _joined(found.caveats, doubts)})

    @property
    def _odd(self) -> bool:
        """Whether the subject could not be asked again, so that there is no evidence of it."""
        return any(caveat.id == "subject.behaviour_unknown" for caveat in self._card.subject.caveats)

    def _read(self) -> Iterator[tuple[str, Evidence]]:
        for artifact in self._named:
            if (data := evidence_bytes(artifact, self._folder)) is not None:
                name = artifact.path.removeprefix("evidence/").removesuffix(".npz")
                yield name, origin.read(data, name, self._folder)

    def _made(self) -> Axis:
        axis = make_axis(self._record.id, self._record.settings)
        if axis.version != self._record.version:
            raise InputError(
                f"{self._folder}: {axis.id} was measured by version {self._record.version} of the axis, this e360 has"
                f" {axis.version}; audit the model again, or judge the numbers as they stand with --no-recompute"
            )
        return axis

    def _without_labels(self) -> str:
        if self._card.dataset is None or not _named_images(self._card.dataset.artifacts):
            raise InputError(f"{self._folder}: the scorecard names no labels for {self._record.id}; {_EDITED}")
        return "the labels are not beside the scorecard"

    def _is_of_these_data(self, evidence: Evidence) -> bool:
        """Evidence from elsewhere may be of other data, whose labels are not here."""
        data = self._card.dataset.fingerprint if self._card.dataset else None
        return evidence.about is not None and evidence.about["data"] == data


def _of(axis_id: str) -> str:
    return f"evidence/{axis_id}.npz"


def _named_images(artifacts: Sequence[Artifact]) -> bool:
    return any(artifact.kind == IMAGES for artifact in artifacts)


def _agreed(record: AxisRecord, findings: Findings, folder: Path) -> AxisRecord:
    """The record with what its evidence gives.

    Raises:
        InputError: its own numbers are others.
    """
    again = {_key(one): one for one in findings.measurements}
    before = {_key(one): one for one in record.measurements}
    differing = [f"{one.label}: {why}" for key, one in before.items() if (why := _difference(one, again.get(key)))]
    differing += [f"{one.label} is missing" for key, one in again.items() if key not in before]
    if differing or len(before) < len(record.measurements):
        told_of = "; ".join(differing[:_TOLD]) + ("; ..." if len(differing) > _TOLD else "")
        raise InputError(
            f"{folder}: the scorecard does not say what its evidence says ({told_of or 'a number stands there twice'});"
            " it was edited, or made by another version of e360: audit the model again"
        )
    measurements = tuple(again[_key(one)].model_copy(update={"params": one.params}) for one in record.measurements)
    caveats = _joined(record.caveats, findings.caveats)
    return record.model_copy(update={"measurements": measurements, "caveats": caveats, "series": findings.series})


def _key(measurement: Measurement | Sample) -> tuple[object, ...]:
    """Name and params, each with its type, without the machine that evidence from elsewhere is signed with."""
    params = {(key, type(value), value) for key, value in measurement.params.items() if key != "host"}
    return measurement.name, frozenset(params)


def _difference(one: Measurement, other: Measurement | None) -> str:
    """In what a number differs from the one measured again; empty where it does not."""
    if other is None:
        return "measured again there is none"
    for what in ("unit", "better", "n"):
        if getattr(one, what) != getattr(other, what):
            return f"{what} is {getattr(one, what)}, measured again {getattr(other, what)}"
    if not _close(one.value, other.value):
        return f"{one.value:.6g}, measured again {other.value:.6g}"
    mine, theirs = one.interval, other.interval
    if mine and theirs and mine.method == theirs.method:
        ends = zip((mine.low, mine.high, mine.level), (theirs.low, theirs.high, theirs.level), strict=True)
        return "" if all(_close(a, b) for a, b in ends) else "another interval, measured again"
    return "" if mine is theirs is None else "another interval, measured again"


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE**2)


def _check_samples(axes: Sequence[AxisRecord], samples: Sequence[Sample], folder: Path) -> None:
    """Refuse samples that make another number than the scorecard has.

    Raises:
        InputError: naming it.
    """
    numbers = {_key(one): one for axis in axes for one in axis.measurements}
    for sample in samples:
        number = numbers.get(_key(sample))
        if number is None or not sample.makes(number.value, number.n):
            said = f"{number.value:.6g} of {number.n}" if number else "not there"
            raise InputError(
                f"{folder}: {sample.name} is {said} in the scorecard, its samples make it {sample.value:.6g} of"
                f" {len(sample.values)}; {_EDITED}"
            )
