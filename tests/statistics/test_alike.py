"""Likeness of maps against scipy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from efficiency360.statistics.alike import average_ranks, rank_correlation, structural_similarity


@pytest.mark.parametrize("levels", [3, 50, 100_000])
def test_rank_correlation_is_scipy_s(levels):
    rng = np.random.default_rng(levels)
    one = rng.integers(0, levels, 60).astype(float)
    other = one + rng.normal(size=60) * levels
    other[::3] = 0
    assert rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    np.testing.assert_allclose(average_ranks(one), stats.rankdata(one))


def test_what_is_constant_shares_no_order_unless_both_are():
    flat, slope = np.full((4, 4), 0.3), np.arange(16.0).reshape(4, 4)
    assert rank_correlation(flat, slope) == rank_correlation(slope, flat) == 0
    assert rank_correlation(flat, flat * 0) == 1
    assert rank_correlation(slope, -slope) == -1


def test_structural_similarity_is_scikit_image_s():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    one = rng.uniform(-3, 5, (14, 14))
    other = one + rng.normal(size=one.shape)
    stretched = [(some - some.min()) / np.ptp(some) for some in (one, other)]
    expected = metrics.structural_similarity(*stretched, data_range=1.0)
    assert structural_similarity(one, other) == pytest.approx(expected)
    assert structural_similarity(one, one) == pytest.approx(1)
    assert structural_similarity(one[:5], other[:5]) is None
