"""How alike two maps are: rank correlation and structural similarity. Numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW = 7
_C1, _C2 = 0.01**2, 0.03**2


def average_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks from 1 of values (M,); equal ones share the mean of theirs."""
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    return np.asarray((last - (size - 1) / 2)[group], np.float64)


def rank_correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Spearman's rank correlation of values (M,), -1 to 1.

    Where one of the two is constant there is no order to share: 0. Where both are, neither has changed: 1.
    """
    first, second = average_ranks(one.ravel()), average_ranks(other.ravel())
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    if scale > 0:
        return float(np.clip((first * second).sum() / scale, -1, 1))
    return float(not first.any() and not second.any())


def structural_similarity(one: NDArray[np.floating], other: NDArray[np.floating]) -> float | None:
    """Mean SSIM of two maps (H, W), each stretched to 0..1 first; None where they are smaller than a window.

    Windows of 7 x 7, uniform weights, sample covariances (Wang et al. 2004, equation 13).
    """
    if min(one.shape) < WINDOW:
        return None
    windows = [np.lib.stride_tricks.sliding_window_view(_stretched(two), (WINDOW, WINDOW)) for two in (one, other)]
    x, y = (window.reshape(-1, WINDOW**2) for window in windows)
    mean_x, mean_y = x.mean(axis=1), y.mean(axis=1)
    rest = WINDOW**2 - 1
    var_x, var_y = x.var(axis=1, ddof=1), y.var(axis=1, ddof=1)
    both = ((x - mean_x[:, None]) * (y - mean_y[:, None])).sum(axis=1) / rest
    ratio = (2 * mean_x * mean_y + _C1) * (2 * both + _C2) / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))
    return float(ratio.mean())


def _stretched(values: NDArray[np.floating]) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low) if high > low else values * 0, np.float64)
