"""The pictures that a report takes from the evidence beside its scorecard, and why where there are none.

An attack's evidence holds images: `shown` (k,) positions, `shown_clean` and `shown_adversarial` (k, C, H, W) from 0 to
1, `shown_predicted` (k,) class indices. Names of classes are in the list of images of the dataset.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from efficiency360.arrays import load_arrays
from efficiency360.audited import IMAGES, evidence_bytes
from efficiency360.errors import InputError
from efficiency360.render import png
from efficiency360.render.exhibits import Case, Class, Exhibit, fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.records import Artifact, Scorecard

    Arrays = Mapping[str, NDArray[np.generic]]

AXIS, EVIDENCE = "robustness", "evidence"
MOST: Final = 8
Why = Literal["alone", "hidden", "absent", "changed", "unreadable", "none"]
"""There is only the scorecard; images were not wanted; the file is not there; it is not the one that the scorecard
names; it makes no sense; or it holds no adversarial image."""


class _MissingError(Exception):
    """Why a file of evidence cannot be used."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


@dataclass(frozen=True)
class Figures:
    """What was found. `missing` says why there are no exhibits, `path` is the file that would hold them.

    `kept` counts the images in the evidence; pictures are `coarser` times smaller than the images. `unnamed` is the
    file whose absence leaves classes without names, None where they have them.
    """

    exhibits: tuple[Exhibit, ...] = ()
    missing: Why | None = None
    path: str = ""
    kept: int = 0
    coarser: int = 1
    unnamed: str | None = None


def read(card: Scorecard, folder: Path, *, images: bool = True) -> Figures:
    """The pictures for a report of a scorecard in a folder; never raises for what the folder holds.

    Args:
        card: the scorecard.
        folder: where its evidence lies, by the paths that it names.
        images: False leaves all images out, and says so.
    """
    record = next((axis for axis in card.axes if axis.id == AXIS), None)
    artifact = next((one for one in record.artifacts if one.kind == EVIDENCE), None) if record else None
    if not images or artifact is None:
        return Figures(missing="alone" if images else "hidden")
    try:
        return _figures(card, _arrays(artifact, folder), folder, artifact.path)
    except _MissingError as missing:
        return Figures(missing=missing.why, path=artifact.path)


def _arrays(artifact: Artifact, folder: Path) -> Arrays:
    try:
        data = evidence_bytes(artifact, folder)
    except InputError as error:
        raise _MissingError("changed") from error
    if data is None:
        raise _MissingError("absent")
    try:
        return load_arrays(io.BytesIO(data))
    except ValueError as error:
        raise _MissingError("unreadable") from error


def _figures(card: Scorecard, arrays: Arrays, folder: Path, path: str) -> Figures:
    if "shown" not in arrays:
        raise _MissingError("none")
    named, unnamed = _named(card, folder)
    try:
        cases = list(_cases(arrays, named))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise _MissingError("unreadable") from error
    exhibits, coarser = fitted(cases[:MOST])
    return Figures(exhibits, path=path, kept=len(cases), coarser=coarser, unnamed=unnamed)


@dataclass(frozen=True)
class _Named:
    """The class of each image (N,), and the names of classes; both empty where they are not known."""

    classes: Sequence[int] = ()
    names: Sequence[str] = ()

    def of(self, index: int) -> Class:
        return Class(index, self.names[index] if 0 <= index < len(self.names) else None)

    def truth(self, position: int) -> Class | None:
        return self.of(self.classes[position]) if self.classes else None


def _named(card: Scorecard, folder: Path) -> tuple[_Named, str | None]:
    """Labels, or the file that should have held them."""
    artifacts = card.dataset.artifacts if card.dataset else ()
    artifact = next((one for one in artifacts if one.kind == IMAGES), None)
    if artifact is None:
        return _Named(), ""
    try:
        arrays = _arrays(artifact, folder)
        names = json.loads(str(arrays["about"]))["names"]
        return _Named([int(one) for one in arrays["classes"].tolist()], list(map(str, names))), None
    except (_MissingError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return _Named(), artifact.path


def _cases(arrays: Arrays, named: _Named) -> Iterator[Case]:
    """Take the evidence apart.

    Raises:
        ValueError, LookupError: it does not fit together: an image that had been wrong before, or is right after all.
    """
    images = [np.asarray(arrays[f"shown_{kind}"], np.float32).astype(np.float64) for kind in ("clean", "adversarial")]
    if images[0].shape != images[1].shape or images[0].ndim != 4 or images[0].shape[1] not in png.CHANNELS:  # noqa: PLR2004
        raise ValueError("no pairs of grey or colour images")
    if not images[0].size or not all(
        np.isfinite(some).all() and some.min() >= 0 and some.max() <= 1 for some in images
    ):
        raise ValueError("values of images go from 0 to 1")
    rows = {int(position): row for row, position in enumerate(arrays["attacked"].tolist())}
    predicted = arrays["shown_predicted"].tolist()
    for position, said, clean, adversarial in zip(arrays["shown"].tolist(), predicted, *images, strict=True):
        row = rows[position]
        fell = int(arrays["attacked_fell_at"].tolist()[row])
        truth, wrong = named.truth(position), named.of(int(said))
        if not arrays["attacked_right"][row] or fell < 0 or (truth and truth.index == wrong.index):
            raise ValueError("an exhibit that is none")
        yield Case(clean, adversarial, truth, wrong, float(arrays["eps"].tolist()[fell]))
