"""Differences between two numbers as a reader expects them: signed, in percent, points or the number's own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.units import quantity

if TYPE_CHECKING:
    from efficiency360.judge.comparing import Difference

_MINUS = "\N{MINUS SIGN}"
_WHOLE = 99.95
_DIGITS = 6
_SCORES = frozenset({"", "nats"})
"""Units of numbers that are small and written out."""
_PERCENT, _POINTS = "%", "points"


def change(difference: Difference, unit: str) -> str:
    """A change as `+45.4 %`, as `-0.4 points` of a proportion, or as `+0.012` in the number's unit."""
    number = _number(difference.change, difference, unit)
    return f"{number} {_suffix(difference, unit)}".strip()


def reach(difference: Difference, unit: str) -> str:
    """The interval of a change as `-2.6 to +1.8 points`; empty where nothing was sampled."""
    if difference.interval is None:
        return ""
    ends = (difference.interval.low, difference.interval.high)
    low, high = (_number(end, difference, unit) for end in ends)
    return f"{low} to {high} {_suffix(difference, unit)}".strip()


def _suffix(difference: Difference, unit: str) -> str:
    if difference.relative:
        return _PERCENT
    return _POINTS if unit == "proportion" else ""


def _number(value: float, difference: Difference, unit: str) -> str:
    sign = _MINUS if value < 0 else "+" if value > 0 else ""
    if difference.relative or unit == "proportion":
        return sign + _written_out(100 * abs(value), 1)
    if unit in _SCORES and abs(value) < 1:
        return f"{sign}{_written_out(abs(value), 3)} {unit}".strip()
    return sign + quantity(abs(value), unit)


def _written_out(value: float, digits: int) -> str:
    """So many decimals, or as many as it takes that what is not 0 does not look like it."""
    if value >= _WHOLE:
        return f"{value:,.0f}"
    enough = next((n for n in range(digits, _DIGITS + 1) if round(value, n)), digits)
    return f"{value:.{enough}f}"
