"""Numbers with their units, as a reader wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficiency360.records import Interval

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_COUNTS = frozenset({"parameters", "elements", "MACs", "FLOPs", ""})


def quantity(value: float, unit: str) -> str:
    """A value with its unit: `4.65 M`, `18.6 MB`, `87.0 %`."""
    if unit == "proportion":
        return f"{_percent(value)} %"
    if unit == "bytes":
        return f"{_scaled(value)}B"
    return _scaled(value).strip() if unit in _COUNTS else f"{value:.3g} {unit}"


def _percent(value: float) -> str:
    """One decimal, or as many as it takes not to round to a 0 or 100 that it is not."""
    digits = next((n for n in range(1, 8) if round(100 * value, n) not in (0, 100)), 1)
    return f"{100 * value:.{1 if value in (0, 1) else digits}f}"


def _scaled(value: float) -> str:
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor:
            digits = ".3g" if abs(value) < 999.5 * factor else ".0f"
            return f"{value / factor:{digits}} {prefix}"
    return f"{value:.3g} "


def spread(interval: Interval | None, unit: str) -> str:
    """An interval as `83.8 to 89.7 %`; a dash where there is none."""
    if interval is None:
        return "-"
    if unit == "proportion":
        return f"{_percent(interval.low)} to {_percent(interval.high)} %"
    if unit in _COUNTS or unit == "bytes":
        return f"{quantity(interval.low, unit)} to {quantity(interval.high, unit)}"
    return f"{interval.low:.3g} to {quantity(interval.high, unit)}"
