"""Signs that what was timed is not the work: answers that were remembered, put off, or other than those that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Caveat
from efficiency360.statistics import timing
from efficiency360.units import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.speed.timed import Timed

_FASTER = 1.5  # of the rate of a large matrix product; a convolution may save multiplications, but not that many
_REMEMBERED, _READING_MS = 3.0, 0.05
_NOTHING = np.array([])


def doubts(timed: Timed) -> Iterator[Caveat]:
    """Each with what it was seen by."""
    evidence = timed.evidence
    if evidence.get("timed_differently", _NOTHING).any():
        text = "It answers otherwise while it is timed: what was timed is not what it computes."
        yield Caveat(id="speed.timed_differently", severity="critical", text=text)
    yield from _remembers(timed)
    yield from _impossible(timed)


def _remembers(timed: Timed) -> Iterator[Caveat]:
    unseen, seen = (timed.evidence.get(name, _NOTHING).astype(np.float64) for name in ("unseen_ms", "seen_ms"))
    if not len(unseen) or not len(seen):
        return
    first, again = float(np.median(unseen)), float(np.median(seen))
    if first > _REMEMBERED * again + _READING_MS:
        text = (
            f"An image that it had not seen took {quantity(first, 'ms')} until its answer could be read, one that it"
            f" had {quantity(again, 'ms')}: it remembers answers, or computes them later."
        )
        yield Caveat(id="speed.remembers", severity="critical", text=text)


def _impossible(timed: Timed) -> Iterator[Caveat]:
    """The MACs of an image, also by those of two, against the fastest arithmetic of this machine."""
    macs, rate = timed.macs, timed.evidence.get("fastest_macs_per_s", _NOTHING)
    median = timing.quantile(timed.runs(1)[0], 0.5)
    if macs and len(rate) and (needed := 1e3 * macs / float(rate[0])) > _FASTER * median:
        text = (
            f"{macs:.4g} MACs in {quantity(median, 'ms')} is faster than this machine computes, which needs"
            f" {quantity(needed, 'ms')} at its best: answers may be remembered from earlier calls, or computed later."
        )
        yield Caveat(id="speed.faster_than_possible", severity="critical", text=text)
