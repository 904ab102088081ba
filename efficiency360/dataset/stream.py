"""Batches of decoded images, decoded ahead in threads; memory does not grow with the number of images."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.dataset.core import ImageSource
    from efficiency360.dataset.preprocess import Preprocess

_AHEAD = 2
DECODE_ERRORS = (OSError, ValueError, SyntaxError, OverflowError, MemoryError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Batch:
    """Consecutive images from position `start`.

    `images` (B, C, H, W) uint8, or float32 in [0, 1]; an unreadable image is black and False in `readable` (B,).
    """

    start: int
    images: NDArray[np.generic]
    readable: NDArray[np.bool_]


@dataclass(frozen=True)
class ImageStream:
    """The data set as an axis sees it inside the worker: decoded images in order, without names or labels."""

    source: ImageSource
    preprocess: Preprocess
    threads: int = 2

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.source)

    def batches(self, size: int) -> Iterator[Batch]:
        """One pass over all images in batches of `size` (the last may be smaller)."""
        starts = deque(range(0, len(self), size))
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(self.threads) as decoders:

            def load(start: int) -> Batch:
                encoded = self.source.read(start, min(start + size, len(self)))
                return self._stack(start, list(decoders.map(self._decode, encoded)))

            pending: deque[Future[Batch]] = deque()
            while starts or pending:
                while starts and len(pending) < _AHEAD:
                    pending.append(reader.submit(load, starts.popleft()))
                yield pending.popleft().result()

    def _decode(self, encoded: bytes | NDArray[np.generic]) -> NDArray[np.generic] | None:
        try:
            return self.preprocess(encoded)
        except DECODE_ERRORS:
            return None

    def _stack(self, start: int, images: list[NDArray[np.generic] | None]) -> Batch:
        readable = np.array([image is not None for image in images])
        dtype = next((image.dtype for image in images if image is not None), np.dtype(np.uint8))
        black = np.zeros((self.preprocess.channels, *self.preprocess.size), dtype)
        return Batch(start, np.stack([black if image is None else image for image in images]), readable)
