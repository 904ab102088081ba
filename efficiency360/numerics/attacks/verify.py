"""The check of each adversarial sample before it counts; what does not pass is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from efficiency360.numerics.attacks.ball import range_of
from efficiency360.numerics.attacks.method import misclassified

if TYPE_CHECKING:
    from efficiency360.numerics.attacks.ball import Ball

Logits: TypeAlias = Callable[[Tensor], Tensor]
"""(N, C, H, W) float in [0, 1] -> (N, K)."""

NOT_FINITE, OUTSIDE_RANGE, OUTSIDE_BALL, NOT_ADVERSARIAL = (
    "not_finite",
    "outside_range",
    "outside_ball",
    "not_adversarial",
)
REFUSALS = (NOT_FINITE, OUTSIDE_RANGE, OUTSIDE_BALL, NOT_ADVERSARIAL)


@dataclass(frozen=True)
class Proof:
    """`holds` (N,) bool; the recomputed logits (N, K); `refused`: how many for which first reason."""

    holds: Tensor
    logits: Tensor
    refused: dict[str, int]


def prove(logits: Logits, clean: Tensor, images: Tensor, labels: Tensor, ball: Ball | None) -> Proof:
    """Whether images (N, C, H, W) are adversarial: finite, in [0, 1], in the ball (None: any), and misclassified.

    The logits are computed anew, in a forward pass of these images alone, on a copy of them.
    """
    answers = forward(logits, images.clone())
    finite = images.flatten(1).isfinite().all(dim=1) & answers.isfinite().all(dim=1)
    within = torch.ones_like(finite) if ball is None else ball.inside(clean, images)
    passes = {
        NOT_FINITE: finite,
        OUTSIDE_RANGE: range_of(images),
        OUTSIDE_BALL: within,
        NOT_ADVERSARIAL: misclassified(answers, labels),
    }
    holds = torch.ones_like(finite)
    refused = {}
    for reason, passed in passes.items():
        if count := int((holds & ~passed).sum()):
            refused[reason] = count
        holds = holds & passed
    return Proof(holds, answers, refused)


def forward(logits: Logits, images: Tensor) -> Tensor:
    """(N, K) float32 logits (or float64 where the model's are) without a graph, as an ordinary tensor."""
    with torch.inference_mode():
        answers = logits(images)
    return at_least_float32(answers).clone()


def at_least_float32(answers: Tensor) -> Tensor:
    """Logits of a narrower type as float32."""
    return answers if answers.dtype in {torch.float32, torch.float64} else answers.float()
