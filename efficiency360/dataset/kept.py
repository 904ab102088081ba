"""Which image is which, and its label, on disk beside the evidence: what measuring again and comparing audits need."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.arrays import load_arrays
from efficiency360.dataset.core import fingerprint_of
from efficiency360.dataset.labels import Labels
from efficiency360.records import Caveat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.dataset.core import Dataset


@dataclass(frozen=True)
class Kept:
    """The fingerprint of the data that a file holds, and the labels as class indices (None: the images have none)."""

    fingerprint: str
    labels: Labels | None


def to_bytes(data: Dataset, hashes: Sequence[str], labels: Labels | None) -> bytes:
    """The images of an audit in its order, by hash and name, with their labels, as a compressed `.npz`.

    Members: `images` (N,) hex sha256 and `files` (N,) text; where there are labels `written` (N,) text and `classes`
    (N,) int64; `about`, JSON with the names of the classes, the group columns, the caveats on the labels, and whether
    the classes are the data's own.
    """
    arrays: dict[str, np.ndarray] = {"images": np.array(hashes, np.bytes_), "files": np.array(data.files)}
    if data.labels is not None:
        arrays["written"] = np.array(data.labels.values)
    if labels is not None:
        about = {
            "names": labels.names,
            "groups": labels.groups,
            "caveats": [caveat.model_dump() for caveat in labels.caveats],
            "own": labels.own,
        }
        arrays |= {"classes": labels.classes, "about": np.array(json.dumps(about))}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Kept:
    """What such a file holds.

    Raises:
        ValueError: it is no such file, or its parts do not fit together.
    """
    arrays = load_arrays(io.BytesIO(data))
    try:
        files = tuple(map(str, arrays["files"].tolist()))
        hashes = [one.decode("ascii") for one in arrays["images"].tolist()]
        written = tuple(map(str, arrays["written"].tolist())) if "written" in arrays else None
        labels = _labels(arrays, files, written) if "classes" in arrays else None
        return Kept(fingerprint_of(files, hashes, written), labels)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the images of an audit ({type(error).__name__}: {error})") from error


def _labels(arrays: dict[str, np.ndarray], files: tuple[str, ...], written: tuple[str, ...] | None) -> Labels:
    about = json.loads(str(arrays["about"]))
    labels = Labels(
        classes=arrays["classes"].astype(np.int64),
        names=tuple(map(str, about["names"])),
        files=files,
        groups={str(name): tuple(map(str, column)) for name, column in about["groups"].items()},
        caveats=tuple(Caveat.model_validate(caveat) for caveat in about["caveats"]),
        own=about.get("own", False) is True,
    )
    if written is None or {len(written), len(files), *map(len, labels.groups.values())} != {len(labels.classes)}:
        raise ValueError("the images and their labels do not fit together")
    if len(set(zip(written, labels.classes.tolist(), strict=True))) != len(set(written)):
        raise ValueError("one label as written stands for several classes")
    return labels
