"""What attacks climb: (N, K) logits -> (N,) losses, higher where an image is closer to being misclassified."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_TINY = 1e-12
DLR_CLASSES = 3
"""Fewest classes for which the DLR loss is defined."""
TARGETED_DLR_CLASSES = 4
"""Fewest classes for which the targeted DLR loss is defined."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, in nats."""
    return functional.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The largest other logit minus the label's: above 0 where misclassified; -inf where there is no other."""
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(dim=1) - _at(logits, labels)


def difference(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """The target's logit minus the label's."""
    return _at(logits, targets) - _at(logits, labels)


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio, at least 3 classes (Croce and Hein 2020, equation 6)."""
    top = logits.topk(DLR_CLASSES, dim=1)
    other = torch.where(top.indices[:, 0] == labels, top.values[:, 1], top.values[:, 0])
    return (other - _at(logits, labels)) / (top.values[:, 0] - top.values[:, 2] + _TINY)


def targeted_dlr(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Difference of logits ratio towards a target, at least 4 classes (Croce and Hein 2020, equation 7)."""
    top = logits.topk(TARGETED_DLR_CLASSES, dim=1).values
    scale = top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + _TINY
    return difference(logits, labels, targets) / scale


def _at(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None])[:, 0]
