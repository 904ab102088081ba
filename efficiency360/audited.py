"""One audit, as far as another can be compared with it: its scorecard, its samples, and which image is which."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, ValidationError

from efficiency360 import samples
from efficiency360.arrays import load_arrays
from efficiency360.errors import InputError
from efficiency360.files import sha256_bytes
from efficiency360.records import BaselineRecord, Sha256
from efficiency360.scorecards import read_scorecard, scorecard_file
from efficiency360.strict import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.records import Artifact, AxisRecord, DatasetRecord, Environment, Scorecard, SubjectRecord

SAMPLES, IMAGES = "samples", "images"
"""The kinds of the artifacts that hold samples of an axis, and images with their labels."""
ACCEPTED = "baseline.json"


class Accepted(Record):
    """What `baseline.json` beside a scorecard says: who made it the baseline, when and why, and its hash then."""

    accepted_by: str = Field(min_length=1)
    accepted_at: str
    why: str = Field(min_length=1)
    scorecard: Sha256


@dataclass(frozen=True)
class Audited:
    """An audit to compare. `samples` are by axis; `images` (N,) are hashes in the order of the audit, None if unknown.

    `accepted` says who made it the baseline, if somebody did.
    """

    subject: SubjectRecord
    dataset: DatasetRecord | None
    environment: Environment
    axes: tuple[AxisRecord, ...]
    samples: Mapping[str, tuple[samples.Sample, ...]] = field(default_factory=dict)
    images: NDArray[np.bytes_] | None = None
    accepted: Accepted | None = None

    def axis(self, axis_id: str) -> AxisRecord | None:
        """The record of one axis, or None."""
        return next((axis for axis in self.axes if axis.id == axis_id), None)

    @property
    def record(self) -> BaselineRecord:
        """How a verdict names the baseline."""
        said = self.accepted.model_dump(exclude={"scorecard"}) if self.accepted else {}
        return BaselineRecord(
            name=self.subject.name, fingerprint=self.subject.fingerprint, started_at=self.environment.started_at, **said
        )


def audited(card: Scorecard, folder: Path) -> Audited:
    """A scorecard with the samples that lie beside it; those that are not there are left out.

    Raises:
        InputError: a file of samples is not the one that the scorecard names, or makes no sense.
    """
    found = {axis.id: _samples(axis, folder) for axis in card.axes}
    return Audited(
        subject=card.subject,
        dataset=card.dataset,
        environment=card.environment,
        axes=card.axes,
        samples={axis_id: some for axis_id, some in found.items() if some},
        images=_images(card.dataset, folder),
    )


def read_audited(path: Path) -> tuple[Scorecard, Audited]:
    """An audit by its scorecard's file or the folder that holds it.

    Raises:
        InputError: as `read_scorecard` and `audited`; or it is a baseline whose scorecard was changed since.
    """
    file = scorecard_file(path)
    card = read_scorecard(path)
    found = audited(card, file.parent)
    return card, replace(found, accepted=_accepted(file))


def _accepted(file: Path) -> Accepted | None:
    note = file.parent / ACCEPTED
    if not note.is_file():
        return None
    try:
        accepted = Accepted.model_validate_json(note.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{note}: not the note of an accepted baseline; accept it again") from error
    if sha256_bytes(file.read_bytes()) != accepted.scorecard:
        by = accepted.accepted_by
        raise InputError(f"{file} was changed after {by} accepted it as the baseline; accept it again")
    return accepted


def evidence_bytes(artifact: Artifact, folder: Path) -> bytes | None:
    """The bytes of a file that a scorecard in `folder` names, None where it is not there.

    Raises:
        InputError: the path leads out of the folder, or the hash differs.
    """
    path = folder / artifact.path
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a name that can be none, or links in a circle
        inside = False
    if not inside:
        raise InputError(f"{folder / 'scorecard.json'} names a file outside of its folder: {artifact.path!a:.200}")
    try:
        data = path.read_bytes() if path.is_file() else None  # a pipe would never end
    except OSError:
        data = None
    if data is None:
        return None
    if sha256_bytes(data) != artifact.sha256:
        raise InputError(f"{path} is not the file that its scorecard names (the hashes differ); audit the model again")
    return data


def _samples(axis: AxisRecord, folder: Path) -> tuple[samples.Sample, ...]:
    for artifact in axis.artifacts:
        if artifact.kind == SAMPLES and (data := evidence_bytes(artifact, folder)) is not None:
            try:
                return samples.from_bytes(data)
            except ValueError as error:
                raise InputError(f"{folder / artifact.path}: {error}") from error
    return ()


def _images(dataset: DatasetRecord | None, folder: Path) -> NDArray[np.bytes_] | None:
    for artifact in dataset.artifacts if dataset else ():
        if artifact.kind == IMAGES and (data := evidence_bytes(artifact, folder)) is not None:
            try:
                return np.atleast_1d(load_arrays(io.BytesIO(data))["images"].astype(np.bytes_))
            except (ValueError, LookupError, TypeError) as error:
                raise InputError(f"{folder / artifact.path}: not a list of images ({error})") from error
    return None
