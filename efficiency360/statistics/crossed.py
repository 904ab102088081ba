"""Means over images and trainings: both vary, and an interval has to allow for both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from efficiency360.records import Interval
from efficiency360.statistics.intervals import LEVEL
from efficiency360.statistics.timing import t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def with_trainings(
    images: Interval, value: float, means: NDArray[np.float64], bounds: tuple[float, float], level: float = LEVEL
) -> Interval:
    """Widen an interval that covers the choice of images so that it covers the trainings' chance as well.

    Square-and-add (Zou and Donner 2008, Statistics in Medicine 27:1693) of the distances of the images' interval and of
    Student's interval of the trainings' means. Where images and trainings meet, what is left of their interplay is in
    both, so the interval is rather too wide than too narrow.

    Args:
        images: the interval of the mean over images, each image's number averaged over the trainings.
        value: the mean over images and trainings.
        means: the mean over images of each training, (S,), S > 1.
        bounds: between which numbers the mean has to be.
        level: confidence level in (0, 1).
    """
    n = len(means)
    half = t_quantile((1 + level) / 2, n - 1) * float(means.std(ddof=1)) / math.sqrt(n)
    low, high = value - math.hypot(value - images.low, half), value + math.hypot(images.high - value, half)
    return Interval(
        low=max(bounds[0], low), high=min(bounds[1], high), level=level, method=f"{images.method}, with trainings"
    )
