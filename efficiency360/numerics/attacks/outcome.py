"""What attacks found: a row an image, and counts an attack that say how far to trust them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.case import Row
    from efficiency360.numerics.attacks.spec import Spec

_COLUMNS = (
    ("positions", "position", np.int64),
    ("labels", "label", np.int64),
    ("right", "right", np.bool_),
    ("fell_at", "fell_at", np.int64),
    ("broken_by", "broken_by", np.int64),
    ("margin", "margin", np.float32),
    ("distance", "distance", np.float32),
    ("queries", "queries", np.int64),
    ("gradients", "gradients", np.int64),
)
"""Names here and in `Row`, and types."""


@dataclass
class Tally:
    """Counts of one attack at one radius; evaluations are counted in images.

    Attributes:
        label: the attack and its size.
        eps: the radius.
        gradients: whether the attack uses them.
        images: attacked, of which `fallen` fell.
        evaluations: forward passes, of which `gradient_evaluations` also ran backward.
        zero_gradients: of these, how many were 0 everywhere.
        broken_gradients: of these, how many were not finite (they count as 0).
        tries: starts (targets, restarts) that ran to their end.
        idle_tries: of these, how many never raised the loss above where it began.
        largest: the largest change at the end of a try or of a claimed success, in the norm.
        detached: the logits have no graph: there are no gradients at all, and the attack was left out.
        refused: claimed successes that did not pass the check, by reason (`verify.REFUSALS`).
    """

    label: str
    eps: float
    gradients: bool
    images: int = 0
    fallen: int = 0
    evaluations: int = 0
    gradient_evaluations: int = 0
    zero_gradients: int = 0
    broken_gradients: int = 0
    tries: int = 0
    idle_tries: int = 0
    largest: float = 0.0
    detached: bool = False
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def zero_share(self) -> float:
        """Share of gradients that are 0 everywhere; 0 without any gradient."""
        return self.zero_gradients / max(self.gradient_evaluations, 1)

    @property
    def idle_share(self) -> float:
        """Share of tries that never raised the loss; 0 without any that ended."""
        return self.idle_tries / max(self.tries, 1)

    @property
    def unmoved(self) -> bool:
        """Whether the attack, in a ball with room, never changed an image: it is none."""
        return self.eps > 0 and self.tries + self.fallen > 0 and self.largest == 0


@dataclass(frozen=True)
class Kept:
    """An adversarial image (C, H, W) in [0, 1] on the processor beside its clean one, with both logits (K,)."""

    position: int
    label: int
    clean: Tensor
    adversarial: Tensor
    clean_logits: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Outcome:
    """Row i of each array is the i-th image that was given.

    Attributes:
        specs: the attacks, in the order they ran.
        norm: "Linf" or "L2".
        eps: the radii, ascending.
        positions: (n,) as given.
        labels: (n,).
        right: (n,) bool, the clean image is classified right.
        fell_at: (n,) index into `eps` of the smallest radius at which the image fell; -1 where it never did.
        broken_by: (n,) index into `specs`; -1 where it did not fall.
        margin: (n,) the highest largest-other-minus-own logit that was reached; above 0 where misclassified.
        distance: (n,) length of the smallest verified adversarial change, also beyond `eps`; 0 where the clean image is
            misclassified, inf where none was found.
        queries: (n,) forward passes spent on the image, checks included.
        gradients: (n,) of these, how many ran backward.
        logits: (n, K) of the adversarial image where it fell, else of the clean one.
        kept: adversarial images of the first that fell.
        tallies: one for each radius and attack, in the order they ran.
        notes: what was done otherwise than asked, in sentences without a full stop.
    """

    specs: tuple[Spec, ...]
    norm: str
    eps: tuple[float, ...]
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    fell_at: NDArray[np.int64]
    broken_by: NDArray[np.int64]
    margin: NDArray[np.float32]
    distance: NDArray[np.float32]
    queries: NDArray[np.int64]
    gradients: NDArray[np.int64]
    logits: NDArray[np.float32]
    kept: tuple[Kept, ...]
    tallies: tuple[Tally, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        specs: Sequence[Spec],
        balls: Sequence[Ball],
        **more: Any,
    ) -> Outcome:
        """The rows as arrays; `more` are `kept`, `tallies` and `notes`."""
        whole: dict[str, Any] = {
            name: np.array([getattr(row, field) for row in rows], dtype=dtype) for name, field, dtype in _COLUMNS
        }
        whole["logits"] = np.stack([row.logits for row in rows]) if rows else np.zeros((0, 0), np.float32)
        return cls(tuple(specs), balls[0].norm, tuple(ball.eps for ball in balls), **whole, **more)

    @property
    def median_distance(self) -> float:
        """The median of `distance`: inf where most images survived, NaN without images."""
        return float(np.median(self.distance)) if len(self.distance) else np.nan

    @property
    def survived(self) -> NDArray[np.bool_]:
        """(n,) bool: right, and right still at the largest radius."""
        return self.right & (self.fell_at < 0)

    def survived_at(self, index: int) -> NDArray[np.bool_]:
        """(n,) bool: right, and right still at radius `eps[index]`."""
        return self.right & ((self.fell_at < 0) | (self.fell_at > index))

    @property
    def black_box_only(self) -> NDArray[np.bool_]:
        """(n,) bool: fell to an attack without gradients after one with gradients had failed: a sign of masking."""
        first = next((i for i, spec in enumerate(self.specs) if spec.gradients), len(self.specs))
        later = [i for i, spec in enumerate(self.specs) if not spec.gradients and i > first]
        return np.isin(self.broken_by, later)
