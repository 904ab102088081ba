"""What attacks and corruptions left of the model's answers, checked against its answers to the clean images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels

_MAY_CHANGE = 0.02
"""Of the clean predictions: other batch sizes round otherwise."""


@dataclass(frozen=True)
class Seen:
    """Evidence of the axis; `attacked` (A,) and `spoiled` (S,) are positions of images, None where there was none.

    `right` (A,) says that the clean image is classified right; `fell_at` (A,) is the index in `eps` (E,), ascending, of
    the smallest radius at which it fell, -1 where it never did. `correct` (S, P) is whether the image under each pair
    of `corruption` (P,) and `severity` (P,) is classified right, `clean` (S,) whether it is as it is.
    """

    evidence: Evidence
    labels: Labels
    attacked: NDArray[np.int64] | None
    right: NDArray[np.bool_]
    fell_at: NDArray[np.int64]
    eps: tuple[float, ...]
    spoiled: NDArray[np.int64] | None
    correct: NDArray[np.bool_]
    clean: NDArray[np.bool_]

    @classmethod
    def read(cls, evidence: Evidence, labels: Labels) -> Seen:
        """Take the evidence apart.

        Raises:
            AxisError: it does not fit together, or the labels, or what the model said of the clean images.
        """
        classes = labels.classes
        clean = evidence["accuracy.logits"].argmax(axis=1) == classes
        attacked, spoiled = evidence.get("attacked"), evidence.get("spoiled")
        for positions in (attacked, spoiled):
            _check_positions(positions, len(classes))
        right, fell_at = np.zeros(0, bool), np.zeros(0, np.int64)
        eps: tuple[float, ...] = ()
        if attacked is not None:
            right, fell_at = evidence["attacked_right"].astype(bool), evidence["attacked_fell_at"].astype(np.int64)
            eps = tuple(float(radius) for radius in evidence["eps"])
            _check_attacked(right, fell_at, clean[attacked.astype(np.int64)], len(eps))
        correct = np.zeros((0, 0), bool)
        if spoiled is not None:
            predicted = evidence["spoiled_predicted"]
            if predicted.shape != (len(spoiled), len(evidence["corruption"])):
                raise AxisError("the answers to corrupted images do not fit their number")
            correct = predicted == classes[spoiled.astype(np.int64)][:, None]
        return cls(
            evidence=evidence,
            labels=labels,
            attacked=None if attacked is None else attacked.astype(np.int64),
            right=right,
            fell_at=fell_at,
            eps=eps,
            spoiled=None if spoiled is None else spoiled.astype(np.int64),
            correct=correct,
            clean=clean[spoiled.astype(np.int64)] if spoiled is not None else np.zeros(0, bool),
        )

    @property
    def left_out(self) -> dict[str, str]:
        """Corruptions that were left out, each with why, as `numerics.corruptions.unfit` says it."""
        names, why = (self.evidence.get(name, np.array([], np.str_)) for name in ("left_out", "left_out_why"))
        return dict(zip(map(str, names), map(str, why), strict=True))

    def survived(self, index: int) -> NDArray[np.bool_]:
        """Whether each attacked image (A,) is right, and right still at radius `eps[index]`."""
        return self.right & ((self.fell_at < 0) | (self.fell_at > index))


def _check_positions(positions: NDArray[np.generic] | None, n: int) -> None:
    if positions is None:
        return
    found = positions.astype(np.int64)
    if found.ndim != 1 or not len(found) or len(np.unique(found)) < len(found) or found.min() < 0 or found.max() >= n:
        raise AxisError("the images that were attacked or corrupted are not those of the data")


def _check_attacked(right: NDArray[np.bool_], fell_at: NDArray[np.int64], clean: NDArray[np.bool_], radii: int) -> None:
    if not right.shape == fell_at.shape == clean.shape or (fell_at >= radii).any() or (fell_at < -1).any():
        raise AxisError("what the attacks left does not fit the number of images and radii")
    changed = int((right != clean).sum())
    if changed > max(1, _MAY_CHANGE * len(clean)):
        raise AxisError(
            f"of {len(clean)} clean images {changed} were answered otherwise than before: the model's answers depend on"
            " what came before, or on chance"
        )
