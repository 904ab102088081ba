"""What an attack is: a state machine whose every tensor has one row an image, so that rows come and go."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from efficiency360.numerics.attacks import losses

if TYPE_CHECKING:
    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.spec import Spec

Rows: TypeAlias = dict[str, Tensor]
"""State by name, each with the batch as its first dimension; `x` (the images to evaluate next) and `label` always."""


@dataclass(frozen=True)
class Fresh:
    """Rows that begin a try: clean images (N, C, H, W); labels, targets, noise keys, number of the restart (N,)."""

    clean: Tensor
    labels: Tensor
    targets: Tensor
    keys: Tensor
    restarts: Tensor


@dataclass(frozen=True)
class Seen:
    """What the model said of `x`: logits (N, K), losses (N,), gradients like `x`; `graded` (N,) where there are any.

    Where there is no gradient, what stands in its place means nothing.
    """

    logits: Tensor
    loss: Tensor
    grad: Tensor
    graded: Tensor


class Method(ABC):
    """One attack on one ball; the driver evaluates, checks successes, and removes rows.

    `gradients` says whether it needs them; `radius_free` that its search is the same in every ball, so that an image
    that has gone through it need not do so again; `notes` what it did otherwise than its name says.
    """

    gradients: bool = True
    radius_free: bool = False

    def __init__(self, spec: Spec, ball: Ball, classes: int) -> None:
        self.spec, self.ball, self.classes = spec, ball, classes
        self.notes: tuple[str, ...] = ()
        self.targets = min(spec.count("targets"), classes - 1)

    @property
    def tries(self) -> int:
        """How often an image is tried before it counts as having survived."""
        return self.spec.count("restarts") * self.targets

    @abstractmethod
    def begin(self, fresh: Fresh) -> Rows:
        """The state in which a try begins; may draw from `fresh.keys` and from nothing else."""

    def objective(self, rows: Rows, logits: Tensor) -> Tensor:
        """(N,) what to climb; its gradient with respect to `x` comes back in `Seen`.

        Of `rows` it sees `x` and the columns of one number a row.
        """
        return losses.margin(logits, rows["label"])

    def claims(self, rows: Rows, seen: Seen) -> Tensor:
        """(N,) bool: rows whose `x` is claimed to be adversarial; each is checked in a forward pass of its own."""
        return misclassified(seen.logits, rows["label"])

    @abstractmethod
    def advance(self, rows: Rows, seen: Seen) -> Tensor:
        """Change `rows` to what is to be evaluated next; (N,) bool: whose try is over."""

    def idle(self, rows: Rows) -> Tensor | None:  # noqa: ARG002 - for those who override it
        """(N,) bool: rows whose loss has not risen above where it began; None where it has no such notion."""
        return None

    def nearest(self, rows: Rows) -> tuple[Tensor, Tensor] | None:  # noqa: ARG002 - the same
        """Adversarial images outside the ball found on the way and their distances (N,), inf where none was found."""
        return None


def misclassified(logits: Tensor, labels: Tensor) -> Tensor:
    """(N,) bool: the predicted class, the lowest of equals, is not the label."""
    return logits.argmax(dim=1) != labels


def zeros(like: Tensor, dtype: torch.dtype = torch.int64) -> Tensor:
    """(N,) zeros beside `like` (N, ...)."""
    return torch.zeros(len(like), dtype=dtype, device=like.device)
