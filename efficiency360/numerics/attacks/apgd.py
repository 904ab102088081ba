"""Auto-PGD (Croce and Hein 2020, arXiv 2003.01690): gradient ascent that halves its own step sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import losses, noise
from efficiency360.numerics.attacks.ball import per_row, put
from efficiency360.numerics.attacks.method import Fresh, Method, Rows, Seen, zeros

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.spec import Spec

_MOMENTUM = 0.75
_TINY = 1e-12


class Apgd(Method):
    """APGD on the cross-entropy (`apgd-ce`), the DLR loss (`apgd-dlr`) or the targeted DLR loss (`apgd-t`).

    Checkpoints (section 3.2): the first after 22 % of the steps, each period 3 % shorter than the one before but at
    least 6 %; there a step size is halved, and the search goes on from the best point, where the loss rose in too few
    steps (condition 1, rho) or neither the step size nor the best loss changed since the last checkpoint (condition 2).
    """

    def __init__(self, spec: Spec, ball: Ball, classes: int) -> None:
        super().__init__(spec, ball, classes)
        self._steps, self._rho = spec.count("steps"), spec.number("rho")
        self._first, self._shortest, self._shorter = (max(int(share * self._steps), 1) for share in (0.22, 0.06, 0.03))
        self._loss = spec.name
        if spec.name == "apgd-dlr" and classes < losses.DLR_CLASSES:
            self._loss = "apgd-ce"
            self.notes = (f"{spec.label} climbs the cross-entropy: the DLR loss needs 3 classes, here are {classes}",)
        if spec.name == "apgd-t" and classes < losses.TARGETED_DLR_CLASSES:
            self._loss = "difference"
            self.notes = (f"{spec.label} climbs the difference of logits: its DLR loss needs 4 classes, not {classes}",)

    def begin(self, fresh: Fresh) -> Rows:
        """Start at a random point: on the sphere for L2, with one pixel at the edge for Linf."""
        x = random_start(self.ball, fresh)
        flags = zeros(x, torch.bool)
        numbers = zeros(x, x.dtype)
        state = {
            "x": x, "label": fresh.labels, "target": fresh.targets,
            "old": x.clone(), "best": x.clone(), "best_grad": torch.zeros_like(x),
            "step": numbers + 2 * self.ball.eps, "it": zeros(x), "since": zeros(x), "period": zeros(x) + self._first,
            "rises": zeros(x), "loss": numbers, "best_loss": numbers.clone(), "mark": numbers.clone(),
            "halved": ~flags, "rose": flags,
        }  # fmt: skip
        return state | self._bounds(fresh.clean)

    def objective(self, rows: Rows, logits: Tensor) -> Tensor:
        """The loss of the attack's name."""
        if self._loss == "apgd-ce":
            return losses.cross_entropy(logits, rows["label"])
        if self._loss == "apgd-dlr":
            return losses.dlr(logits, rows["label"])
        towards = losses.targeted_dlr if self._loss == "apgd-t" else losses.difference
        return towards(logits, rows["label"], rows["target"])

    def advance(self, rows: Rows, seen: Seen) -> Tensor:
        """Remember the best, halve step sizes at checkpoints, take a step with momentum."""
        began = rows["it"] == 0
        better = (seen.loss > rows["best_loss"]) | began
        rows["rose"] |= better & ~began
        put(rows["best"], better, rows["x"])
        put(rows["best_grad"], better, seen.grad)
        rows["best_loss"] = torch.where(better, seen.loss, rows["best_loss"])
        rows["mark"] = torch.where(began, seen.loss, rows["mark"])
        rows["rises"] += (seen.loss > rows["loss"]) & ~began
        rows["loss"] = seen.loss
        rows["since"] += ~began
        self._checkpoint(rows, seen.grad)
        self._step(rows, seen.grad, began)
        rows["it"] += 1
        return rows["it"] > self._steps

    def idle(self, rows: Rows) -> Tensor:
        """Rows whose best loss is that of the start."""
        return ~rows["rose"]

    def _checkpoint(self, rows: Rows, grad: Tensor) -> None:
        """Halve the step sizes of rows that are at a checkpoint and get nowhere, and go back to their best point."""
        at = rows["since"] == rows["period"]
        if not at.any():
            return
        few = rows["rises"] <= self._rho * rows["period"]
        stuck = ~rows["halved"] & (rows["mark"] >= rows["best_loss"])
        halve = at & (few | stuck)
        rows["halved"] = torch.where(at, halve, rows["halved"])
        rows["mark"] = torch.where(at, rows["best_loss"], rows["mark"])
        rows["step"] = torch.where(halve, rows["step"] / 2, rows["step"])
        rows["period"] = torch.where(at, (rows["period"] - self._shorter).clamp(min=self._shortest), rows["period"])
        for name in ("since", "rises"):
            rows[name] = rows[name].masked_fill(at, 0)
        rows["loss"] = torch.where(halve, rows["best_loss"], rows["loss"])
        put(rows["x"], halve, rows["best"])
        put(grad, halve, rows["best_grad"])

    def _step(self, rows: Rows, grad: Tensor, began: Tensor) -> None:
        """Go to x + 0.75 (projected step - x) + 0.25 (x - the one before), projected; the first step is whole."""
        x, share = rows["x"], per_row(torch.where(began, 1.0, _MOMENTUM), grad)
        reach = per_row(rows["step"], grad)
        direction = torch.sign(grad) if self.ball.norm == "Linf" else unit(grad)
        towards = self._project(rows, torch.addcmul(x, direction, reach))
        moved = towards.sub_(x).mul_(share).add_(x).addcmul_(x - rows["old"], 1 - share)
        rows["old"], rows["x"] = x, self._project(rows, moved)

    def _bounds(self, clean: Tensor) -> Rows:
        """What projecting needs: for Linf the lowest and highest value of each pixel, not computed in every step."""
        if self.ball.norm != "Linf":
            return {"clean": clean}
        return {"low": (clean - self.ball.eps).clamp_(min=0), "high": (clean + self.ball.eps).clamp_(max=1)}

    def _project(self, rows: Rows, images: Tensor) -> Tensor:
        if "low" in rows:
            return torch.clamp(images, rows["low"], rows["high"])
        return self.ball.project(rows["clean"], images)


def unit(grad: Tensor) -> Tensor:
    """Each row divided by its Euclidean length; zeros stay zeros."""
    return grad / per_row(torch.linalg.vector_norm(grad.flatten(1), dim=1).clamp(min=_TINY), grad)


def random_start(ball: Ball, fresh: Fresh) -> Tensor:
    """A random point of the ball around each clean image: a direction stretched to the radius, then inside [0, 1]."""
    shape = fresh.clean.shape[1:]
    if ball.norm == "Linf":
        change = noise.uniform(fresh.keys, shape) * 2 - 1
        change /= per_row(change.flatten(1).abs().amax(dim=1).clamp(min=_TINY), change)
    else:
        change = unit(noise.normal(fresh.keys, shape))
    return ball.project(fresh.clean, fresh.clean + ball.eps * change.to(fresh.clean.dtype))
