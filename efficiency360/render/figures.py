"""The pictures that a report takes from the evidence beside its scorecard, and why where there are none.

An attack's evidence holds images: `shown` (k,) positions, `shown_clean` and `shown_adversarial` (k, C, H, W) from 0 to
1, `shown_predicted` (k,) class indices. Names of classes are in the list of images of the dataset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from efficiency360.render import explanations, png
from efficiency360.render.beside import gathered
from efficiency360.render.exhibits import Case, Exhibit, fitted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from efficiency360.records import Scorecard
    from efficiency360.render.beside import Arrays, Named, Why
    from efficiency360.render.explanations import Explained

AXIS: Final = "robustness"
MOST: Final = 8


@dataclass(frozen=True)
class Figures:
    """What was found. `missing` says why there are no exhibits, `path` is the file that would hold them.

    `kept` counts the images in the evidence; pictures are `coarser` times smaller than the images. `unnamed` is the
    file whose absence leaves classes without names, None where they have them. `explained` are maps of another axis.
    """

    exhibits: tuple[Exhibit, ...] = ()
    missing: Why | None = None
    path: str = ""
    kept: int = 0
    coarser: int = 1
    unnamed: str | None = None
    explained: Explained | None = None


def read(card: Scorecard, folder: Path, *, images: bool | None = None) -> Figures:
    """The pictures for a report of a scorecard in a folder; never raises for what the folder holds.

    Args:
        card: the scorecard.
        folder: where its evidence lies, by the paths that it names.
        images: False leaves all images out, and says so; None those that may show people or be of the training.
    """
    return replace(_read(card, folder, images=images), explained=explanations.read(card, folder, images=images))


def _read(card: Scorecard, folder: Path, *, images: bool | None) -> Figures:
    found = gathered(card, folder, AXIS, _cases, images=images)
    if found.missing:
        return Figures(missing=found.missing, path=found.path)
    exhibits, coarser = fitted(found.cases[:MOST])
    return Figures(exhibits, path=found.path, kept=len(found.cases), coarser=coarser, unnamed=found.unnamed)


def _cases(arrays: Arrays, names: Named) -> Iterator[Case]:
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
        truth, wrong = names.truth(position), names.of(int(said))
        if not arrays["attacked_right"][row] or fell < 0 or (truth and truth.index == wrong.index):
            raise ValueError("an exhibit that is none")
        yield Case(clean, adversarial, truth, wrong, float(arrays["eps"].tolist()[fell]))
