"""Evidence on disk: one plain `.npz` an axis, keyed by everything that its numbers depend on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.arrays import load_arrays
from efficiency360.audited import IMAGES, SAMPLES
from efficiency360.files import canonical_json, sha256_bytes, sha256_json, write_atomic
from efficiency360.records import Artifact
from efficiency360.samples import to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.axes import Evidence
    from efficiency360.samples import Sample

KEY, ABOUT = "__key__", "__about__"
"""Members of a file of evidence beside the evidence: what it depends on, as JSON, and the sha256 of that text."""


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

    def save(self, axis_id: str, depends_on: dict[str, Any], evidence: Evidence, seconds: float) -> Stored:
        """Write an axis's evidence, with everything that it depends on.

        Raises:
            InputError: the folder cannot be written.
        """
        buffer = io.BytesIO()
        about = canonical_json(depends_on)
        arrays: dict[str, NDArray[np.generic]] = {
            **evidence,
            KEY: np.array(sha256_bytes(about.encode())),
            ABOUT: np.array(about),
        }
        np.savez(buffer, allow_pickle=False, **arrays)
        data = buffer.getvalue()
        write_atomic(self._path(axis_id), data)
        return Stored(evidence, seconds, self._artifact(axis_id, data))

    def adopt(self, axis_id: str, evidence: Evidence, seconds: float | None, data: bytes) -> Stored:
        """Keep evidence that was observed elsewhere, byte for byte."""
        write_atomic(self._path(axis_id), data)
        return Stored(evidence, seconds, self._artifact(axis_id, data))

    def find(self, axis_id: str, depends_on: dict[str, Any]) -> Stored | None:
        """Evidence that depends on exactly this, or None."""
        try:
            data = self._path(axis_id).read_bytes()
            arrays = load_arrays(io.BytesIO(data))
            same = str(arrays.pop(KEY)) == sha256_json(depends_on)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        arrays.pop(ABOUT, None)
        return Stored(arrays, None, self._artifact(axis_id, data)) if same else None

    def keep_samples(self, axis_id: str, samples: Sequence[Sample]) -> Artifact:
        """Write what an axis's numbers were made of, for comparisons with other audits."""
        return self._kept(f"{axis_id}.samples", to_bytes(samples), SAMPLES)

    def keep_images(self, data: bytes) -> Artifact:
        """Write which image is which (see `dataset.kept`)."""
        return self._kept("data.images", data, IMAGES)

    def _kept(self, name: str, data: bytes, kind: str) -> Artifact:
        write_atomic(self._path(name), data)
        return self._artifact(name, data, kind)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _artifact(self, name: str, data: bytes, kind: str = "evidence") -> Artifact:
        return Artifact(path=f"{self.folder.name}/{name}.npz", sha256=sha256_bytes(data), kind=kind)
