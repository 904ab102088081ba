"""Round ends and ticks for axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS = 5
_STEPS = (1.0, 2.0, 5.0, 10.0)
_NARROWEST = 1.0


class Scale(NamedTuple):
    """An axis from `low` to `high` with `ticks`, straight or logarithmic."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False


def rounded(low: float, high: float, most: float = math.inf, narrowest: float = _NARROWEST) -> Scale:
    """An axis in steps of 1, 2 or 5 times a power of ten, that holds low and high and does not pass `most`.

    One that would be narrower than `narrowest` becomes wider, so that chance does not look like a difference.
    """
    if high - low < narrowest and low > 0:
        low, high = max(0.0, low - narrowest), min(most, high + narrowest)
    apart = step((high - low) / _PARTS or narrowest)
    first, last = math.floor(low / apart + 1e-9), math.ceil(high / apart - 1e-9)
    ticks = tuple(float(f"{index * apart:.9g}") for index in range(first, max(last, first + 1) + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def percent(shares: Sequence[float]) -> Scale:
    """An axis in percent that holds these proportions; it need not begin at 0."""
    return rounded(100 * min(shares), 100 * max(shares), most=100.0)


WHOLE = Scale(0.0, 100.0, (0.0, 25.0, 50.0, 75.0, 100.0))
"""All of 100 percent."""


def step(least: float) -> float:
    """The smallest round number that is not less than `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * factor for factor in _STEPS if power * factor >= least * (1 - 1e-9)), 10 * power)
