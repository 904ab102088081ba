"""A rule with a limit -> its results: pass only what is proven to pass, fail only what is proven to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.judge.comparable import of_data
from efficiency360.judge.matching import matching
from efficiency360.records import AxisRecord, Comparison, Measurement, Outcome, RuleResult
from efficiency360.spec import suggest
from efficiency360.statistics.power import images_for_limit, more_by_width
from efficiency360.units import quantity, shown, spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.spec import RuleSpec


def apply_rule(rule: RuleSpec, axes: Iterable[AxisRecord]) -> list[RuleResult]:
    """One result for every measurement that the rule speaks of; one inconclusive result where there is none."""
    axes = list(axes)
    found = matching(axes, rule.measurement, rule.params)
    if found:
        return [_against_limit(rule, measurement, doubt(rule.measurement, axes)) for measurement in found]
    return [result(rule, None, "inconclusive", why_nothing(rule, axes))]


def doubt(measurement: str, axes: Iterable[AxisRecord]) -> str | None:
    """What the critical caveat of a measurement's axis says: such a number does not mean what its name says."""
    said = (caveat for axis in axes if axis.id == measurement.split(".", maxsplit=1)[0] for caveat in axis.caveats)
    return next((caveat.text for caveat in said if caveat.severity == "critical"), None)


def doubted(outcome: Outcome, reason: str, doubt: str | None) -> tuple[Outcome, str]:
    """An outcome and its reason in the light of a doubt: what is in doubt cannot pass."""
    if outcome == "pass" and doubt is not None:
        return "inconclusive", f"{reason}, but is in doubt: {doubt}"
    return outcome, reason


def would_decide(needed: int | None, n: int | None) -> str:
    """A clause on how many images instead of `n` would decide; empty where that is not known."""
    if needed is None or n is None:
        return ""
    return f"; about {needed:,} images instead of {n:,} would decide it, if the numbers stay as they are (80 % power)"


def why_nothing(rule: RuleSpec, axes: Iterable[AxisRecord]) -> str:
    """Why a rule speaks of no measurement."""
    axis_id = rule.measurement.split(".")[0]
    record = next((axis for axis in axes if axis.id == axis_id), None)
    if record is None:
        return f"{rule.measurement} was not measured: the axis {axis_id} is not part of this audit"
    if record.status != "measured":
        return f"{rule.measurement} was not measured: {record.reason}"
    same = [measurement for measurement in record.measurements if measurement.name == rule.measurement]
    if not same:
        known = dict.fromkeys(measurement.name for measurement in record.measurements)
        return f"the axis {axis_id} holds no measurement {rule.measurement}{suggest(rule.measurement, known)}"
    wanted = ", ".join(f"{key} = {value!r}" for key, value in rule.params.items())
    there = [", ".join(f"{key} = {value!r}" for key, value in one.params.items()) for one in same]
    return f"no {rule.measurement} has {wanted}{suggest(wanted, dict.fromkeys(there))}"


def _against_limit(rule: RuleSpec, measurement: Measurement, doubt: str | None) -> RuleResult:
    interval = measurement.interval
    if measurement.unit == "proportion" and not 0 <= rule.limit <= 1:
        reason = f"the limit {rule.limit:g} is no proportion, as {measurement.name} is: 0.75 is 75 %"
        return result(rule, measurement, "inconclusive", reason)
    low, high = (interval.low, interval.high) if interval else (measurement.value, measurement.value)
    if rule.bound == "at_least":
        outcome: Outcome = "pass" if low >= rule.limit else "fail" if high < rule.limit else "inconclusive"
    else:
        outcome = "pass" if high <= rule.limit else "fail" if low > rule.limit else "inconclusive"
    needed = _needed(rule, measurement) if outcome == "inconclusive" else None
    reason = f"{_comparison(rule, measurement, outcome)}{would_decide(needed, measurement.n)}"
    return result(rule, measurement, *doubted(outcome, reason, doubt), needed=needed)


def _needed(rule: RuleSpec, measurement: Measurement) -> int | None:
    """How many images would decide; None where that is not known, or it is not for want of images."""
    interval, n = measurement.interval, measurement.n
    if interval is None or not n or not of_data(measurement):
        return None
    if measurement.unit == "proportion" and interval.method == "wilson":
        needed = images_for_limit(measurement.value, rule.limit)
    else:
        needed = more_by_width((interval.high - interval.low) / 2, n, abs(measurement.value - rule.limit))
    return max(needed, n + 1) if needed else None


def _comparison(rule: RuleSpec, measurement: Measurement, outcome: Outcome) -> str:
    unit, interval = shown(measurement), measurement.interval
    around = f" ({100 * interval.level:.4g} % interval {spread(interval, unit)})" if interval else ""
    words = {
        "pass": "keeps the limit",
        "fail": "breaks the limit",
        "inconclusive": "is too uncertain to tell: the interval reaches across the limit",
    }[outcome]
    limit = f"{rule.bound.replace('_', ' ')} {quantity(rule.limit, unit)}"
    note = f"; {measurement.note}" if measurement.note else ""
    return f"{measurement.label} is {quantity(measurement.value, unit)}{around} and {words}, {limit}{note}"


def result(  # noqa: PLR0913 - the fields of a result
    rule: RuleSpec,
    measurement: Measurement | None,
    outcome: Outcome,
    reason: str,
    *,
    comparison: Comparison | None = None,
    needed: int | None = None,
) -> RuleResult:
    """The record of a rule applied to a measurement, or to none."""
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
        comparison=comparison,
        needed=needed,
    )
