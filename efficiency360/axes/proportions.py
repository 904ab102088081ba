"""Shares of images as axes report them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.records import Measurement
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Param


def proportion(name: str, successes: int, n: int, params: Mapping[str, Param]) -> Measurement:
    """`successes` of `n` > 0 images as a measurement of which more is better, with Wilson's interval."""
    interval = wilson(successes, n)
    return Measurement(
        name=name, value=successes / n, unit="proportion", better="higher", n=n, interval=interval, params=dict(params)
    )
