"""Numbers and names as a reader wants them: shared by every format."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from efficiency360.units import quantity, spread

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from efficiency360.records import Measurement, Param, RuleResult

__all__ = ["common", "cut", "joined", "limit", "params", "plain", "quantity", "spread", "title"]

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
    "uncertainty.ece": "Calibration error (ECE)",
    "uncertainty.brier": "Brier score",
    "uncertainty.nll": "Log loss",
    "uncertainty.aurc": "Area under risk-coverage",
    "uncertainty.selective_accuracy": "Accuracy on the surest",
    "uncertainty.ood_auroc": "Tells foreign images (AUROC)",
    "resolution.macs": "MACs at a size",
    "resolution.latency_ms": "Latency at a size",
    "resolution.peak_memory_bytes": "Peak memory at a size",
    "resolution.top1": "Top-1 accuracy at a size",
    "speed.latency_ms": "Latency",
    "speed.throughput": "Throughput",
    "speed.peak_memory_bytes": "Peak memory",
    "speed.cold_start_ms": "Cold start",
    "speed.energy_j": "Energy an image",
    "speed.roofline_fraction": "Fraction of the roof",
    "speed.variant_latency_ms": "Latency of a variant",
    "speed.variant_ratio": "Time of a variant, relative",
    "speed.variant_agreement": "Same answers as before",
    "speed.variant_change": "Largest change of a logit",
}


def title(name: str) -> str:
    """A measurement's name in words; unknown names are spelled out from their identifier."""
    return _WORDS.get(name, name.partition(".")[2].replace("_", " ").capitalize())


def params(measurement: Measurement | RuleResult, without: Collection[str] = ()) -> str:
    """Params as `class=cat, k=1`, but for some of them; empty where there are none."""
    return joined({key: value for key, value in measurement.params.items() if key not in without})


def joined(values: dict[str, Param]) -> str:
    """`{"k": 1, "class": "cat"}` as `class=cat, k=1`."""
    return ", ".join(f"{key}={value}" for key, value in sorted(values.items()))


def common(measurements: Sequence[Measurement]) -> dict[str, Param]:
    """The params that all of several measurements share, such as the threads of all timings: said once, not in each."""
    if len(measurements) < 2:  # noqa: PLR2004 - several
        return {}
    first, *others = measurements
    return {
        key: value
        for key, value in first.params.items()
        if all(key in other.params and other.params[key] == value for other in others)
    }


def limit(rule: RuleResult, unit: str) -> str:
    """A rule's bound as `at least 80.0 %`."""
    return f"{rule.bound.replace('_', ' ')} {quantity(rule.limit, unit)}"


def plain(text: str) -> str:
    """Text from outside with control, line-breaking and direction-changing characters made visible, for terminals."""
    return "".join(
        char if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def cut(text: str, length: int) -> str:
    """Text of at most `length` characters; where some are left out, the last is an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
