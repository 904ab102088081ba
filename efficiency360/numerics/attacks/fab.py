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
    back to the clean image and needs a gradient there; so once a try has crossed the boundary, and may do so again in
    each step, steps are first looked at without a gradient (column `look`).
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
            "near": x.clone(), "distance": far, "look": flags, "crossed": flags.clone(), "settled": ~flags,
        }  # fmt: skip

    def objective(self, rows: Rows, logits: Tensor) -> Tensor:
        """The difference of the target's and the label's logit, whose zero is the boundary."""
        return losses.difference(logits, rows["label"], rows["target"])

    def claims(self, rows: Rows, seen: Seen) -> Tensor:
        """Misclassified and within the radius: on the way it also meets adversarial images outside."""
        wrong = misclassified(seen.logits, rows["label"])
        at = wrong.nonzero()[:, 0]
        wrong[at] = self.ball.length(rows["x"].index_select(0, at) - rows["clean"].index_select(0, at)) <= self.ball.eps
        return wrong

    def advance(self, rows: Rows, seen: Seen) -> Tensor:
        """Note what crossed the boundary and draw it back; step where there is a gradient."""
        wrong = misclassified(seen.logits, rows["label"])
        self._note(rows, wrong)
        checked = ~rows["settled"]
        back = checked & wrong
        rows["crossed"] |= back
        over = checked & (rows["it"] >= self.spec.count("steps"))
        go = ~back & seen.graded
        for chosen, onward in ((go, self._stepped), (back, self._drawn_back)):
            at = chosen.nonzero()[:, 0]
            if len(at):
                rows["x"].index_copy_(0, at, onward(rows, seen, at))
        rows["settled"] = ~go  # a drawn-back point, or one that was only looked at, still needs its gradient
        rows["it"] += go
        rows["look"] = go & (rows["crossed"] | (rows["it"] >= self.spec.count("steps")))
        return over

    def nearest(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The nearest adversarial image of this try."""
        return rows["near"], rows["distance"]

    def _note(self, rows: Rows, wrong: Tensor) -> None:
        """Keep the points that are misclassified and nearer than any before."""
        at = wrong.nonzero()[:, 0]
        length = self.ball.length(rows["x"].index_select(0, at) - rows["clean"].index_select(0, at))
        nearer = length < rows["distance"][at]
        at = at[nearer]
        rows["near"][at], rows["distance"][at] = rows["x"].index_select(0, at), length[nearer]

    def _drawn_back(self, rows: Rows, seen: Seen, at: Tensor) -> Tensor:  # noqa: ARG002 - called like `_stepped`
        """Points on the line to the clean image."""
        return torch.lerp(rows["clean"].index_select(0, at), rows["x"].index_select(0, at), self.spec.number("beta"))

    def _stepped(self, rows: Rows, seen: Seen, at: Tensor) -> Tensor:
        """Both projections onto the linearised boundary, from here and from the clean image, mixed (algorithm 1)."""
        x, clean, grad, height = (
            rows["x"].index_select(0, at),
            rows["clean"].index_select(0, at),
            seen.grad.index_select(0, at),
            seen.loss[at],
        )
        at_clean = height + torch.linalg.vecdot(grad.flatten(1), (clean - x).flatten(1))
        here = onto_hyperplane(x, grad, height, self.ball.norm)
        there = onto_hyperplane(clean, grad, at_clean, self.ball.norm)
        a, b = (self.ball.length(change).clamp(min=_LEAST) for change in (here, there))
        share = per_row((a / (a + b)).clamp(max=self.spec.number("alpha_max")), x).to(x.dtype)
        eta = self.spec.number("eta")
        return torch.lerp(x.add_(here, alpha=eta), clean.add_(there, alpha=eta), share).clamp_(0, 1)
