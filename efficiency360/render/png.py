"""Pictures as PNG inside the page: an encoder of our own, as the bytes of a library's change with its version."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
from markupsafe import Markup

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS: Final = {1: 0, 3: 2}
"""PNG's colour type by the number of channels: grey, and red, green, blue."""
_PAETH, _BITS, _LEVEL = 4, 8, 9
CHANNELS: Final = frozenset(_KINDS)
"""How many channels a picture may have."""


def encode(picture: NDArray[np.floating]) -> bytes:
    """A picture (C, H, W) as an 8-bit PNG; C is 1 (grey) or 3 (RGB), values go from 0 to 1 and are cut off there.

    Rows are filtered by Paeth's predictor (PNG specification, section 9.4), so that photographs shrink.
    """
    channels, height, width = picture.shape
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.int16).transpose(1, 2, 0)
    rows = ((pixels - _predicted(pixels)) % 256).astype(np.uint8).reshape(height, width * channels)
    filtered = np.concatenate([np.full((height, 1), _PAETH, np.uint8), rows], axis=1)
    header = struct.pack(">IIBBBBB", width, height, _BITS, _KINDS[channels], 0, 0, 0)
    data = zlib.compress(filtered.tobytes(), _LEVEL)
    return b"".join((_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b"")))


def uri(picture: NDArray[np.floating]) -> Markup:
    """The picture, as `encode` takes it, as a `data:` address: ours to the last letter, so it needs no escaping."""
    return Markup("data:image/png;base64,") + base64.b64encode(encode(picture)).decode()


def _predicted(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Of the pixels to the left, above, and between them (0 outside), the one nearest to left + above - between."""
    around = np.pad(pixels, ((1, 0), (1, 0), (0, 0)))
    left, above, between = around[1:, :-1], around[:-1, 1:], around[:-1, :-1]
    guess = left + above - between
    far = [np.abs(guess - one) for one in (left, above, between)]
    nearest = np.where(far[1] <= far[2], above, between)
    return np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, nearest)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
