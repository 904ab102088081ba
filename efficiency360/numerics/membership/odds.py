"""The log odds of the label: a loss that does not saturate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """log(p / (1 - p)) (N,) of the probability that logits (N, K) give to the labels (N,), K >= 2.

    It falls as the loss grows, and tells apart what a loss near 0 rounds to one number (Carlini et al. 2022, eq. 6).
    """
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], float("-inf"))
    return own[:, 0] - torch.logsumexp(others, dim=1)
