"""Differences between two numbers as a reader expects them: signed, in percent, points or the number's own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.units import POINTS, margin, quantity

if TYPE_CHECKING:
    from efficiency360.judge.comparing import Difference

_MINUS = "\N{MINUS SIGN}"
_SCORES = frozenset({"proportion", POINTS, "", "nats"})
"""Units of numbers whose margin is in their own unit."""


def change(difference: Difference, unit: str) -> str:
    """A change as `+45.4 %`, as `-0.4 points` of a proportion, or as `+0.012` in the number's unit."""
    return _signed(difference.change, difference, unit)


def reach(difference: Difference, unit: str) -> str:
    """The interval of a change as `-2.6 to +1.8 points`; empty where nothing was sampled."""
    if difference.interval is None:
        return ""
    low, high = (_signed(end, difference, unit) for end in (difference.interval.low, difference.interval.high))
    number, _, word = low.rpartition(" ")
    shared = number and word.rstrip("s") == high.rpartition(" ")[2].rstrip("s")
    return f"{number if shared else low} to {high}{'s' if high.endswith(' point') else ''}"


def _signed(value: float, difference: Difference, unit: str) -> str:
    """With as many digits as a rule's margin has."""
    sign = _MINUS if value < 0 else "+" if value > 0 else ""
    if difference.relative or unit in _SCORES:
        return sign + margin(abs(value), unit, relative=difference.relative)
    return sign + quantity(abs(value), unit)
