"""Measure there, judge here: taking over what another audit of the same model observed, on another machine perhaps."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.arrays import load_arrays
from efficiency360.engine.store import ABOUT, KEY
from efficiency360.errors import InputError
from efficiency360.files import sha256_bytes
from efficiency360.records import AxisRecord, Caveat, Scorecard
from efficiency360.scorecards import read_scorecard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.axes import Axis
    from efficiency360.records import DatasetRecord, SubjectRecord

_TOLD = 8


@dataclass(frozen=True)
class Found:
    """An axis's evidence as it was observed there: its bytes, its arrays, and the seconds that it took."""

    data: bytes
    evidence: Mapping[str, NDArray[np.generic]]
    seconds: float | None


@dataclass(frozen=True)
class Elsewhere:
    """The folder of another audit, with its scorecard."""

    folder: Path
    card: Scorecard

    @classmethod
    def open(cls, folder: Path) -> Elsewhere:
        """Read the scorecard of a folder.

        Raises:
            InputError: it holds none.
        """
        if not folder.is_dir():
            raise InputError(f"--with {folder}: not a folder; give the --out of an audit")
        return cls(folder, read_scorecard(folder))

    def has(self, axis_id: str) -> bool:
        """Whether that audit tried the axis."""
        record = self.card.axis(axis_id)
        return record is not None and record.status != "skipped"

    def failed_record(self, axis_id: str) -> AxisRecord | None:
        """The record of an axis that failed there; None for one that was measured."""
        record = self.card.axis(axis_id)
        if record is None or record.status != "failed":
            return None
        return record.model_copy(update={"environment": self.card.environment})

    def check_same_model(self, subject: SubjectRecord) -> None:
        """Refuse another model, or the same one built or fed in another way.

        Raises:
            InputError: naming what differs.
        """
        theirs = self.card.subject
        for what in ("fingerprint", "arch", "input", "num_classes", "preprocess"):
            here, there = getattr(subject, what), getattr(theirs, what)
            if here != there:
                raise InputError(
                    f"--with {self.folder}: another model: its {what} is {there!s:.80}, here it is {here!s:.80}"
                )
        if theirs.fingerprint is None and theirs.arch is None:
            raise InputError(f"--with {self.folder}: a module in memory leaves no fingerprint to compare")

    def same_data(self, dataset: DatasetRecord | None, seed: int) -> bool:
        """Whether it used the same images in the same order."""
        there = self.card.dataset
        return (
            dataset is not None
            and there is not None
            and there.fingerprint == dataset.fingerprint
            and self.card.environment.seeds.get("audit") == seed
        )

    def found(self, axis: Axis, settings: Mapping[str, Any]) -> Found:
        """The evidence of an axis, after its hash.

        Raises:
            InputError: missing, altered, of another version of the axis, or observed with other settings.
        """
        record = self.card.axis(axis.id)
        assert record is not None  # noqa: S101 - `has` comes first
        if record.version != axis.version:
            raise InputError(
                f"--with {self.folder}: {axis.id} is version {record.version} there and {axis.version} here; measure it"
                " there with the same e360"
            )
        if dict(record.settings) != dict(settings):
            raise InputError(
                f"--with {self.folder}: {axis.id} was measured there with settings {dict(record.settings)}, this audit"
                f" asks for {dict(settings)}; measure there with the same --audit and --set"
            )
        data = self._bytes(record)
        try:
            arrays = load_arrays(io.BytesIO(data))
        except ValueError as error:
            raise InputError(f"--with {self.folder}: the evidence of {axis.id} cannot be read ({error})") from error
        for beside in (KEY, ABOUT):
            arrays.pop(beside, None)
        return Found(data, arrays, record.seconds)

    def _bytes(self, record: AxisRecord) -> bytes:
        name = f"evidence/{record.id}.npz"
        path = self.folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"--with: {path}: {error.strerror}; bring the whole folder of that audit") from error
        if sha256_bytes(data) not in {artifact.sha256 for artifact in record.artifacts if artifact.path == name}:
            raise InputError(f"--with: {path} is not the file that its scorecard names (the hashes differ)")
        return data

    def signed(self, record: AxisRecord) -> AxisRecord:
        """A record with the machine in every number."""
        environment = self.card.environment
        host = f"{environment.cpu} ({environment.host[:_TOLD]})"
        text = (
            f"Observed in another run: {host}, {environment.threads} threads, {environment.device},"
            f" {environment.platform}, {environment.started_at}. The evidence matches the hash in the scorecard that"
            " came with it."
        )
        measurements = tuple(
            found.model_copy(update={"params": {**found.params, "host": host}}) for found in record.measurements
        )
        caveats = (*record.caveats, Caveat(id=f"{record.id}.elsewhere", severity="info", text=text))
        return record.model_copy(update={"measurements": measurements, "caveats": caveats, "environment": environment})
