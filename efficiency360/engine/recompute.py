"""Measuring again from the hashed evidence beside a scorecard: what was edited shows, and the verdict rests on it.

Nothing here imports torch: `measure` is a pure function of the evidence.
"""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from efficiency360.arrays import load_arrays
from efficiency360.audited import IMAGES, Audited, audited, evidence_bytes
from efficiency360.axes import Need, make_axis
from efficiency360.dataset import kept
from efficiency360.engine.store import ABOUT, KEY
from efficiency360.errors import AxisError, InputError
from efficiency360.files import canonical_json, sha256_bytes
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.axes import Axis, Labels
    from efficiency360.records import AxisRecord, Findings, Measurement, Scorecard

_CLOSE = 1e-6
_TOLD = 3


@dataclass(frozen=True)
class Recomputed:
    """The audit with the numbers of its evidence; `unchecked` says of each other axis why it was taken as it stands."""

    audited: Audited
    unchecked: Mapping[str, str]


def recompute(card: Scorecard, folder: Path) -> Recomputed:
    """Measure every axis again whose evidence lies beside the scorecard.

    Raises:
        InputError: the evidence is not what the scorecard names, is of another model, data, version or settings, or
            gives other numbers: somebody edited one of the two.
    """
    labels = _labels(card, folder)
    found = audited(card, folder)
    axes, samples, unchecked = [], dict(found.samples), {}
    for record in card.axes:
        if record.status != "measured":
            axes.append(record)
            continue
        again = _Again(card, record, folder, labels)
        if why := again.why_not():
            unchecked[record.id] = why
            axes.append(record)
            continue
        findings = again.findings()
        axes.append(_agreed(record, findings, folder))
        samples[record.id] = findings.samples
    _check_samples(axes, samples, folder)
    return Recomputed(replace(found, axes=tuple(axes), samples=samples), unchecked)


def _labels(card: Scorecard, folder: Path) -> Labels | None:
    for artifact in card.dataset.artifacts if card.dataset else ():
        if artifact.kind == IMAGES and (data := evidence_bytes(artifact, folder)) is not None:
            try:
                return kept.labels_of(data)
            except ValueError as error:
                raise InputError(f"{folder / artifact.path}: {error}") from error
    return None


class _Again:
    """One axis, to be measured again."""

    def __init__(self, card: Scorecard, record: AxisRecord, folder: Path, labels: Labels | None) -> None:
        self._card, self._record, self._folder, self._labels = card, record, folder, labels
        self._bytes = {
            artifact.path: evidence_bytes(artifact, folder)
            for artifact in record.artifacts
            if artifact.kind == "evidence"
        }

    def why_not(self) -> str:
        """Why it cannot be; empty where it can.

        Raises:
            InputError: it was measured, but from no evidence.
        """
        if f"evidence/{self._record.id}.npz" not in self._bytes:
            raise InputError(
                f"{self._folder}: the scorecard names no evidence for {self._record.id}, as every measured axis does;"
                " it was edited: audit the model again"
            )
        if None in self._bytes.values():
            return "its evidence is not beside the scorecard"
        if self._axis().needs & {Need.LABELS, Need.GROUPS} and self._labels is None:
            return "the labels are not beside the scorecard"
        return ""

    def findings(self) -> Findings:
        """Measure.

        Raises:
            InputError: what is there cannot be measured, or not by this version of the axis.
        """
        axis, same_data = self._axis(), True
        evidence: dict[str, NDArray[np.generic]] = {}
        for path, data in self._bytes.items():
            name = path.removeprefix("evidence/").removesuffix(".npz")
            arrays = self._arrays(path, data or b"")
            same_data &= self._check_origin(name, arrays)
            prefix = "" if name == axis.id else f"{name}."
            evidence |= {f"{prefix}{key}": array for key, array in arrays.items() if key not in {KEY, ABOUT}}
        try:
            return axis.measure(evidence, self._labels if same_data else None)
        except (AxisError, ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise InputError(f"{self._folder}: the evidence of {axis.id} cannot be measured: {told(error)}") from error

    def _axis(self) -> Axis:
        axis = make_axis(self._record.id, self._record.settings)
        if axis.version != self._record.version:
            raise InputError(
                f"{self._folder}: {axis.id} was measured by version {self._record.version} of the axis, this e360 has"
                f" {axis.version}; audit the model again, or judge the numbers as they stand with --no-recompute"
            )
        return axis

    def _arrays(self, path: str, data: bytes) -> dict[str, NDArray[np.generic]]:
        try:
            return load_arrays(io.BytesIO(data))
        except ValueError as error:
            raise InputError(f"{self._folder / path} cannot be read: {error}") from error

    def _check_origin(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> bool:
        """Whether evidence is of the scorecard's data; older evidence does not tell, and counts as such.

        Raises:
            InputError: it is of another model, machine, version or settings.
        """
        if ABOUT not in arrays:
            return True
        try:
            text = str(arrays[ABOUT])
            origin = _origin(json.loads(text))
            intact = sha256_bytes(text.encode()) == str(arrays[KEY])
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(f"{self._folder}: the evidence of {name} does not say what it is of") from error
        for what, value in self._expected(name, timed=origin["machine"] is not None).items():
            if canonical_json(origin[what]) != canonical_json(value) or not intact:
                raise InputError(
                    f"{self._folder}: the evidence of {name} is of another {what} than the scorecard says; one of the"
                    " two was exchanged or edited"
                )
        return bool(origin["data"] == self._data)

    @property
    def _data(self) -> str | None:
        return self._card.dataset.fingerprint if self._card.dataset else None

    def _expected(self, name: str, *, timed: bool) -> dict[str, object]:
        """What the scorecard says that the evidence of an axis is of; evidence from elsewhere may be of other data."""
        where = self._record.environment or self._card.environment
        expected: dict[str, object] = {"model": [self._card.subject.fingerprint, self._card.subject.arch]}
        if timed:
            expected["machine"] = where.host
        if name == self._record.id:
            expected["axis, version and settings"] = [name, self._record.version, self._record.settings]
        if self._record.environment is None:
            expected["data"] = self._data
        return expected


def _origin(about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": about["subject"][:2],
        "machine": about["host"],
        "axis, version and settings": about["axis"],
        "data": about["data"],
    }


def _agreed(record: AxisRecord, findings: Findings, folder: Path) -> AxisRecord:
    """The record with the numbers of its evidence.

    Raises:
        InputError: its own numbers are others.
    """
    again = {_key(one): one for one in findings.measurements}
    differing = [
        f"{one.label} is {one.value:.6g}, measured again {_value(again.get(_key(one)))}"
        for one in record.measurements
        if not _same(one, again.get(_key(one)))
    ]
    if again.keys() - {_key(one) for one in record.measurements}:
        differing.append("it lacks measurements")
    if differing:
        told_of = "; ".join(differing[:_TOLD]) + ("; ..." if len(differing) > _TOLD else "")
        raise InputError(
            f"{folder}: the scorecard does not say what its evidence says ({told_of}); it was edited, or made by"
            " another version of e360: audit the model again"
        )
    caveats = tuple(dict.fromkeys((*findings.caveats, *record.caveats)))
    return record.model_copy(update={"caveats": caveats, "series": findings.series})


def _key(measurement: Measurement) -> str:
    """Name and params, without the machine that evidence from elsewhere is signed with."""
    params = {key: value for key, value in measurement.params.items() if key != "host"}
    return measurement.model_copy(update={"params": params}).label


def _value(measurement: Measurement | None) -> str:
    if measurement is None:
        return "there is none"
    interval = measurement.interval
    return f"{measurement.value:.6g}" + (f" ({interval.low:.6g} to {interval.high:.6g})" if interval else "")


def _same(one: Measurement, other: Measurement | None) -> bool:
    if other is None or (one.unit, one.better, one.n) != (other.unit, other.better, other.n):
        return False
    pairs = [(one.value, other.value)]
    if one.interval and other.interval:
        pairs += [(one.interval.low, other.interval.low), (one.interval.high, other.interval.high)]
        pairs += [(one.interval.level, other.interval.level)]
    alike = all(math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE**2) for a, b in pairs)
    return alike and (one.interval is None) == (other.interval is None)


def _check_samples(axes: Sequence[AxisRecord], samples: Mapping[str, Iterable[Any]], folder: Path) -> None:
    """Refuse samples that make another number than the scorecard has.

    Raises:
        InputError: naming it.
    """
    numbers = {_key(one): one.value for axis in axes for one in axis.measurements}
    for sample in (one for some in samples.values() for one in some):
        label = ", ".join(f"{key}={value}" for key, value in sorted(sample.params.items()))
        said = numbers.get(f"{sample.name}{{{label}}}" if label else sample.name)
        if said is None or not math.isclose(said, sample.value, rel_tol=_CLOSE, abs_tol=_CLOSE):
            raise InputError(
                f"{folder}: {sample.name} is {said} in the scorecard, its samples make it {sample.value:.6g}; it was"
                " edited: audit the model again"
            )
