"""What lies beside a scorecard: evidence by its hash, and the names of classes; or why it is of no use."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from efficiency360.arrays import load_arrays
from efficiency360.audited import IMAGES, evidence_bytes
from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.records import Artifact, AxisRecord, Scorecard

    Arrays = Mapping[str, NDArray[np.generic]]

Found = TypeVar("Found")
EVIDENCE = "evidence"
_TRAINED_ON = "data.trained_on"
Why = Literal["alone", "hidden", "guarded", "absent", "changed", "unreadable", "none"]
"""There is only the scorecard; images were not wanted; they may show people or be of the training; the file is not
there; it is not the one that the scorecard names; it makes no sense; or it holds no image."""


class MissingError(Exception):
    """Why a file of evidence cannot be used."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


@dataclass(frozen=True)
class Class:
    """A class by its index; `name` is None where it is not known."""

    index: int
    name: str | None


@dataclass(frozen=True)
class Named:
    """The class of each image (N,), and the names of classes; both empty where they are not known."""

    classes: Sequence[int] = ()
    names: Sequence[str] = ()

    def of(self, index: int) -> Class:
        """A class by its index."""
        return Class(index, self.names[index] if 0 <= index < len(self.names) else None)

    def truth(self, position: int) -> Class | None:
        """The class of an image."""
        return self.of(self.classes[position]) if self.classes else None


def evidence_of(card: Scorecard, axis_id: str) -> Artifact | None:
    """The evidence that an axis names first: its own."""
    record: AxisRecord | None = next((axis for axis in card.axes if axis.id == axis_id), None)
    return next((one for one in record.artifacts if one.kind == EVIDENCE), None) if record else None


def arrays_of(artifact: Artifact, folder: Path) -> Arrays:
    """The arrays in a file of evidence.

    Raises:
        MissingError: it is not there, another, or unreadable.
    """
    try:
        data = evidence_bytes(artifact, folder)
    except InputError as error:
        raise MissingError("changed") from error
    if data is None:
        raise MissingError("absent")
    try:
        return load_arrays(io.BytesIO(data))
    except ValueError as error:
        raise MissingError("unreadable") from error


def named(card: Scorecard, folder: Path) -> tuple[Named, str | None]:
    """Labels, or the file that should have held them."""
    artifacts = card.dataset.artifacts if card.dataset else ()
    artifact = next((one for one in artifacts if one.kind == IMAGES), None)
    if artifact is None:
        return Named(), ""
    try:
        arrays = arrays_of(artifact, folder)
        names = json.loads(str(arrays["about"]))["names"]
        return Named([int(one) for one in arrays["classes"].tolist()], list(map(str, names))), None
    except (MissingError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return Named(), artifact.path


@dataclass(frozen=True)
class Gathered(Generic[Found]):
    """What a report can show of an axis's evidence, or why nothing; fields as those of `figures.Figures`."""

    cases: Sequence[Found] = ()
    missing: Why | None = None
    path: str = ""
    unnamed: str | None = None


def guarded(card: Scorecard) -> bool:
    """Whether images are shown only to who asks for them.

    Columns beside the labels may describe people, whose faces are theirs; and what a model was trained on may be
    confidential, which is why its exposure is measured.
    """
    data = card.dataset
    return data is not None and (bool(data.groups) or any(one.id == _TRAINED_ON for one in data.caveats))


def gathered(
    card: Scorecard,
    folder: Path,
    axis_id: str,
    cases: Callable[[Arrays, Named], Iterable[Found]],
    *,
    images: bool | None,
) -> Gathered[Found]:
    """Take an axis's evidence apart with `cases`, which may raise what does not fit; never raises for it."""
    artifact = evidence_of(card, axis_id)
    if images is False or artifact is None:
        return Gathered(missing="hidden" if images is False else "alone")
    if images is None and guarded(card):
        return Gathered(missing="guarded", path=artifact.path)
    try:
        arrays = arrays_of(artifact, folder)
    except MissingError as missing:
        return Gathered(missing=missing.why, path=artifact.path)
    if "shown" not in arrays:
        return Gathered(missing="none", path=artifact.path)
    names, unnamed = named(card, folder)
    try:
        return Gathered(list(cases(arrays, names)), path=artifact.path, unnamed=unnamed)
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError):
        return Gathered(missing="unreadable", path=artifact.path)
