"""Rules that compare with a baseline: non-inferiority with a margin, and Holm's correction where there are several.

Not significant is not a pass: a rule passes only where the interval of the drop lies wholly within the margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.judge.comparable import of_host
from efficiency360.judge.comparison import compare
from efficiency360.judge.matching import matching
from efficiency360.judge.rules import doubt, doubted, result, why_nothing, would_decide
from efficiency360.statistics.intervals import LEVEL
from efficiency360.statistics.multiplicity import holm
from efficiency360.statistics.paired import decide as decide_drop
from efficiency360.units import margin, quantity, shown, worsening, worsening_spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from efficiency360.audited import Audited
    from efficiency360.records import Comparison, Measurement, Outcome, RuleResult
    from efficiency360.spec import RuleSpec


NOT_GIVEN = "no baseline was given (--baseline DIR; --baseline none for a first release)"


@dataclass(frozen=True)
class Against:
    """What a verdict compares: the audit itself and the baseline, None where there is none, and `why` not.

    `first` says that there cannot be one yet: this is a first release.
    """

    here: Audited
    baseline: Audited | None = None
    first: bool = False
    why: str = NOT_GIVEN


@dataclass(frozen=True)
class _Tested:
    """A result, and the p-value of its failure where it rests on a sample."""

    result: RuleResult
    p: float | None = None


def apply_relative(rules: Iterable[RuleSpec], against: Against | None) -> list[RuleResult]:
    """The results of these rules, one for every measurement that each speaks of, in order.

    Among the rules of one severity a failure has to stand Holm's correction (Holm 1979): with many comparisons one
    looks bad by chance. That all must pass needs no correction.
    """
    tested = [one for rule in rules for one in _apply(rule, against)]
    settled = {id(one): one.result for one in tested}
    for severity in ("block", "warn", "info"):
        family = [one for one in tested if one.result.severity == severity and one.p is not None]
        settled |= {id(one): outcome for one, outcome in zip(family, _corrected(family), strict=True)}
    return [settled[id(one)] for one in tested]


def _corrected(family: Sequence[_Tested]) -> list[RuleResult]:
    adjusted = holm([one.p for one in family if one.p is not None]).tolist()
    return [
        _not_proven(one.result, len(family)) if one.result.outcome == "fail" and p >= (1 - LEVEL) / 2 else one.result
        for one, p in zip(family, adjusted, strict=True)
    ]


def _not_proven(result: RuleResult, comparisons: int) -> RuleResult:
    doubt = f"if looked at alone; as one of {comparisons} comparisons it may be chance (Holm), so it is undecided"
    reason = result.reason.replace("and breaks the margin", f"and breaks the margin {doubt}", 1)
    return result.model_copy(update={"outcome": "inconclusive", "reason": reason})


def _apply(rule: RuleSpec, against: Against | None) -> list[_Tested]:
    axes = against.here.axes if against else ()
    found = matching(axes, rule.measurement, rule.params)
    if against is not None and not found:
        return [_Tested(result(rule, None, "inconclusive", why_nothing(rule, axes)))]
    if against is None or against.baseline is None:
        why = against.why if against else NOT_GIVEN
        return [_Tested(result(rule, None, "inconclusive", f"not compared: {why}"))]
    return [_judged(rule, measurement, against.here, against.baseline) for measurement in found]


def _judged(rule: RuleSpec, measurement: Measurement, here: Audited, baseline: Audited) -> _Tested:
    if measurement.unit == "proportion" and rule.limit >= 1:
        reason = f"the margin {rule.limit:g} allows any drop: {measurement.name} is a proportion, 0.02 is two points"
        return _Tested(result(rule, measurement, "inconclusive", reason))
    found = compare(measurement, here, baseline)
    if isinstance(found, str):
        reason = f"{measurement.label} cannot be compared with the baseline: {found}"
        return _Tested(result(rule, measurement, "inconclusive", reason))
    comparison, exact = found.comparison, found.comparison.interval is None
    kept: Outcome = "pass" if comparison.worse_by <= rule.limit else "fail"
    outcome = kept if comparison.interval is None else decide_drop(comparison.interval, rule.limit)
    needed = found.needed(rule.limit) if outcome == "inconclusive" else None
    reason = f"{_said(rule, measurement, comparison, outcome)}{would_decide(needed, measurement.n)}"
    outcome, reason = doubted(outcome, reason, doubt(rule.measurement, here.axes))
    p = None if exact or found.p_worse is None else found.p_worse(rule.limit)
    return _Tested(result(rule, measurement, outcome, reason, comparison=comparison, needed=needed), p)


def _said(rule: RuleSpec, measurement: Measurement, comparison: Comparison, outcome: Outcome) -> str:
    unit, relative, interval = shown(measurement), comparison.relative, comparison.interval
    around = ""
    if interval:
        apart = interval.method.startswith("square-and-add") and not of_host(measurement)
        how = ", as if on different images" if apart else ""
        around = f" ({100 * interval.level:.4g} % interval {worsening_spread(interval, unit, relative=relative)}{how})"
    words = {
        "pass": "keeps the margin",
        "fail": "breaks the margin",
        "inconclusive": "is too uncertain to tell: the interval reaches across the margin",
    }[outcome]
    change = f"{worsening(comparison.worse_by, unit, relative=relative)} {'than' if comparison.worse_by else 'from'}"
    return (
        f"{measurement.label} is {quantity(measurement.value, unit)}, {change} the baseline's"
        f" {quantity(comparison.baseline, unit)}{around}, and {words}, at most"
        f" {margin(rule.limit, unit, relative=relative)} worse"
    )
