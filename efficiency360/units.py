"""Numbers with their units, as a reader wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficiency360.records import Interval, Measurement

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MS_OF_A_SECOND = 1000
_COUNTS = frozenset({"parameters", "elements", "MACs", "FLOPs", ""})
POINTS = "points"
"""The unit in which differences of proportions are shown; they are measured as shares, so 0.012 are 1.2 points."""
_DIFFERENCES = frozenset(
    {
        "uncertainty.ece",
        "privacy.dp_cost",
        "fairness.accuracy_gap",
        "fairness.adversarial_accuracy_gap",
        "fairness.corruption_accuracy_gap",
        "fairness.calibration_difference",
        "fairness.demographic_parity_difference",
        "fairness.equal_opportunity_difference",
        "fairness.equalized_odds_difference",
        "transparency.deletion_gain",
        "transparency.insertion_gain",
    }
)


def shown(measurement: Measurement) -> str:
    """The unit in which a measurement is shown: points where it is a difference of proportions, else its own."""
    different = measurement.name in _DIFFERENCES and measurement.unit in {"", "proportion"}
    return POINTS if different else measurement.unit


def quantity(value: float, unit: str) -> str:
    """A value with its unit: `4.65 M`, `18.6 MB`, `87.0 %`; in points `-0.6 points`."""
    if unit == POINTS:
        return f"{'-' if value < 0 else ''}{margin(abs(value), unit, relative=False)}"
    if unit == "proportion":
        return f"{_percent(value)} %"
    if unit == "bytes":
        return f"{_scaled(value)}B"
    if unit in _COUNTS:
        return _scaled(value).strip()
    value, unit = _in_seconds(value, unit)
    return f"{_three_digits(value)} {unit}"


def _in_seconds(value: float, unit: str) -> tuple[float, str]:
    """Milliseconds from a second on in seconds."""
    return (value / _MS_OF_A_SECOND, "s") if unit == "ms" and value >= _MS_OF_A_SECOND else (value, unit)


def _three_digits(value: float) -> str:
    """Three significant digits, or all before the point; no power of ten for what people write out."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"  # noqa: PLR2004 - where three digits end


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
    if unit == POINTS:
        ends = (quantity(end, unit).partition(" ")[0] for end in (interval.low, interval.high))
        return f"{' to '.join(ends)} {POINTS}"
    if unit in _COUNTS or unit == "bytes":
        return f"{quantity(interval.low, unit)} to {quantity(interval.high, unit)}"
    if unit == "ms" and interval.low < _MS_OF_A_SECOND <= interval.high:
        return f"{quantity(interval.low, unit)} to {quantity(interval.high, unit)}"
    low, _ = _in_seconds(interval.low, unit)
    return f"{_three_digits(low)} to {quantity(interval.high, unit)}"


def worsening(amount: float, unit: str, *, relative: bool) -> str:
    """By how much something is worse, better if negative: `2.8 points worse`, `5.3 % better`, `0.012 worse`."""
    if amount == 0:
        return "no different"
    return f"{margin(abs(amount), unit, relative=relative)} {'worse' if amount > 0 else 'better'}"


def worsening_spread(interval: Interval, unit: str, *, relative: bool) -> str:
    """An interval of a worsening: `1.1 to 4.5 points worse`, `0.3 points better to 1.2 points worse`."""
    low, high = interval.low, interval.high
    if low * high > 0:
        near, far = sorted((abs(low), abs(high)))
        first = margin(near, unit, relative=relative).partition(" ")[0]
        return f"{first} to {margin(far, unit, relative=relative)} {'worse' if low > 0 else 'better'}"
    return f"{worsening(low, unit, relative=relative)} to {worsening(high, unit, relative=relative)}"


def _points(amount: float) -> str:
    """Two decimals below 10 and one from there on, without trailing zeros; two digits of what would come out as 0."""
    if 0 < amount < 0.005:  # noqa: PLR2004 - rounds to 0
        return f"{amount:.2g}"
    return f"{amount:.{2 if amount < 10 else 1}f}".rstrip("0").rstrip(".")  # noqa: PLR2004 - see above


def margin(amount: float, unit: str, *, relative: bool) -> str:
    """What a number may be worse by: `1 point` of a proportion, `5 %` where relative, else in its own unit."""
    if relative:
        return f"{_points(100 * amount)} %" if amount < 1 else f"{_three_digits(100 * amount)} %"
    if unit in {"proportion", POINTS}:
        points = _points(100 * amount)
        return f"{points} point{'' if points == '1' else 's'}"
    return f"{_three_digits(amount)} {unit}".strip()
