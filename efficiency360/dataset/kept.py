"""Which image is which, and its label, on disk beside the evidence: what measuring again and comparing audits need."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.arrays import load_arrays
from efficiency360.dataset.labels import Labels
from efficiency360.records import Caveat

if TYPE_CHECKING:
    from collections.abc import Sequence


def to_bytes(hashes: Sequence[str], labels: Labels | None) -> bytes:
    """The images of an audit in its order, by hash, with their labels where there are some, as a compressed `.npz`.

    Members: `images` (N,) hex sha256; `classes` (N,) int64 and `files` (N,) text; `about`, JSON with the names of the
    classes, the group columns and the caveats on the labels.
    """
    arrays: dict[str, np.ndarray] = {"images": np.array(hashes, np.bytes_)}
    if labels is not None:
        about = {
            "names": labels.names,
            "groups": labels.groups,
            "caveats": [caveat.model_dump() for caveat in labels.caveats],
        }
        arrays |= {"classes": labels.classes, "files": np.array(labels.files), "about": np.array(json.dumps(about))}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def labels_of(data: bytes) -> Labels | None:
    """The labels in such a file; None where the images have none.

    Raises:
        ValueError: it is no such file, or its parts do not fit together.
    """
    arrays = load_arrays(io.BytesIO(data))
    if "classes" not in arrays:
        return None
    try:
        about = json.loads(str(arrays["about"]))
        labels = Labels(
            classes=arrays["classes"].astype(np.int64),
            names=tuple(map(str, about["names"])),
            files=tuple(map(str, arrays["files"].tolist())),
            groups={str(name): tuple(map(str, column)) for name, column in about["groups"].items()},
            caveats=tuple(Caveat.model_validate(caveat) for caveat in about["caveats"]),
        )
        lengths = {len(arrays["images"]), len(labels.files), *map(len, labels.groups.values())}
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"not the images of an audit ({type(error).__name__}: {error})") from error
    if lengths != {len(labels.classes)}:
        raise ValueError("the images and their labels do not fit together")
    return labels
