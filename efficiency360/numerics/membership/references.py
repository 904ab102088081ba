"""Reference heads: linear classifiers on cached features, each trained on a random half of the images.

An image that a head was not trained on shows how hard it is for a model that never saw its label: offline calibration
as in Watson et al. 2022 (arXiv 2111.08440) and Carlini et al. 2022 (arXiv 2112.03570, the offline attack of section
VI with a variance for all), in the manner of RMIA with few references (Zarifzadeh et al. 2024, arXiv 2312.03262).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from efficiency360.numerics.membership.odds import log_odds

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: Final = 100
FEWEST: Final = 4
_WIDTH = 64
_RATE, _DECAY = 0.1, 1e-3
_MOST_OPERATIONS = 4e11
"""About half a minute of one processor core."""


def affordable(wanted: int, images: int, classes: int) -> int:
    """How many reference heads, at most `wanted`, can be trained in about half a minute; 0 for fewer than four."""
    each = 6.0 * STEPS * images * classes * _WIDTH
    most = min(wanted, int(_MOST_OPERATIONS / each))
    return most if most >= FEWEST else 0


def reference_odds(
    features: Tensor, labels: Tensor, count: int, seed: int, progress: Callable[[int], None] = lambda _step: None
) -> tuple[Tensor, Tensor]:
    """Log odds (N, R) of the label under each of R heads, and whether the head was trained on the image (N, R).

    Args:
        features: (N, D) float.
        labels: (N,) classes, at least two different ones.
        count: R, at least 2; each image is in the training of R // 2 heads.
        seed: of the halves.
        progress: told how many of `STEPS` steps are done.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(len(features), count, generator=generator).argsort(dim=1)
    trained = order < count // 2
    classes = torch.searchsorted(labels.sort().values, labels)
    classes = torch.bincount(classes).ne(0).cumsum(0)[classes] - 1
    seen = _whitened(features.double(), seed).float()
    weights = _trained(seen, classes, trained, progress)
    with torch.inference_mode():
        odds = [log_odds(seen @ head, classes) for head in weights]
    return torch.stack(odds, dim=1), trained


def _whitened(features: Tensor, seed: int) -> Tensor:
    """The leading components (N, at most 64) with unit variance, and a column of ones."""
    centred = features - features.mean(dim=0)
    width = min(_WIDTH, *centred.shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, sizes, _ = torch.svd_lowrank(centred, q=width, niter=4)
    kept = sizes > sizes.max() * 1e-6
    return torch.cat([left[:, kept] * len(features) ** 0.5, left.new_ones(len(features), 1)], dim=1)


def _trained(seen: Tensor, classes: Tensor, trained: Tensor, progress: Callable[[int], None]) -> Tensor:
    """Weights (R, D, K) of softmax regressions, all trained at once on their own halves by Adam, full batch."""
    count, kinds = trained.shape[1], int(classes.max()) + 1
    weights = torch.zeros(count, seen.shape[1], kinds, requires_grad=True)
    share = (trained.float() / trained.sum(dim=0)).T
    optimiser = torch.optim.Adam([weights], lr=_RATE)
    target = classes.expand(count, -1)
    with torch.enable_grad():
        for step in range(STEPS):
            loss = torch.nn.functional.cross_entropy((seen @ weights).transpose(1, 2), target, reduction="none")
            total = (loss * share).sum() + _DECAY * weights.square().sum()
            optimiser.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            progress(step + 1)
    return weights.detach()
