"""What membership inference asks of the model: one pass over members and non-members, in an order that tells nothing.

In the worker only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.axes.privacy.leaks import MEMBERS
from efficiency360.dataset.likeness import looks
from efficiency360.numerics.membership import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.base import Evidence, Run
    from efficiency360.axes.privacy.remembered import Remembered


def observed(model: Remembered, run: Run, *, heads: int, batch_size: int) -> Iterator[Evidence]:
    """Yield of each image its logits and its look, then the log odds under reference heads.

    `logits` (N, K) float32, `readable` (N,) bool, `look` (N, 256) float16 (see `dataset.likeness`), `pixels` (N,)
    uint64, a hash of the image as the model gets it. With heads: `reference` (N, R) float32 log odds of the label,
    `reference_trained` (N, R) bool, `on_logits` (1,) bool: the heads had the logits for features.
    """
    data, given = run.sources[MEMBERS], run.given[MEMBERS].astype(np.int64)
    labels, classes = torch.from_numpy(given), len(np.unique(given))
    count = references.affordable(heads, len(data), classes) if classes > 1 else 0
    total = len(data) + (references.STEPS if count else 0)
    features: list[torch.Tensor] = []
    for batch in data.batches(batch_size):
        logits, seen, pixels = model.answered(batch.images)
        features.append(seen)
        yield {
            "logits": logits.float().cpu().numpy(),
            "readable": batch.readable,
            "look": looks(batch.images),
            "pixels": pixels,
        }
        run.progress(batch.start + len(batch.readable), total)
    if count:
        odds, trained = references.reference_odds(
            torch.cat(features).nan_to_num(),
            labels,
            count,
            run.seed,
            lambda step: run.progress(len(data) + step, total),
        )
        yield {
            "reference": odds.numpy(),
            "reference_trained": trained.numpy(),
            "on_logits": np.array([model.found is not None and not model.found.name]),
        }
