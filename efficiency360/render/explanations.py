"""Maps laid over their images, from the evidence of the transparency axis; or why there are none.

The evidence holds `shown` (k,) positions and `shown_images` (k, C, H, W) of 0 to 255; `explained` (n,) positions,
`methods` (m,), `maps` (n, m, rows, columns) and `outputs` (n, K).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from efficiency360.render import png
from efficiency360.render.beside import gathered
from efficiency360.render.exhibits import BYTES, LARGEST, coarse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from markupsafe import Markup
    from numpy.typing import NDArray

    from efficiency360.records import Scorecard
    from efficiency360.render.beside import Arrays, Class, Named, Why

    Floats = NDArray[np.float64]

AXIS: Final = "transparency"
MOST: Final = 8
_FOR, _AGAINST = np.array([0.93, 0.43, 0.08]), np.array([0.10, 0.35, 0.85])
_GREY = np.array([0.299, 0.587, 0.114])  # ITU-R 601
_STRONGEST, _PALE = 0.8, 0.75
"""How much of a pixel the largest value of a map takes, and how far the image under it keeps its contrast."""


@dataclass(frozen=True)
class Overlay:
    """An image with what the model says it is, and the maps of each method over it; pictures as `data:` addresses."""

    image: Markup
    maps: tuple[tuple[str, Markup], ...]
    width: int
    height: int
    predicted: Class
    truth: Class | None


@dataclass(frozen=True)
class Explained:
    """What was found. `missing` says why there are no overlays; the others are as in `figures.Figures`."""

    overlays: tuple[Overlay, ...] = ()
    missing: Why | None = None
    path: str = ""
    kept: int = 0
    coarser: int = 1
    unnamed: str | None = None


@dataclass(frozen=True)
class _Case:
    """An overlay before its pictures are made: image (C, H, W) from 0 to 1, maps (rows, columns)."""

    image: Floats
    maps: tuple[tuple[str, Floats], ...]
    predicted: Class
    truth: Class | None


def read(card: Scorecard, folder: Path, *, images: bool | None) -> Explained:
    """The overlays for a report of a scorecard in a folder; never raises for what the folder holds."""
    found = gathered(card, folder, AXIS, _cases, images=images)
    if found.missing:
        return Explained(missing=found.missing, path=found.path)
    overlays, coarser = _fitted(found.cases[:MOST])
    return Explained(overlays, path=found.path, kept=len(found.cases), coarser=coarser, unnamed=found.unnamed)


def _cases(arrays: Arrays, names: Named) -> Iterator[_Case]:
    """Take the evidence apart.

    Raises:
        ValueError, LookupError: it does not fit together.
    """
    images = np.asarray(arrays["shown_images"], np.float64) / 255
    if images.ndim != 4 or images.shape[1] not in png.CHANNELS or not images.size:  # noqa: PLR2004 - (k, C, H, W)
        raise ValueError("no grey or colour images")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
        raise ValueError("values of images go from 0 to 255")
    methods = [str(name) for name in arrays["methods"].tolist()]
    maps = np.asarray(arrays["maps"], np.float64)
    rows = {int(position): row for row, position in enumerate(arrays["explained"].tolist())}
    if maps.ndim != 4 or maps.shape[:2] != (len(rows), len(methods)) or not maps.size:  # noqa: PLR2004 - see above
        raise ValueError("maps that do not fit")
    classes = np.asarray(arrays["outputs"], np.float64).argmax(axis=1)
    for position, image in zip(arrays["shown"].tolist(), images, strict=True):
        row = rows[position]
        mine = tuple(zip(methods, np.nan_to_num(maps[row], posinf=0, neginf=0), strict=True))
        yield _Case(image, mine, names.of(int(classes[row])), names.truth(position))


def _fitted(cases: Sequence[_Case]) -> tuple[tuple[Overlay, ...], int]:
    """Overlays, all as much coarser as it takes not to make the page too large."""
    side = max(cases[0].image.shape[1:])
    coarser = math.ceil(side / LARGEST)
    while True:
        found = tuple(_overlay(case, coarser) for case in cases)
        size = sum(len(one.image) + sum(len(address) for _, address in one.maps) for one in found)
        if size <= BYTES or coarser >= side:
            return found, coarser
        coarser += 1


def _overlay(case: _Case, coarser: int) -> Overlay:
    image = coarse(case.image, coarser)
    maps = tuple((method, png.uri(laid_over(image, values))) for method, values in case.maps)
    return Overlay(png.uri(image), maps, image.shape[2], image.shape[1], case.predicted, case.truth)


def laid_over(image: Floats, values: Floats) -> Floats:
    """A map (rows, columns) over an image (C, H, W) in grey: (3, H, W) from 0 to 1.

    Orange speaks for the class and blue against it, as strongly as the value is a share of the largest. Where all
    values are above 0, they count from the smallest.
    """
    grey = image[0] if len(image) == 1 else np.tensordot(_GREY, image, axes=1)
    grey = (1 - _PALE) / 2 + _PALE * grey
    values = values - values.min() if values.min() > 0 else values
    largest = float(np.abs(values).max())
    share = _stretched(values / largest if largest else values, grey.shape)
    weight = _STRONGEST * np.abs(share)
    colour = np.where(share[None] > 0, _FOR[:, None, None], _AGAINST[:, None, None])
    return np.asarray((1 - weight) * grey + weight * colour)


def _stretched(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Bilinear between the centres of cells, level beyond the outermost: (rows, columns) -> (H, W)."""
    down, across = (_between(cells, pixels) for cells, pixels in zip(values.shape, shape, strict=True))
    return np.asarray(down @ values @ across.T)


def _between(cells: int, pixels: int) -> Floats:
    """(pixels, cells): the weights of cells at each pixel's centre."""
    place = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells)[None])))
