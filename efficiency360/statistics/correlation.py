"""Rank correlation with an interval."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST = 4


def spearman(
    a: NDArray[np.float64], b: NDArray[np.float64], level: float = LEVEL
) -> tuple[float, Interval | None] | None:
    """Spearman's rho of two samples (N,) with Fisher's interval under the variance of Bonett and Wright.

    Ties share their mean rank. The interval is None for fewer than five pairs; the answer is None for fewer than two
    pairs, or where all values of a sample are alike.

    Source: Bonett and Wright 2000, Psychometrika 65:23, equation 3.
    """
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:  # noqa: PLR2004 - one pair has no order
        return None
    rho = float(np.corrcoef(ranks(a), ranks(b))[0, 1])
    rho = max(-1.0, min(1.0, rho))
    if len(a) <= _FEWEST:
        return rho, None
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt((1 + rho**2 / 2) / (len(a) - 3))
    middle = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, rho)))
    low, high = math.tanh(middle - half), math.tanh(middle + half)
    return rho, Interval(low=min(low, rho), high=max(high, rho), level=level, method="fisher, bonett-wright")


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 of values (N,), those of ties shared."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: NDArray[np.float64] = (last - (counts - 1) / 2)[group].astype(np.float64)
    return found
