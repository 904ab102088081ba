"""Evidence on disk: one plain `.npz` an axis, keyed by everything that its numbers depend on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.arrays import load_arrays
from efficiency360.files import sha256_bytes, write_atomic
from efficiency360.records import Artifact

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.axes import Evidence

KEY = "__key__"


@dataclass(frozen=True)
class Stored:
    """An axis's evidence, the seconds it took to observe (None where it was on disk), and the file that holds it."""

    evidence: Evidence
    seconds: float | None
    artifact: Artifact


@dataclass(frozen=True)
class EvidenceStore:
    """The folder `evidence/` of an audit."""

    folder: Path

    def save(self, axis_id: str, key: str, evidence: Evidence, seconds: float) -> Stored:
        """Write an axis's evidence under its key.

        Raises:
            InputError: the folder cannot be written.
        """
        buffer = io.BytesIO()
        arrays: dict[str, NDArray[np.generic]] = {**evidence, KEY: np.array(key)}
        np.savez(buffer, allow_pickle=False, **arrays)
        data = buffer.getvalue()
        write_atomic(self._path(axis_id), data)
        return Stored(evidence, seconds, self._artifact(axis_id, data))

    def adopt(self, axis_id: str, evidence: Evidence, seconds: float | None, data: bytes) -> Stored:
        """Keep evidence that was observed elsewhere, byte for byte."""
        write_atomic(self._path(axis_id), data)
        return Stored(evidence, seconds, self._artifact(axis_id, data))

    def find(self, axis_id: str, key: str) -> Stored | None:
        """Evidence that was saved under this very key, or None."""
        try:
            data = self._path(axis_id).read_bytes()
            arrays = load_arrays(io.BytesIO(data))
            saved_key = str(arrays.pop(KEY))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Stored(arrays, None, self._artifact(axis_id, data)) if saved_key == key else None

    def _path(self, axis_id: str) -> Path:
        return self.folder / f"{axis_id}.npz"

    def _artifact(self, axis_id: str, data: bytes) -> Artifact:
        return Artifact(path=f"{self.folder.name}/{axis_id}.npz", sha256=sha256_bytes(data), kind="evidence")
