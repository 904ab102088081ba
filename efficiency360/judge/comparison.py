"""One number of two audits: how much worse is it here than there, how sure is that, or why can it not be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from efficiency360.audited import Audited
    from efficiency360.records import Comparison, Measurement


@dataclass(frozen=True)
class Found:
    """A comparison, with the one-sided p-value of "it is worse by no more than this margin", and the images it takes.

    `p_worse` is None where nothing was sampled: the comparison is then exact. `needed(margin)` is how many images would
    decide with 80 % power whether the margin is kept, if the difference is as seen.
    """

    comparison: Comparison
    p_worse: Callable[[float], float] | None
    needed: Callable[[float], int | None]


def compare(measurement: Measurement, here: Audited, there: Audited) -> Found | str:
    """How a measurement of the audit `here` compares with the same one of the audit `there` (the baseline).

    Returns:
        What was found; or, as text, why the two cannot be compared: other data, another version of the axis, other
        settings, other hardware, or it was not measured there.
    """
    raise NotImplementedError
