"""A run with canaries: training that is watched, with examples in it that a fair coin put there or left out."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Training(Protocol):
    """Private training of a head on some canaries, and what it shows of each afterwards."""

    def __call__(self, features: Tensor, labels: Tensor, include: Tensor, seed: int) -> Tensor:
        """Train on the canaries with `include` (m,) True, beside whatever else it trains on; score them all.

        Args:
            features: (m, D) float, of the canaries.
            labels: (m,) int64.
            include: (m,) bool; the others must not be trained on.
            seed: of everything random in the training.

        Returns:
            (m,) scores, higher where the canary looks trained on; they may depend on all that the training released,
            such as the noisy gradients, and on nothing else that depends on `include`.
        """


def planted(features: Tensor, classes: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Canaries (count, D) and (count,): random directions as long as the features (N, D), with random labels.

    What no image looks like is remembered, if anything is, by the canary alone; in many dimensions random directions
    hardly interfere.
    """
    length = features.float().norm(dim=1).mean()
    drawn = torch.randn(count, features.shape[1], generator=generator)
    labels = torch.randint(classes, (count,), generator=generator)
    return drawn / drawn.norm(dim=1, keepdim=True) * length, labels


def alignment(update: Tensor, start: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    """Scores (m,): how far a head moved against each canary's own first gradient.

    The scalar product of the whole update of the weights (K, D) with the gradient of the canary's log loss at `start`
    (K, D), both negative where the canary was learnt; of unit length, as clipping leaves it (the white-box auditor of
    Steinke et al. 2023, section 6).
    """
    chances = torch.softmax(features @ start.T, dim=1)
    residual = torch.nn.functional.one_hot(labels, len(start)).to(chances) - chances
    length = residual.norm(dim=1) * features.norm(dim=1)
    products = ((features @ update.T) * residual).sum(dim=1)
    scores: Tensor = products / length.clamp_min(torch.finfo(products.dtype).tiny)
    return scores


def watched(train: Training, features: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Flip a fair coin for each canary (m, D), (m,), train, and return the coins (m,) bool and the scores (m,).

    Raises:
        ValueError: the training answers something else than a finite score for each canary.
    """
    generator = torch.Generator().manual_seed(seed)
    include = torch.randint(2, (len(labels),), generator=generator).bool()
    scores = train(features, labels, include, seed)
    if scores.shape != include.shape or not bool(torch.isfinite(scores).all()):
        raise ValueError("private training with canaries gave no finite score for each of them")
    return include, scores.detach().double().cpu()
