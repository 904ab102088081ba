"""Numbers and names as a reader wants them: shared by every format."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from efficiency360.units import quantity, spread

if TYPE_CHECKING:
    from efficiency360.records import Measurement, RuleResult

__all__ = ["limit", "params", "plain", "quantity", "spread", "title"]

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
}


def title(name: str) -> str:
    """A measurement's name in words; unknown names are spelled out from their identifier."""
    return _WORDS.get(name, name.partition(".")[2].replace("_", " ").capitalize())


def params(measurement: Measurement | RuleResult) -> str:
    """Params as `class=cat, k=1`; empty where there are none."""
    return ", ".join(f"{key}={value}" for key, value in sorted(measurement.params.items()))


def limit(rule: RuleResult, unit: str) -> str:
    """A rule's bound as `at least 80.0 %`."""
    return f"{rule.bound.replace('_', ' ')} {quantity(rule.limit, unit)}"


def plain(text: str) -> str:
    """Text from outside with control, line-breaking and direction-changing characters made visible, for terminals."""
    return "".join(
        char if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
