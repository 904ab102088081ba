"""Rules -> verdict: pass only what is proven to pass, fail only what is proven to fail, else inconclusive."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from efficiency360.judge.matching import matching
from efficiency360.judge.relative import NOT_GIVEN, apply_relative
from efficiency360.judge.rules import apply_rule, doubt
from efficiency360.records import AxisRecord, Outcome, RuleResult, Verdict, Waived

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from efficiency360.judge.relative import Against
    from efficiency360.spec import AuditSpec

_TOLD = 3
_WAS = {"skipped": "was skipped", "failed": "failed"}


def decide(
    spec: AuditSpec, axes: Sequence[AxisRecord], *, against: Against | None = None, today: date = date.max
) -> Verdict:
    """The verdict on `axes` under the rules of `spec`.

    A proven failure of a blocking rule decides even where other rules are open. A blocking rule that matched nothing,
    or a number with a critical caveat, stays inconclusive whatever the audit file allows: `inconclusive = "pass"`
    forgives wide intervals, not absence or doubt. A waiver forgives a rule until its day is over; what is waived is
    said, and still shown as what it is.
    """
    results = tuple(_with_waiver(result, spec, today) for result in _results(spec, axes, against))
    blocking = [result for result in results if result.severity == "block"]
    in_the_way = [result for result in blocking if result.stands_in_the_way]
    failed = _sentences([result for result in in_the_way if result.outcome == "fail"], results, "fail")
    still_open = [
        result
        for result in in_the_way
        if result.outcome == "inconclusive" and not _forgiven(result, spec, axes, against)
    ]
    undecided = [*_sentences(still_open, results, "undecided"), *_missing_axes(spec, axes)]
    if not blocking:
        undecided.append(f"the audit '{spec.title}' has no blocking rule, so there is nothing to pass")
    waived = dict.fromkeys(_waiver_sentence(result) for result in results if result.waiver and result.outcome != "pass")
    outcome: Outcome = "fail" if failed else "inconclusive" if undecided else "pass"
    reasons = tuple(failed + undecided) or (_all_clear(blocking, against),)
    baseline = against.baseline.record if against and against.baseline else None
    return Verdict(outcome=outcome, reasons=(*reasons, *waived), rules=results, baseline=baseline)


def _results(spec: AuditSpec, axes: Sequence[AxisRecord], against: Against | None) -> list[RuleResult]:
    """All results in the order of the rules; those that compare with a baseline are corrected together."""
    relative = [rule for rule in spec.rules if rule.no_worse_than_baseline]
    compared = apply_relative(relative, against)
    results = []
    for rule in spec.rules:
        mine = [result for result in compared if result.rule == rule.id] if rule in relative else apply_rule(rule, axes)
        results += mine
    return results


def _with_waiver(result: RuleResult, spec: AuditSpec, today: date) -> RuleResult:
    waiver = next((one for one in spec.waivers if one.rule == result.rule), None)
    if waiver is None:
        return result
    fields = waiver.model_dump(exclude={"rule"})
    return result.model_copy(update={"waiver": Waived(**fields, active=today <= waiver.expires)})


def _forgiven(result: RuleResult, spec: AuditSpec, axes: Iterable[AxisRecord], against: Against | None) -> bool:
    """Whether the audit file, or a first release, lets this undecided rule pass."""
    if _without_baseline(result, against):
        there = bool(matching(axes, result.measurement, result.params)) and doubt(result.measurement, axes) is None
        return there and (spec.without_baseline == "pass" or (against is not None and against.first))
    return spec.inconclusive == "pass" and _only_wide(result, axes)


def _only_wide(result: RuleResult, axes: Iterable[AxisRecord]) -> bool:
    """Whether only the width of its interval leaves a rule undecided: not absence, doubt, or many comparisons."""
    if result.measured is None or doubt(result.measurement, axes) is not None:
        return False
    if result.bound != "no_worse_than_baseline":
        return result.interval is not None and result.interval.low <= result.limit <= result.interval.high
    interval = result.comparison.interval if result.comparison else None
    return interval is not None and interval.low <= result.limit < interval.high


def _all_clear(blocking: Sequence[RuleResult], against: Against | None) -> str:
    passed = sum(result.outcome == "pass" for result in blocking)
    waived = sum(result.outcome != "pass" and not result.stands_in_the_way for result in blocking)
    alone = sum(result.stands_in_the_way and _without_baseline(result, against) for result in blocking)
    open_ones = len(blocking) - passed - waived - alone
    more = f"; {waived} waived" if waived else ""
    more += f"; {open_ones} undecided, which this audit file lets pass" if open_ones else ""
    more += f"; {alone} not compared: {against.why if against else NOT_GIVEN}" if alone else ""
    return f"{passed} of {len(blocking)} blocking checks passed{more}"


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


def _without_baseline(result: RuleResult, against: Against | None) -> bool:
    return result.bound == "no_worse_than_baseline" and (against is None or against.baseline is None)


def _sentences(found: Sequence[RuleResult], of: Sequence[RuleResult], word: str) -> list[str]:
    """A sentence a rule; of one that speaks of many measurements how many these are, and the first."""
    sentences = []
    for rule_id in dict.fromkeys(result.rule for result in found):
        mine = [result for result in found if result.rule == rule_id]
        total = sum(result.rule == rule_id for result in of)
        count = f"{len(mine)} of {total} {word}, such as: " if total > _TOLD else ""
        told = mine[:1] if count else mine
        sentences += [f"rule {rule_id}: {count}{result.reason}" for result in told]
    return sentences


def _waiver_sentence(result: RuleResult) -> str:
    waiver = result.waiver
    assert waiver is not None  # noqa: S101 - the caller looked
    if waiver.active:
        state = "would fail" if result.outcome == "fail" else "is undecided"
        return f"waived: rule {result.rule} {state}, until {waiver.expires} by {waiver.owner}: {waiver.reason}"
    return f"the waiver of rule {result.rule} by {waiver.owner} expired on {waiver.expires}"
