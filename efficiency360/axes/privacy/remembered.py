"""Features that the model has given already, found again by the images themselves, in the worker.

Members and others come in an order that tells nothing, so their places cannot be told from the data's: the pixels can.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.numerics.private import features

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from efficiency360.numerics.private.features import Head
    from efficiency360.subject.subject import Subject


def hashes(images: NDArray[np.generic]) -> NDArray[np.uint64]:
    """A hash (N,) of each image as the model gets it."""
    digests = (hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()[:8] for image in images)
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)


@dataclass
class Remembered:
    """The model's last layer, found with the first images, and features (D,) by the hash of an image."""

    subject: Subject
    rows: dict[int, Tensor] = field(default_factory=dict)
    found: Head | None = None
    checked: bool = False

    def head(self, images: Tensor) -> Head:
        """The last layer; `images` (N, C, H, W) as the model takes them, looked at the first time."""
        if self.found is None:
            pair = images[:2] if len(images) > 1 else images.repeat(2, 1, 1, 1)
            module, logits = self.subject.module, self.subject.logits
            self.found = features.find_head(module, logits, pair, black_box=self.subject.black_box)
        return self.found

    def answered(self, images: NDArray[np.generic]) -> tuple[Tensor, Tensor, NDArray[np.uint64]]:
        """Logits (N, K), features (N, D), kept from now on, and hashes (N,) of images (N, C, H, W) as decoded."""
        given = self.subject.to_input(np.ascontiguousarray(images))
        logits, seen = features.answered(self.subject.module, self.head(given), self.subject.logits, given)
        named, kept = hashes(images), seen.cpu()
        self.rows.update(zip(named.tolist(), kept, strict=True))
        return logits, kept, named

    def features(self, images: NDArray[np.generic]) -> Tensor:
        """Features (N, D) of images (N, C, H, W); the model is asked about those that it has not seen yet.

        Raises:
            AxisError: an image's features depend on the images beside it.
        """
        if not self.checked:
            features.check_alone(self._features, self.subject.to_input(np.ascontiguousarray(images[:2])))
            self.checked = True
        named = hashes(images).tolist()
        new = np.array([index for index, name in enumerate(named) if name not in self.rows], np.int64)
        if len(new):
            self.answered(images[new])
        return torch.stack([self.rows[name] for name in named])

    def _features(self, images: Tensor) -> Tensor:
        return features.features(self.subject.module, self.head(images), self.subject.logits, images)
