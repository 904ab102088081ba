"""Properties of an image that anybody can measure: brightness, contrast, sharpness, shape; of strokes weight, slant.

They stand in for groups where none are given, and say nothing about people.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from efficiency360.dataset.preprocess import FORMATS
from efficiency360.dataset.stream import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.dataset.preprocess import Preprocess
    from efficiency360.dataset.stream import ImageStream

PROPERTIES = ("brightness", "contrast", "sharpness", "aspect ratio", "stroke weight", "slant")
"""In the order of the columns of `properties`: mean and standard deviation of grey in [0, 1], mean absolute Laplacian
(of grey, 4 neighbours), width over height as stored, share of inked pixels, and shear of the ink (to the right > 0)."""

_GREY = np.array([0.299, 0.587, 0.114])
_PLAIN = 0.1
_INKED = 0.5
_MOSTLY = 0.5
_SMALL = 64
_LEAST_INK = 1e-6


def properties(stream: ImageStream, size: int) -> Iterator[NDArray[np.float32]]:
    """The properties (B, 6) of batches of `size` images, after preprocessing but for the aspect ratio.

    NaN for what an image does not have: all of one that cannot be read, stroke and slant of one that is no stroke on a
    plain background (grey, at most 64 pixels a side, its border mostly of one shade).
    """
    with ThreadPoolExecutor(stream.threads) as pool:
        for start in range(0, len(stream), size):
            encoded = stream.source.read(start, min(start + size, len(stream)))
            yield np.array(list(pool.map(partial(_of_one, stream.preprocess), encoded)), np.float32)


def _of_one(preprocess: Preprocess, encoded: bytes | NDArray[np.generic]) -> tuple[float, ...]:
    try:
        brightness, contrast, sharpness, _, weight, slant = measured(preprocess(encoded))
        return brightness, contrast, sharpness, aspect_ratio(encoded), weight, slant
    except DECODE_ERRORS:
        return (float("nan"),) * len(PROPERTIES)


def aspect_ratio(encoded: bytes | NDArray[np.generic]) -> float:
    """Width over height of an image as stored, from its header alone."""
    if not isinstance(encoded, bytes):
        return float(encoded.shape[1] / encoded.shape[0])
    with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        return image.width / image.height


def measured(image: NDArray[np.generic]) -> tuple[float, ...]:
    """The properties (6,) of an image (C, H, W), uint8 or float in [0, 1]; NaN in place of the aspect ratio."""
    planes = image.astype(np.float64) / (255 if image.dtype == np.uint8 else 1)
    grey = planes[0] if len(planes) == 1 else np.tensordot(_GREY, planes, axes=1)
    weight, slant = _stroke(grey) if len(planes) == 1 and max(grey.shape) <= _SMALL else (float("nan"),) * 2
    return float(grey.mean()), float(grey.std()), _sharpness(grey), float("nan"), weight, slant


def _sharpness(grey: NDArray[np.float64]) -> float:
    if min(grey.shape) < 3:  # noqa: PLR2004 - a pixel with neighbours
        return float("nan")
    inner = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.abs(4 * inner - around).mean())


def _stroke(grey: NDArray[np.float64]) -> tuple[float, float]:
    """Share of inked pixels, and by how many columns the ink moves right for each row up."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    plain = np.abs(border - np.median(border)) < _PLAIN
    if plain.mean() < _MOSTLY or (mass := float(ink.sum())) < _LEAST_INK:
        return float("nan"), float("nan")
    rows, columns = np.indices(grey.shape)
    up = (ink * rows).sum() / mass - rows
    right = columns - (ink * columns).sum() / mass
    spread = float((ink * up**2).sum())
    return float((ink > _INKED).mean()), float((ink * up * right).sum()) / spread if spread > 0 else 0.0
