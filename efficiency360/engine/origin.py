"""What a file of evidence says that it is of, held against the scorecard beside it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.arrays import load_arrays
from efficiency360.engine.store import ABOUT, KEY
from efficiency360.errors import InputError
from efficiency360.files import canonical_json, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.records import AxisRecord, Scorecard


_SAID = frozenset({"axis", "subject", "data", "device", "host", "code"})


@dataclass(frozen=True)
class Evidence:
    """The arrays of one file, and what it depends on; None where it is too old to say so."""

    arrays: Mapping[str, NDArray[np.generic]]
    about: Mapping[str, Any] | None

    @property
    def runs_code(self) -> bool:
        """Whether the model's own code ran beside it."""
        return bool(self.about and self.about["code"])


def read(data: bytes, name: str, folder: Path) -> Evidence:
    """Evidence out of the bytes of a file called `name`.

    Raises:
        InputError: it cannot be read, or what it says of itself was changed.
    """
    try:
        arrays = load_arrays(io.BytesIO(data))
        if ABOUT not in arrays:
            return Evidence({key: array for key, array in arrays.items() if key != KEY}, None)
        text, key = str(arrays.pop(ABOUT)), str(arrays.pop(KEY))
        about = json.loads(text)
        missing = _SAID - about.keys()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{folder}: the evidence of {name} cannot be read: {error}") from error
    if missing or sha256_bytes(text.encode()) != key:
        raise InputError(f"{folder}: what the evidence of {name} says of itself was changed; audit the model again")
    return Evidence(arrays, about)


def check(evidence: Evidence, name: str, record: AxisRecord, card: Scorecard, folder: Path) -> None:
    """Refuse evidence of the axis `name` that is not what the scorecard says of the axis `record`, which uses it.

    Raises:
        InputError: it is of another model, machine, data, version or settings.
    """
    if evidence.about is None:
        return
    for what, found, expected in _pairs(evidence.about, name, record, card):
        if canonical_json(found) != canonical_json(expected):
            raise InputError(
                f"{folder}: the evidence of {name} is of another {what} than the scorecard says; one of the two was"
                " exchanged or edited: audit the model again"
            )


def _pairs(
    about: Mapping[str, Any], name: str, record: AxisRecord, card: Scorecard
) -> Iterator[tuple[str, object, object]]:
    """What is compared, as the evidence has it, and as the scorecard has it."""
    where = record.environment or card.environment
    yield "model", about["subject"][:2], [card.subject.fingerprint, card.subject.arch]
    yield "device", about["device"], [where.device, where.threads]
    if about["host"] is not None:
        yield "machine", about["host"], [where.host, where.host_class]
    if name == record.id:
        yield "axis, version or settings", about["axis"], [name, record.version, record.settings]
    if record.environment is None:
        yield "data", about["data"], card.dataset.fingerprint if card.dataset else None
