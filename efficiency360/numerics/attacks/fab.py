"""Targeted FAB (Croce and Hein 2020, arXiv 1907.02044): the smallest change that crosses a decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import losses
from efficiency360.numerics.attacks.apgd import random_start
from efficiency360.numerics.attacks.ball import Ball, per_row
from efficiency360.numerics.attacks.method import Fresh, Method, Rows, Seen, misclassified, zeros
from efficiency360.numerics.attacks.projection import onto_hyperplane

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.spec import Spec

_LEAST = 1e-8


class Fab(Method):
    """`fab-t`: linearise the boundary to the target, step onto it with a pull to the clean image, step back, again.

    One evaluation serves as the check of a step and as the gradient of the next. A point that is misclassified is drawn
    back to the clean image and needs a gradient there; so where the last step crossed the boundary, the next is first
    looked at without a gradient (column `look`).
    """

    def __init__(self, spec: Spec, ball: Ball, classes: int) -> None:
        super().__init__(spec, ball, classes)
        self.radius_free = spec.count("restarts") == 1  # only the starts of restarts know the radius

    def begin(self, fresh: Fresh) -> Rows:
        """Start at the clean image; a restart half the radius away from it."""
        half = Ball(self.ball.norm, self.ball.eps / 2)
        again = per_row(fresh.restarts > 0, fresh.clean)
        x = torch.where(again, random_start(half, fresh), fresh.clean)
        flags = zeros(x, torch.bool)
        far = zeros(x, torch.float64) + torch.inf
        return {
            "x": x, "clean": fresh.clean, "label": fresh.labels, "target": fresh.targets, "it": zeros(x),
            "near": x.clone(), "distance": far, "look": flags, "hit": flags.clone(), "settled": ~flags,
        }  # fmt: skip

    def objective(self, rows: Rows, logits: Tensor) -> Tensor:
        """The difference of the target's and the label's logit, whose zero is the boundary."""
        return losses.difference(logits, rows["label"], rows["target"])

    def claims(self, rows: Rows, seen: Seen) -> Tensor:
        """Misclassified and within the radius: on the way it also meets adversarial images outside."""
        wrong = misclassified(seen.logits, rows["label"])
        return wrong & (self.ball.length(rows["x"] - rows["clean"]) <= self.ball.eps) if wrong.any() else wrong

    def advance(self, rows: Rows, seen: Seen) -> Tensor:
        """Note what crossed the boundary and draw it back; step where there is a gradient."""
        wrong = misclassified(seen.logits, rows["label"])
        self._note(rows, wrong)
        checked = ~rows["settled"]
        rows["hit"] = torch.where(checked, wrong, rows["hit"])
        back = checked & wrong
        over = checked & (rows["it"] >= self.spec.count("steps"))
        go = ~back & seen.graded
        if go.any():
            self._step(rows, seen, go)
        mask = per_row(back, rows["x"])
        drawn = torch.lerp(rows["clean"], rows["x"], self.spec.number("beta"))
        rows["x"] = torch.where(mask, drawn, rows["x"])
        rows["settled"] = ~go  # a drawn-back point, or one that was only looked at, still needs its gradient
        rows["it"] += go
        rows["look"] = go & (rows["hit"] | (rows["it"] >= self.spec.count("steps")))
        return over

    def nearest(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The nearest adversarial image of this try."""
        return rows["near"], rows["distance"]

    def _note(self, rows: Rows, wrong: Tensor) -> None:
        if not wrong.any():
            return
        length = self.ball.length(rows["x"] - rows["clean"])
        nearer = wrong & (length < rows["distance"])
        rows["near"] = torch.where(per_row(nearer, rows["x"]), rows["x"], rows["near"])
        rows["distance"] = torch.where(nearer, length, rows["distance"])

    def _step(self, rows: Rows, seen: Seen, go: Tensor) -> None:
        """Both projections onto the linearised boundary, from here and from the clean image, mixed (algorithm 1)."""
        x, clean, grad = rows["x"][go], rows["clean"][go], seen.grad[go]
        at_clean = seen.loss[go] + (grad * (clean - x)).flatten(1).sum(dim=1)
        here = onto_hyperplane(x, grad, seen.loss[go], self.ball.norm)
        there = onto_hyperplane(clean, grad, at_clean, self.ball.norm)
        a, b = (self.ball.length(change).clamp(min=_LEAST) for change in (here, there))
        share = per_row((a / (a + b)).clamp(max=self.spec.number("alpha_max")), x).to(x.dtype)
        eta = self.spec.number("eta")
        rows["x"] = rows["x"].clone()
        rows["x"][go] = torch.lerp(x + eta * here, clean + eta * there, share).clamp_(0, 1)
