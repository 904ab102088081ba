"""Adversarial images beside the clean ones and what was changed, as pictures for a page, none of them too large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.render import png

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from numpy.typing import NDArray

    from efficiency360.render.beside import Class

LARGEST, BYTES = 224, 1_000_000
"""The longest side of a picture in pixels, and how many characters the pictures of an axis may take."""


@dataclass(frozen=True)
class Case:
    """An exhibit before its pictures are made: images (C, H, W) from 0 to 1."""

    clean: NDArray[np.float64]
    adversarial: NDArray[np.float64]
    truth: Class | None
    predicted: Class
    eps: float


@dataclass(frozen=True)
class Exhibit:
    """An image that the model got right, what was changed, and what came of it; the pictures as `data:` addresses.

    `change` is grey where nothing changed, and else that grey with `magnified` times the change added. `largest` is the
    largest change of a value (of 1), `length` its L2 norm; `eps` is the radius at which the image fell. `truth` is None
    where labels are not known.
    """

    clean: Markup
    change: Markup
    adversarial: Markup
    width: int
    height: int
    truth: Class | None
    predicted: Class
    eps: float
    largest: float
    length: float
    magnified: float


def fitted(cases: Sequence[Case]) -> tuple[tuple[Exhibit, ...], int]:
    """Exhibits, all as much coarser as it takes not to make the page too large."""
    side = max(cases[0].clean.shape[1:])
    coarser = math.ceil(side / LARGEST)
    while True:
        found = tuple(_exhibit(case, coarser) for case in cases)
        size = sum(len(one.clean) + len(one.change) + len(one.adversarial) for one in found)
        if size <= BYTES or coarser >= side:
            return found, coarser
        coarser += 1


def _exhibit(case: Case, coarser: int) -> Exhibit:
    whole = case.adversarial - case.clean
    clean, change, adversarial = (coarse(one, coarser) for one in (case.clean, whole, case.adversarial))
    most = float(np.abs(change).max())
    magnified = 0.5 / most if most else 1.0
    return Exhibit(
        clean=png.uri(clean),
        change=png.uri(0.5 + magnified * change),
        adversarial=png.uri(adversarial),
        width=clean.shape[2],
        height=clean.shape[1],
        truth=case.truth,
        predicted=case.predicted,
        eps=case.eps,
        largest=float(np.abs(whole).max()),
        length=float(np.sqrt((whole**2).sum())),
        magnified=magnified,
    )


def coarse(picture: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """The means of squares of `times` pixels a side; what is left over at the right and the lower edge is cut off."""
    channels, height, width = picture.shape
    down, across = min(times, height), min(times, width)
    rows, columns = height // down, width // across
    squares = picture[:, : rows * down, : columns * across].reshape(channels, rows, down, columns, across)
    return np.asarray(squares.mean(axis=(2, 4)))
