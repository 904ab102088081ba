"""Whether members and non-members differ in what they show, so that an attack would tell them without any model.

An attack that only picks up a difference of time, place or camera measures no memory (Das, Zhang and Tramer 2024,
Blind baselines beat membership inference attacks, arXiv 2406.16201).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Caveat
from efficiency360.statistics import roc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.privacy.membership_seen import Seen

_FOLDS, _RIDGE = 5, 0.1
_LEVEL = 0.975


def doubts(seen: Seen) -> Iterator[Caveat]:
    """Name a difference that thumbnails of 16 x 16 show, beyond chance, to a linear classifier on images held out."""
    value, interval = roc.area(*_scores(seen), _LEVEL)
    if interval.low > 0.5:  # noqa: PLR2004 - chance
        text = (
            f"Members and non-members do not look alike: thumbnails tell them apart without the model, AUC {value:.3f}"
            f" ({interval.low:.3f} to {interval.high:.3f}). What the attacks find may be that and not memory;"
            " take both kinds from one source at random."
        )
        yield Caveat(id="privacy.members_look_different", severity="warning", text=text)


def _scores(seen: Seen) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of members and non-members, each by ridge regression on the images of the other folds."""
    looks = seen.whole["look"][seen.rows].astype(np.float64)
    target = np.where(seen.member, 1.0, -1.0)
    fold = np.random.default_rng(len(target)).permutation(len(target)) % _FOLDS
    scores = np.empty(len(target))
    for number in range(_FOLDS):
        held = fold == number
        centre, mean = looks[~held].mean(axis=0), target[~held].mean()
        x = looks[~held] - centre
        gram = x.T @ x
        gram[np.diag_indices_from(gram)] += _RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12) * len(gram) ** 0.5
        scores[held] = (looks[held] - centre) @ np.linalg.solve(gram, x.T @ (target[~held] - mean)) + mean
    return scores[seen.member], scores[~seen.member]
