"""Numbers and names as a reader wants them: shared by every format."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficiency360.records import Interval, Measurement, RuleResult

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_WORDS = {
    "cost.params": "Parameters",
    "cost.macs": "MACs an image",
    "cost.flops": "FLOPs an image (2 x MACs)",
    "cost.activations": "Activations an image",
    "cost.weights_bytes": "Weights in memory",
    "cost.file_bytes": "File size",
    "cost.op_coverage": "Operator calls counted",
    "accuracy.top1": "Top-1 accuracy",
    "accuracy.top5": "Top-5 accuracy",
    "accuracy.balanced": "Balanced accuracy",
    "accuracy.per_class": "Accuracy of a class",
}


def title(name: str) -> str:
    """A measurement's name in words; unknown names are spelled out from their identifier."""
    return _WORDS.get(name, name.partition(".")[2].replace("_", " ").capitalize())


def quantity(value: float, unit: str) -> str:
    """A value with its unit: `4.65 M`, `18.6 MB`, `87.0 %`."""
    if unit == "proportion":
        return f"{100 * value:.1f} %"
    if unit == "bytes":
        return f"{_scaled(value)}B"
    symbol = "" if unit in {"parameters", "elements", "MACs", "FLOPs", ""} else f" {unit}"
    return f"{_scaled(value)}{symbol}".strip()


def _scaled(value: float) -> str:
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}" if abs(value) / factor < 1000 else f"{value / factor:.0f} {prefix}"  # noqa: PLR2004
    return f"{value:.4g} "


def spread(interval: Interval | None, unit: str) -> str:
    """An interval as `83.8 to 89.7 %`; a dash where there is none."""
    if interval is None:
        return "-"
    if unit == "proportion":
        return f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"
    return f"{quantity(interval.low, unit)} to {quantity(interval.high, unit)}"


def params(measurement: Measurement | RuleResult) -> str:
    """Params as `class=cat, k=1`; empty where there are none."""
    return ", ".join(f"{key}={value}" for key, value in sorted(measurement.params.items()))


def limit(rule: RuleResult, unit: str) -> str:
    """A rule's bound as `at least 80.0 %`."""
    return f"{rule.bound.replace('_', ' ')} {quantity(rule.limit, unit)}"


def plain(text: str) -> str:
    """Text from outside with control and direction-changing characters made visible, for terminals and logs."""
    return "".join(
        char if unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else "\N{REPLACEMENT CHARACTER}" for char in text
    )
