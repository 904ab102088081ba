"""Means of resamples without resampling image by image: drawn as how often each distinct value occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 1024
_CELLS = 32


def means_of_resamples(parts: NDArray[np.float64], rng: np.random.Generator, resamples: int) -> NDArray[np.float64]:
    """The means (R,) of resamples of `parts` (N,), drawn as how often each distinct value occurs.

    More than 1024 distinct values are put into as many bins of equal mass; what varies within a bin is added as a
    normal number, so mean and variance are those of resampling.
    """
    distinct, counts = np.unique(parts, return_counts=True)
    if len(distinct) <= _BINS:
        drawn = rng.multinomial(len(parts), counts / len(parts), size=resamples)
        means: NDArray[np.float64] = drawn @ distinct / len(parts)
        return means
    bins = np.arange(len(parts)) * _BINS // len(parts)
    ordered, sizes = np.sort(parts), np.bincount(bins)
    centres = np.bincount(bins, ordered) / sizes
    variances = np.bincount(bins, (ordered - centres[bins]) ** 2) / sizes
    drawn = rng.multinomial(len(parts), sizes / len(parts), size=resamples)
    smooth: NDArray[np.float64] = drawn @ centres + np.sqrt(drawn @ variances) * rng.normal(size=resamples)
    return smooth / len(parts)


def pairs_of_means(
    pairs: NDArray[np.float64], size: int, rng: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Both means (2, R) of resamples of `size` pairs out of `pairs` (2, n); normal for more than 32 distinct pairs."""
    cells, counts = np.unique(pairs, axis=1, return_counts=True)
    if len(counts) > _CELLS:
        covariance = np.cov(pairs, bias=True) / size
        normal: NDArray[np.float64] = rng.multivariate_normal(pairs.mean(axis=1), covariance, size=resamples).T
        return normal
    means: NDArray[np.float64] = cells @ rng.multinomial(size, counts / counts.sum(), size=resamples).T / size
    return means
