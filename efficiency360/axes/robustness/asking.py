"""Asking a model for the same images in several ways: an honest model answers the same in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from efficiency360.axes.base import Evidence
    from efficiency360.subject.subject import Subject


@dataclass(frozen=True)
class Asked:
    """A few images of the data (n, C, H, W) in [0, 1], and their positions (n,)."""

    subject: Subject
    images: Tensor
    positions: NDArray[np.int64]

    def before(self) -> Evidence:
        """Logits (n, K) of the images twice in a row, and once while their gradients are asked for."""
        graded = {"asked_graded": self._graded()} if self.subject.differentiable else {}
        return {"asked": self.positions, "asked_first": self._plain(), "asked_again": self._plain(), **graded}

    def after(self) -> Evidence:
        """Logits once more, after the attacks."""
        return {"asked_after": self._plain()}

    def _plain(self) -> NDArray[np.float32]:
        with torch.inference_mode():
            return _array(self.subject.logits(self.images.clone()))

    def _graded(self) -> NDArray[np.float32]:
        with torch.enable_grad():
            return _array(self.subject.logits(self.images.clone().requires_grad_()))


def _array(logits: Tensor) -> NDArray[np.float32]:
    return np.asarray(logits.detach().float().cpu().numpy()).copy()
