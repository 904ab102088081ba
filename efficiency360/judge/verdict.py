"""Rules -> verdict: pass only what is proven to pass, fail only what is proven to fail, else inconclusive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.judge.matching import matching
from efficiency360.records import AxisRecord, Measurement, Outcome, RuleResult, Verdict
from efficiency360.units import quantity, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from efficiency360.spec import AuditSpec, RuleSpec


_WAS = {"skipped": "was skipped", "failed": "failed"}


def decide(spec: AuditSpec, axes: Sequence[AxisRecord]) -> Verdict:
    """The verdict on `axes` under the rules of `spec`.

    A proven failure of a blocking rule decides even where other rules are open. A blocking rule that matched nothing,
    or a number with a critical caveat, stays inconclusive whatever the audit file allows: `inconclusive = "pass"`
    forgives wide intervals, not absence or doubt.
    """
    results = tuple(result for rule in spec.rules for result in apply_rule(rule, axes))
    blocking = [result for result in results if result.severity == "block"]
    failed = [_sentence(result) for result in blocking if result.outcome == "fail"]
    undecided = [
        _sentence(result)
        for result in blocking
        if result.outcome == "inconclusive" and (spec.inconclusive == "block" or not _only_wide(result, axes))
    ]
    undecided += _missing_axes(spec, axes)
    if not blocking:
        undecided.append(f"the audit '{spec.title}' has no blocking rule, so there is nothing to pass")
    outcome: Outcome = "fail" if failed else "inconclusive" if undecided else "pass"
    return Verdict(outcome=outcome, reasons=tuple(failed + undecided) or (_all_clear(blocking),), rules=results)


def _only_wide(result: RuleResult, axes: Iterable[AxisRecord]) -> bool:
    """Whether nothing but the width of its interval leaves a rule undecided."""
    return result.measured is not None and _doubt(result.measurement, axes) is None


def _doubt(measurement: str, axes: Iterable[AxisRecord]) -> str | None:
    """What the critical caveat of a measurement's axis says: such a number does not mean what its name says."""
    said = (caveat for axis in axes if axis.id == measurement.split(".", maxsplit=1)[0] for caveat in axis.caveats)
    return next((caveat.text for caveat in said if caveat.severity == "critical"), None)


def _all_clear(blocking: Sequence[RuleResult]) -> str:
    passed = sum(result.outcome == "pass" for result in blocking)
    open_ones = len(blocking) - passed
    more = f"; {open_ones} undecided, which this audit file lets pass" if open_ones else ""
    return f"{passed} of {len(blocking)} blocking checks passed{more}"


def apply_rule(rule: RuleSpec, axes: Iterable[AxisRecord]) -> list[RuleResult]:
    """One result for every measurement that the rule speaks of; one inconclusive result where there is none."""
    axes = list(axes)
    found = matching(axes, rule.measurement, rule.params)
    if found:
        return [_compare(rule, measurement, _doubt(rule.measurement, axes)) for measurement in found]
    return [_result(rule, None, "inconclusive", _why_nothing(rule, axes))]


def _compare(rule: RuleSpec, measurement: Measurement, doubt: str | None) -> RuleResult:
    interval = measurement.interval
    low, high = (interval.low, interval.high) if interval else (measurement.value, measurement.value)
    if rule.bound == "at_least":
        outcome: Outcome = "pass" if low >= rule.limit else "fail" if high < rule.limit else "inconclusive"
    else:
        outcome = "pass" if high <= rule.limit else "fail" if low > rule.limit else "inconclusive"
    reason = _comparison(rule, measurement, outcome)
    if outcome == "pass" and doubt is not None:
        outcome, reason = "inconclusive", f"{reason}, but is in doubt: {doubt}"
    return _result(rule, measurement, outcome, reason)


def _comparison(rule: RuleSpec, measurement: Measurement, outcome: Outcome) -> str:
    unit, interval = measurement.unit, measurement.interval
    around = f" ({100 * interval.level:.4g} % interval {spread(interval, unit)})" if interval else ""
    words = {
        "pass": "keeps the limit",
        "fail": "breaks the limit",
        "inconclusive": "is too uncertain to tell: the interval reaches across the limit",
    }[outcome]
    limit = f"{rule.bound.replace('_', ' ')} {quantity(rule.limit, unit)}"
    return f"{measurement.label} is {quantity(measurement.value, unit)}{around} and {words}, {limit}"


def _why_nothing(rule: RuleSpec, axes: Iterable[AxisRecord]) -> str:
    axis_id = rule.measurement.split(".")[0]
    record = next((axis for axis in axes if axis.id == axis_id), None)
    if record is None:
        return f"{rule.measurement} was not measured: the axis {axis_id} is not part of this audit"
    if record.status != "measured":
        return f"{rule.measurement} was not measured: {record.reason}"
    return f"the axis {axis_id} holds no measurement {rule.measurement}{rule.params or ''}"


def _result(rule: RuleSpec, measurement: Measurement | None, outcome: Outcome, reason: str) -> RuleResult:
    return RuleResult(
        rule=rule.id,
        severity=rule.severity,
        outcome=outcome,
        measurement=rule.measurement,
        params=measurement.params if measurement else rule.params,
        measured=measurement.value if measurement else None,
        interval=measurement.interval if measurement else None,
        limit=rule.limit,
        bound=rule.bound,
        reason=reason,
        rationale=rule.rationale,
    )


def _missing_axes(spec: AuditSpec, axes: Iterable[AxisRecord]) -> list[str]:
    """Sentences for required axes that are not there; axes without a record count as missing."""
    records = {axis.id: axis for axis in axes}
    sentences = []
    for axis_id, axis in spec.axes.items():
        record = records.get(axis_id)
        if axis.required and (record is None or record.status != "measured"):
            what = f"{_WAS[record.status]}: {record.reason}" if record else "is not in the scorecard"
            sentences.append(f"the required axis {axis_id} {what}")
    return sentences


def _sentence(result: RuleResult) -> str:
    return f"rule {result.rule}: {result.reason}"
