"""Numbers and names as a reader wants them: shared by every format."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

from efficiency360.radii import listed
from efficiency360.units import POINTS, margin, quantity, spread, worsening, worsening_spread

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from efficiency360.records import BaselineRecord, Interval, Measurement, Param, RuleResult, Scorecard

__all__ = [
    "APART",
    "SEVERITIES",
    "accepted",
    "allowed",
    "as_if_apart",
    "baseline",
    "capped",
    "clauses",
    "common",
    "compared",
    "cut",
    "day",
    "joined",
    "limit",
    "outcome",
    "overall",
    "params",
    "plain",
    "quantity",
    "scored",
    "spread",
    "title",
    "waiver",
    "weight",
]

APART = "as if on different images, because no samples of it are there: wider"
"""How a difference is judged where it is not known what each image came to."""
SEVERITIES = {"block": "stops the release", "warn": "only warns", "info": "only informs"}
"""What a rule does that fails."""
_SCORES = frozenset({"proportion", POINTS, "", "nats"})
"""Units of numbers whose margin is in their own unit; of others it is a share of the baseline."""

_TIMED = frozenset({"ms", "s", "images/s", "J"})
"""Units of what is measured by the clock rather than on images."""

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
    "robustness.adversarial_accuracy": "Robust accuracy",
    "robustness.corruption_accuracy": "Accuracy under a corruption",
    "robustness.mean_corruption_accuracy": "Mean accuracy under corruptions",
    "robustness.median_distance": "Median change that misleads",
    "privacy.dp_accuracy": "Accuracy, trained privately",
    "privacy.nonprivate_accuracy": "Accuracy, trained without privacy",
    "privacy.dp_cost": "Accuracy lost to privacy",
    "privacy.mia_auc": "Members told apart (AUC)",
    "privacy.mia_tpr": "Members found (TPR)",
    "privacy.mia_group_auc": "Members of a group told apart (AUC)",
    "privacy.mia_group_tpr": "Members of a group found (TPR)",
    "privacy.epsilon_lower_bound": "Epsilon is at least",
    "privacy.epsilon_provable": "Epsilon that could be proven",
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
    "transparency.deletion_auc": "Deletion (AUC)",
    "transparency.insertion_auc": "Insertion (AUC)",
    "transparency.deletion_gain": "Deletion, better than random by",
    "transparency.insertion_gain": "Insertion, better than random by",
    "transparency.random_auc": "Random order (AUC)",
    "transparency.randomisation_similarity": "Likeness to maps of random weights",
    "transparency.stability": "Change under small noise",
    "transparency.extra_passes": "Passes an explanation takes",
}


def title(name: str) -> str:
    """A measurement's name in words; unknown names are spelled out from their identifier."""
    return _WORDS.get(name, name.partition(".")[2].replace("_", " ").capitalize())


def params(measurement: Measurement | RuleResult, without: Collection[str] = ()) -> str:
    """Params as `class=cat, k=1`, but for some of them; empty where there are none."""
    return joined({key: value for key, value in measurement.params.items() if key not in without})


def joined(values: dict[str, Param]) -> str:
    """`{"k": 1, "class": "cat"}` as `class=cat, k=1`; radii of attacks as `eps=4/255` where they are that."""
    return listed(values)


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
    """A rule's bound as `at least 80.0 %`, or its margin as `at most 1 points worse than the baseline`."""
    if rule.bound != "no_worse_than_baseline":
        return f"{rule.bound.replace('_', ' ')} {quantity(rule.limit, unit)}"
    return f"{f'at most {allowed(rule, unit)}' if rule.limit else 'no'} worse than the baseline"


def allowed(rule: RuleResult, unit: str) -> str:
    """The margin of a rule that compares with a baseline: `1 points`, `5 %` of a time."""
    relative = rule.comparison.relative if rule.comparison else unit not in _SCORES
    return margin(rule.limit, unit, relative=relative)


def compared(rule: RuleResult, unit: str) -> str:
    """A comparison as `1.2 points worse than the baseline's 88.2 % (0.3 to 2.1 points worse)`; empty without one."""
    found = rule.comparison
    if found is None:
        return ""
    around = ""
    if found.interval:
        apart = f", {APART}" if as_if_apart(rule.measurement, unit, found.interval) else ""
        around = f" ({worsening_spread(found.interval, unit, relative=found.relative)}{apart})"
    than = "than" if found.worse_by else "from"
    by = worsening(found.worse_by, unit, relative=found.relative)
    return f"{by} {than} the baseline's {quantity(found.baseline, unit)}{around}"


def as_if_apart(name: str, unit: str, interval: Interval) -> bool:
    """Whether a difference on the same images was judged by its two intervals, as those of timings always are."""
    timed = name.startswith(("speed.", "cost.")) or unit in _TIMED
    return interval.method.startswith("square-and-add") and not timed


def outcome(rule: RuleResult) -> str:
    """An outcome as `fail, waived`: a waiver that holds never makes a pass of what it forgives."""
    waived = rule.waiver is not None and rule.waiver.active and rule.outcome != "pass"
    return f"{rule.outcome}, waived" if waived else rule.outcome


def waiver(rule: RuleResult) -> str:
    """A waiver as `waived until 2027-03-31 by Jane Doe: reason`, that it has expired, or that the rule passes without.

    Of a rule with several results it takes the worst; empty where there is no waiver.
    """
    waived = rule.waiver
    if waived is None:
        return ""
    if rule.outcome == "pass":
        return f"waiver not needed any more (by {waived.owner}, until {waived.expires})"
    if waived.active:
        return f"waived until {waived.expires} by {waived.owner}: {waived.reason}"
    return f"the waiver by {waived.owner} expired on {waived.expires}; its reason was: {waived.reason}"


def weight(rule: RuleResult) -> str:
    """What a rule that does not stop a release does instead, as ` (only warns)`; empty where it stops it, or passes."""
    return "" if rule.outcome == "pass" or rule.severity == "block" else f" ({SEVERITIES[rule.severity]})"


def clauses(*parts: str) -> str:
    """Sentences as clauses of one, without the full stops between them."""
    said = [part for part in parts if part]
    return "; ".join((*(part.removesuffix(".") for part in said[:-1]), *said[-1:]))


def capped(sentences: Sequence[str], most: int) -> str:
    """Sentences as one line of about `most` characters, with how many are left out of it."""
    shown: list[str] = []
    room = most
    for sentence in sentences:
        room -= len(sentence)
        if shown and room < 0:
            break
        shown.append(cut(sentence, most))
    left = len(sentences) - len(shown)
    return clauses(*shown, f"... and {left:,} more" if left else "")


def baseline(record: BaselineRecord) -> str:
    """Which audit a verdict compared with, and who made it the baseline."""
    return f"compared with {record.name}, audited on {day(record.started_at)}; {accepted(record)}"


def accepted(record: BaselineRecord) -> str:
    """Who made an audit the baseline, when and why; or that nobody did."""
    if not record.accepted_by:
        return "nobody has accepted it as the baseline"
    when = f" on {day(record.accepted_at)}" if record.accepted_at else ""
    return f"accepted by {record.accepted_by}{when}{f': {record.why}' if record.why else ''}"


def overall(card: Scorecard) -> str:
    """The overall score as `overall 12.3 to 89.1 of 100, grade E (by the low end)`, or why there is none."""
    if not scored(card):
        return "no score: the audit file names none for what was measured"
    found = card.overall
    return f"overall {found.low:.1f} to {found.high:.1f} of 100, grade {found.grade} (by the low end)"


def scored(card: Scorecard) -> bool:
    """Whether any axis has a score, without which the overall one says nothing."""
    return any(score.score is not None for score in card.scores)


def day(iso: str) -> str:
    """The day of a time in ISO 8601; as it is where it is none."""
    try:
        return datetime.fromisoformat(iso).date().isoformat()
    except ValueError:
        return iso


def plain(text: str) -> str:
    """Text from outside with control, line-breaking and direction-changing characters made visible, for terminals."""
    if text.isprintable():  # most is: a glance rather than a look at each character
        return text
    return "".join(
        char if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def cut(text: str, length: int) -> str:
    """Text of at most `length` characters; where some are left out, the last is an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
