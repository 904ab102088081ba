"""ROC curves: the area with DeLong's interval, and the true-positive rate at a low false-positive rate. Numpy only.

Scores are of `members` (m,) and `others` (n,), both not empty; a higher score says "member". Ties count half in the
area; at a threshold only scores above it count as positive.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.calibration import auroc, cautious
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DRAWS = 20_000


def area(members: NDArray[np.float64], others: NDArray[np.float64], level: float = LEVEL) -> tuple[float, Interval]:
    """The area under the curve, 0.5 is chance, with DeLong's interval on the scale of log odds.

    DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837), with the variance from placements as ranks. Where one
    sample is small or nothing overlaps, the interval is at least Wilson's of the smaller sample (see `cautious`).
    """
    value = auroc(members, others)
    wins = _placements(members, others)
    losses = _placements(others, members)
    spread = math.sqrt(_mean_variance(wins) + _mean_variance(losses))
    found = Interval(low=value, high=value, level=level, method="delong")
    if 0 < value < 1:
        half = NormalDist().inv_cdf((1 + level) / 2) * spread / (value * (1 - value))
        odds = math.log(value / (1 - value))
        found = Interval(low=_share(odds - half), high=_share(odds + half), level=level, method="delong")
    wider = cautious(found, value, min(len(members), len(others)), (0.0, 1.0))
    return value, found if wider is found else wider.model_copy(update={"method": "delong, widened"})


def _placements(ones: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each score the share of the others that is below it, ties counting half."""
    ordered = np.sort(others)
    both = np.searchsorted(ordered, ones) + np.searchsorted(ordered, ones, side="right")
    shares: NDArray[np.float64] = both / (2 * len(others))
    return shares


def _mean_variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


def _share(odds: float) -> float:
    """The share with these log odds."""
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0  # noqa: PLR2004 - exp overflows at 710


def least_others(fpr: float, level: float = LEVEL) -> int:
    """How many negatives it takes before a true-positive rate at `fpr` in (0, 1) can be told from 0.

    The true threshold has a share `fpr` of negatives above it. With n of them the chance that none of the sample is
    above it is (1 - fpr)^n: while that exceeds (1 - level) / 2 the threshold has no upper bound, and the interval
    begins at 0 whatever the positives do. At 95 %: 368 for 1 %, 3,688 for 0.1 %.
    """
    return math.ceil(math.log((1 - level) / 2) / math.log1p(-fpr))


def least_rate(others: int, level: float = LEVEL) -> float:
    """The lowest false-positive rate that so many negatives resolve; see `least_others`."""
    return 1 - float(((1 - level) / 2) ** (1 / others))


def rate_at(members: NDArray[np.float64], others: NDArray[np.float64], fpr: float) -> float:
    """The largest true-positive rate of a threshold that at most a share `fpr` < 1 of the negatives is above."""
    allowed = math.floor(fpr * len(others) + 1e-9)  # 0.01 * 300 is a little less than 3
    threshold = np.sort(others)[::-1][allowed]
    return float((members > threshold).mean())


def rate_interval(
    members: NDArray[np.float64],
    others: NDArray[np.float64],
    fpr: float,
    rng: np.random.Generator,
    level: float = LEVEL,
) -> Interval:
    """Interval for the true-positive rate at a false-positive rate of exactly `fpr`, threshold and rate both sampled.

    How many negatives of the sample are above the true threshold is binomial, which says between which two of them it
    lies; given that, the rate has Clopper and Pearson's beta limits. Both are drawn, the lower limit with the higher
    threshold and the upper with the lower one, so it errs to the wide side (a confidence distribution as in Schweder
    and Hjort 2016, ch. 3, for a rate at an estimated quantile).
    """
    m, n = len(members), len(others)
    falling, ordered = np.sort(others)[::-1], np.sort(members)
    above = rng.binomial(n, fpr, _DRAWS)
    fewest = np.where(above > 0, _above(ordered, falling[above - 1]), 0)
    most = np.where(above < n, _above(ordered, falling[np.minimum(above, n - 1)]), m)
    lows = np.where(fewest > 0, rng.beta(np.maximum(fewest, 1), m - fewest + 1), 0.0)
    highs = np.where(most < m, rng.beta(most + 1, np.maximum(m - most, 1)), 1.0)
    value = rate_at(members, others, fpr)
    low, high = np.quantile(lows, (1 - level) / 2), np.quantile(highs, (1 + level) / 2)
    return Interval(
        low=min(float(low), value), high=max(float(high), value), level=level, method="beta over sampled thresholds"
    )


def _above(ordered: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    return len(ordered) - np.searchsorted(ordered, thresholds, side="right")


def curve(members: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False- and true-positive rates (T,) of every threshold, from 0 to 1, one point for all scores that are tied."""
    scores = np.unique(np.concatenate([members, others]))[::-1]
    fpr = 1 - np.searchsorted(np.sort(others), scores) / len(others)
    tpr = 1 - np.searchsorted(np.sort(members), scores) / len(members)
    return np.concatenate([[0.0], fpr]), np.concatenate([[0.0], tpr])
