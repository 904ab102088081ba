"""One image on its way through the attacks, and the ledger where its story ends."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from efficiency360.numerics.attacks import losses
from efficiency360.numerics.attacks.outcome import Kept

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Found:
    """A verified adversarial image (C, H, W), its logits (K,), its distance, and the attack that found it."""

    image: Tensor
    logits: Tensor
    distance: float
    spec: int


@dataclass(eq=False)
class Case:
    """An image that is classified right: `order` of arrival, `targets` the other classes by their clean logits.

    `searched` are the specs that need no second search at another radius.
    """

    order: int
    position: int
    label: int
    clean: Tensor
    logits: Tensor
    targets: Tensor
    margin: float
    tried: int = 0
    queries: int = 1
    gradients: int = 0
    found: Found | None = None
    searched: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Row:
    """How the story of an image ended; fields as those of `Outcome`."""

    order: int
    position: int
    label: int
    right: bool
    fell_at: int
    broken_by: int
    margin: float
    distance: float
    queries: int
    gradients: int
    logits: np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class Ledger:
    """The rows of the outcome, in whatever order images are done with; only `keep` images stay in memory."""

    keep: int
    rows: list[Row] = field(default_factory=list)
    kept: list[tuple[int, Kept]] = field(default_factory=list)

    def misclassified(self, order: int, position: int, label: int, margin: float, logits: Tensor) -> None:
        """An image that is wrong without an attack."""
        self.rows.append(Row(order, position, label, False, -1, -1, margin, 0.0, 1, 0, _array(logits)))

    def survived(self, case: Case) -> None:
        """An image that no attack broke inside the largest ball."""
        distance = case.found.distance if case.found else math.inf
        self._add(case, (-1, -1, case.margin, distance), case.logits)

    def fell(self, case: Case, found: Found, eps_index: int, distance: float) -> None:
        """An image that fell at a radius; `distance` may be smaller than that of the image that was found."""
        label = case.clean.new_tensor([case.label]).long()
        margin = float(losses.margin(found.logits[None], label))
        self._add(case, (eps_index, found.spec, margin, distance), found.logits)
        if self.keep:
            images = (case.clean, found.image, case.logits, found.logits)
            kept = Kept(case.position, case.label, *(tensor.detach().cpu().clone() for tensor in images))
            heapq.heappush(self.kept, (-case.order, kept))
            if len(self.kept) > self.keep:
                heapq.heappop(self.kept)

    def ordered(self) -> list[Row]:
        """The rows in the order in which images came."""
        return sorted(self.rows, key=lambda row: row.order)

    def gallery(self) -> tuple[Kept, ...]:
        """What was kept, in the order in which images came."""
        return tuple(kept for _, kept in sorted(self.kept, key=lambda pair: -pair[0]))

    def _add(self, case: Case, ends: tuple[int, int, float, float], logits: Tensor) -> None:
        ends_and_costs = (*ends, case.queries, case.gradients)
        self.rows.append(Row(case.order, case.position, case.label, True, *ends_and_costs, _array(logits)))


def _array(logits: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return logits.detach().float().cpu().numpy().copy()
