"""One forward pass a step, backward in the same graph where gradients are needed, and what the gradients say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.errors import AxisError
from efficiency360.numerics.attacks.ball import per_row
from efficiency360.numerics.attacks.method import Method, Rows, Seen
from efficiency360.numerics.attacks.verify import at_least_float32, forward

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.outcome import Tally
    from efficiency360.numerics.attacks.verify import Logits

LOOK = "look"
"""Column of rows for which logits suffice in this step."""


class DetachedError(Exception):
    """The logits have no graph that leads to the images."""


def evaluate(method: Method, rows: Rows, logits: Logits, tally: Tally) -> Seen:
    """What the model says of each row's `x`.

    Raises:
        DetachedError: gradients are needed and torch sees no way from the logits to the images.
        AxisError: no gradient is finite.
    """
    look = rows.get(LOOK)
    tally.evaluations += len(rows["x"])
    if not method.gradients or (look is not None and bool(look.all())):
        return _looked(rows["x"], forward(logits, rows["x"]))
    if look is None or not look.any():
        return _graded(method, rows, logits, tally)
    near, far = look.nonzero()[:, 0], (~look).nonzero()[:, 0]
    graded = {name: rows[name].index_select(0, far) for name in rows if rows[name].dim() == 1 or name == "x"}
    seen = _graded(method, graded, logits, tally)
    x = rows["x"].index_select(0, near)
    return _merged(near, far, _looked(x, forward(logits, x)), seen)


def _looked(x: Tensor, answers: Tensor) -> Seen:
    nothing = answers.new_zeros(len(x))
    return Seen(answers, nothing, x.new_zeros(()).expand_as(x), nothing.bool())


def _graded(method: Method, rows: Rows, logits: Logits, tally: Tally) -> Seen:
    x = rows["x"].detach().requires_grad_()
    with torch.enable_grad():
        answers = at_least_float32(logits(x))
        if not answers.requires_grad:
            raise DetachedError
        loss = method.objective(rows, answers)
        (grad,) = torch.autograd.grad(loss.sum(), x, allow_unused=True)
    if grad is None:
        raise DetachedError
    grad = _counted(x, grad, tally)
    return Seen(answers.detach(), loss.detach(), grad, torch.ones_like(loss, dtype=torch.bool))


def _counted(x: Tensor, grad: Tensor, tally: Tally) -> Tensor:
    """The gradients with those that are not finite set to 0, and both kinds counted."""
    largest = grad.flatten(1).abs().amax(dim=1)
    tally.gradient_evaluations += len(grad)
    tally.zero_gradients += int((largest == 0).sum())
    broken = ~largest.isfinite()
    if not broken.any():
        return grad
    if broken.all() and x.detach().isfinite().all():  # else the attack itself went astray
        raise AxisError(
            f"{tally.label}: the model's gradients with respect to the images are not finite, so it cannot be attacked"
            " with gradients; look for a division by zero or an overflow in its layers, or use the attack 'square'"
        )
    tally.broken_gradients += int(broken.sum())
    return torch.where(per_row(broken, grad), 0, grad)


def _merged(near: Tensor, far: Tensor, looked: Seen, graded: Seen) -> Seen:
    """Both parts in the rows that they come from; a gradient that nobody asked for is left as it is in memory."""
    parts = []
    for name in ("logits", "loss", "grad", "graded"):
        one, other = getattr(looked, name), getattr(graded, name)
        whole = other.new_empty((len(near) + len(far), *other.shape[1:]))
        whole.index_copy_(0, far, other)
        if name != "grad":
            whole.index_copy_(0, near, one.to(other.dtype))
        parts.append(whole)
    return Seen(*parts)
