"""The handwritten digits that come with scikit-learn, split by content: data for a demo that needs no download."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TEST_SHARE = 0.28
_GREY_LEVELS = 16


@dataclass(frozen=True)
class DigitsSplit:
    """One side of the split.

    Attributes:
        images: (N, 8, 8) uint8, 0 is paper and 255 is ink.
        labels: (N,) int64, the digit 0 to 9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load_digits(part: Literal["train", "test"]) -> DigitsSplit:
    """The train (1,249 images) or the test part (548) of the digits, in scikit-learn's order.

    Each image falls on its side by its own bytes, so that exact duplicates stay together and the split is the same
    on every machine. The writers are not known, so one writer's digits can be on both sides.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998 (its 1,797 test images),
    https://doi.org/10.24432/C50P49
    """
    from sklearn import datasets  # noqa: PLC0415 - costs a second, and only the demo pays it

    digits = datasets.load_digits()
    images = np.round(digits.images * (255 / _GREY_LEVELS)).astype(np.uint8)
    chosen = np.array([_is_test(hashlib.sha256(image.tobytes()).digest()) for image in images]) == (part == "test")
    return DigitsSplit(images=images[chosen], labels=digits.target[chosen].astype(np.int64))


def _is_test(digest: bytes) -> bool:
    """Whether the digest, read as a fraction in [0, 1), falls into the test share."""
    return int.from_bytes(digest[:8], "big") / 2**64 < _TEST_SHARE
