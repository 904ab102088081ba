"""Projected gradient descent (Madry et al. 2018, arXiv 1706.06083) on the cross-entropy, with steps of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import losses, noise
from efficiency360.numerics.attacks.apgd import unit
from efficiency360.numerics.attacks.ball import per_row
from efficiency360.numerics.attacks.method import Fresh, Method, Rows, Seen, zeros

if TYPE_CHECKING:
    from torch import Tensor

_REACH = 2.5
"""Radii that all steps together cover by default, as in the paper's experiments."""


class Pgd(Method):
    """`pgd`: a random start (uniform in the box for Linf, in the ball for L2), then `steps` steps of length `alpha`."""

    def begin(self, fresh: Fresh) -> Rows:
        """Start at a random point of the ball."""
        shape = fresh.clean.shape[1:]
        if self.ball.norm == "Linf":
            change = noise.uniform(fresh.keys, shape) * 2 - 1
        else:
            radius = noise.uniform(fresh.keys, (1,), draw=2) ** (1 / max(fresh.clean[0].numel(), 1))
            change = unit(noise.normal(fresh.keys, shape)) * per_row(radius[:, 0], fresh.clean)
        x = self.ball.project(fresh.clean, fresh.clean + self.ball.eps * change.to(fresh.clean.dtype))
        first = zeros(x, x.dtype) - torch.inf
        rose = zeros(x, torch.bool)
        return {"x": x, "clean": fresh.clean, "label": fresh.labels, "it": zeros(x), "first": first, "rose": rose}

    def objective(self, rows: Rows, logits: Tensor) -> Tensor:
        """The cross-entropy."""
        return losses.cross_entropy(logits, rows["label"])

    def advance(self, rows: Rows, seen: Seen) -> Tensor:
        """Take a step and project it."""
        began = rows["it"] == 0
        rows["first"] = torch.where(began, seen.loss, rows["first"])
        rows["rose"] = rows["rose"] | (seen.loss > rows["first"])
        alpha = self.spec.number("alpha") or _REACH * self.ball.eps / self.spec.count("steps")
        direction = torch.sign(seen.grad) if self.ball.norm == "Linf" else unit(seen.grad)
        rows["x"] = self.ball.project(rows["clean"], torch.add(rows["x"], direction, alpha=alpha))
        rows["it"] += 1
        return rows["it"] > self.spec.count("steps")

    def idle(self, rows: Rows) -> Tensor:
        """Rows whose loss never rose above that of the start."""
        return ~rows["rose"]
