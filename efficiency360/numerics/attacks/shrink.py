"""A smaller adversarial change on the line between an adversarial image and its clean one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks.ball import per_row
from efficiency360.numerics.attacks.case import Found
from efficiency360.numerics.attacks.method import misclassified
from efficiency360.numerics.attacks.verify import forward, prove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.case import Case
    from efficiency360.numerics.attacks.verify import Logits

_ROUNDS = 10


def shrink(stand_in: Logits, logits: Logits, found: Sequence[tuple[Case, Found]], ball: Ball) -> list[Found]:
    """What is found of each image after ten bisections, checked at its end; what is known where the check fails.

    The box and the ball are convex: every point of the line is inside both.
    """
    clean = torch.stack([case.clean for case, _ in found])
    far = torch.stack([known.image for _, known in found])
    labels = torch.tensor([case.label for case, _ in found], device=clean.device)
    low, high = (torch.full((len(clean),), share, device=clean.device) for share in (0.0, 1.0))
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        wrong = misclassified(forward(stand_in, torch.lerp(clean, far, per_row(middle, clean))), labels)
        low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
    near = torch.where(per_row(high < 1, far), torch.lerp(clean, far, per_row(high, clean)), far)
    proof, lengths = prove(logits, clean, near, labels, None), ball.length(near - clean).tolist()
    for case, _ in found:
        case.queries += _ROUNDS + 1
    return [
        Found(near[row].clone(), proof.logits[row].clone(), lengths[row], known.spec)
        if proof.holds[row] and lengths[row] < known.distance
        else known
        for row, (_, known) in enumerate(found)
    ]
