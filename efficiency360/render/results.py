"""Results of rules as a reader wants them: worst first, what says the same said once, the rest counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.render import text
from efficiency360.render.tables import Figure, change_figure, figure, key_of
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from efficiency360.records import Measurement, RuleResult, Scorecard

_OUTCOMES = ("fail", "inconclusive", "pass")
_SEVERITIES = ("block", "warn", "info")
_DOUBT = ", but is in doubt: "


@dataclass(frozen=True)
class RuleView:
    """A rule's result with the measurement it is about, as far as the scorecard has it."""

    result: RuleResult
    measurement: Measurement | None

    @property
    def unit(self) -> str:
        """The unit in which what was measured is shown; none where nothing was."""
        return shown(self.measurement) if self.measurement else ""

    @property
    def figure(self) -> Figure | None:
        """The number on its scale; of a rule that compares with a baseline, the change on a scale of its own."""
        if self.result.bound == "no_worse_than_baseline":
            return change_figure(self.result)
        found = self.measurement
        return figure(found, [self.result]) if found and self.result.measured is not None else None


@dataclass(frozen=True)
class Finding:
    """Results of one rule that say the same of different measurements; mostly one. `total` counts all of the rule."""

    views: tuple[RuleView, ...]
    total: int

    @property
    def view(self) -> RuleView:
        """The first, which stands for all."""
        return self.views[0]

    @property
    def which(self) -> str:
        """Which results of the rule these are, as `all 10` or `3 of 10`; empty where it is one."""
        n = len(self.views)
        if n == 1:
            return ""
        return f"all {n:,}" if n == self.total else f"{n:,} of {self.total:,}"

    @property
    def reason(self) -> str:
        """What they all say."""
        return self._said(self.view.result.measurement) if self.which else self.view.result.reason

    @property
    def worded(self) -> str:
        """The same, with the measurement's name in words."""
        return self._said(text.title(self.view.result.measurement)) if self.which else readable(self.view.result)

    def _said(self, name: str) -> str:
        label, rest = split_reason(self.view.result)
        return f"{name} ({self.which}){rest}" if label else f"{self.which}: {rest}"


@dataclass(frozen=True)
class RuleGroup:
    """All that one rule found, worst first: `shown`, and `folded` where that is much."""

    rule: str
    shown: tuple[Finding, ...]
    folded: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return self.shown + self.folded

    @property
    def worst(self) -> RuleView:
        """The result that decides what becomes of the rule."""
        return self.shown[0].view

    @property
    def views(self) -> tuple[RuleView, ...]:
        """All results."""
        return _views(self.findings)

    @property
    def rest(self) -> tuple[RuleView, ...]:
        """The results that are folded."""
        return _views(self.folded)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many of the folded results have which outcome, worst first."""
        return _counts(self.rest)

    @property
    def more(self) -> str:
        """The folded results as `and 7 more: 6 undecided, 1 pass`; empty where there are none."""
        if not self.folded:
            return ""
        return f"and {len(self.rest):,} more: {', '.join(_counted(self.counts))}"

    @property
    def tally(self) -> str:
        """All results as `1 of 10 fails; 9 undecided`; empty where there is one."""
        total = len(self.views)
        if total == 1:
            return ""
        first, *others = _counted(_counts(self.views))
        number, _, word = first.partition(" ")
        return "; ".join((f"{number} of {total:,} {word}", *others))


def rule_views(card: Scorecard) -> tuple[RuleView, ...]:
    """All results in the order of the verdict, each with the measurement that it is about."""
    found = [measurement for axis in card.axes for measurement in axis.measurements]
    by_name = {measurement.name: measurement for measurement in reversed(found)}
    by_key = {key_of(measurement): measurement for measurement in found}
    return tuple(
        RuleView(result, by_key.get(key_of(result), by_name.get(result.measurement))) for result in card.verdict.rules
    )


def by_urgency(views: Iterable[RuleView]) -> list[RuleView]:
    """What fails first, then what is open, blocking before the rest; otherwise in the order given."""
    return sorted(views, key=_urgency)


def gather(views: Iterable[RuleView], most: int) -> tuple[RuleGroup, ...]:
    """The results of each rule, the rules in the order in which they come up.

    Where a rule found more than `most` things, it shows so many that do not hold, or the worst where all hold.
    """
    rules: dict[str, list[RuleView]] = {}
    for view in views:
        rules.setdefault(view.result.rule, []).append(view)
    return tuple(_group(found, most) for found in rules.values())


def rule_groups(card: Scorecard, most: int) -> tuple[RuleGroup, ...]:
    """As `gather`, of all rules, the most urgent first."""
    return gather(by_urgency(rule_views(card)), most)


def split_reason(result: RuleResult) -> tuple[str, str]:
    """The label of a measurement with which a reason begins (empty: with none), and what it says of it."""
    label = result.measurement + (f"{{{text.joined(result.params)}}}" if result.params else "")
    if result.reason.startswith(f"{label} "):
        return label, result.reason.removeprefix(label).replace(label, result.measurement)
    return "", result.reason


def readable(result: RuleResult) -> str:
    """A reason that names its measurement in words: `Accuracy of a class, class=1 is 98.2 % ...`."""
    label, rest = split_reason(result)
    if not label:
        return result.reason
    return ", ".join(filter(None, (text.title(result.measurement), text.joined(result.params)))) + rest


def why_open(result: RuleResult) -> str:
    """Why a rule is undecided though its interval is not too wide; empty where that is all, or it is decided."""
    if result.outcome != "inconclusive":
        return ""
    if by_chance(result):
        return "looked at alone it breaks the margin; among several comparisons that may be chance"
    label, said = split_reason(result)
    _, doubted, doubt = said.partition(_DOUBT)
    if doubted:
        return f"it is in doubt: {doubt}"
    return "" if _too_wide(result) else f"it{said}" if label else said


def _too_wide(result: RuleResult) -> bool:
    """Whether the interval that is compared with the limit reaches across it."""
    compares = result.bound == "no_worse_than_baseline"
    interval = (result.comparison.interval if result.comparison else None) if compares else result.interval
    return result.measured is not None and interval is not None and interval.low <= result.limit <= interval.high


def by_chance(result: RuleResult) -> bool:
    """Whether a comparison breaks the margin if looked at alone, but may do so by chance among several."""
    interval = result.comparison.interval if result.comparison else None
    return result.outcome == "inconclusive" and interval is not None and interval.low > result.limit


def _group(views: Sequence[RuleView], most: int) -> RuleGroup:
    findings = list(_findings(sorted(views, key=_badness)))
    shown = len(findings)
    if shown > most:
        shown = min(most, max(1, sum(finding.view.result.outcome != "pass" for finding in findings)))
    return RuleGroup(views[0].result.rule, tuple(findings[:shown]), tuple(findings[shown:]))


def _findings(views: Sequence[RuleView]) -> Iterator[Finding]:
    """Results that could not be judged for one reason are one; what was judged has numbers of its own."""
    same: dict[str | int, list[RuleView]] = {}
    for index, view in enumerate(views):
        judged = view.result.outcome != "inconclusive" or view.result.comparison is not None or _too_wide(view.result)
        same.setdefault(index if judged else split_reason(view.result)[1], []).append(view)
    yield from (Finding(tuple(found), len(views)) for found in same.values())


def _urgency(view: RuleView) -> tuple[int, int]:
    return _OUTCOMES.index(view.result.outcome), _SEVERITIES.index(view.result.severity)


def _badness(view: RuleView) -> tuple[int, int, float, float]:
    """Urgency, then by how much it is worse than allowed, then by how much it may be; what was not measured first."""
    result = view.result
    if result.measured is None or (result.bound == "no_worse_than_baseline" and result.comparison is None):
        return *_urgency(view), -math.inf, 0.0
    found = result.comparison
    sign = -1 if result.bound == "at_least" else 1
    value, interval = (found.worse_by, found.interval) if found else (result.measured, result.interval)
    ends = (interval.low, interval.high) if interval else (value, value)
    return *_urgency(view), -sign * (value - result.limit), -max(sign * end for end in ends)


def _views(findings: Iterable[Finding]) -> tuple[RuleView, ...]:
    return tuple(view for finding in findings for view in finding.views)


def _counts(views: Sequence[RuleView]) -> list[tuple[str, int]]:
    outcomes = [view.result.outcome for view in views]
    return [(outcome, outcomes.count(outcome)) for outcome in _OUTCOMES if outcome in outcomes]


def _counted(counts: Iterable[tuple[str, int]]) -> Iterator[str]:
    words = {"fail": ("fails", "fail"), "inconclusive": ("undecided", "undecided"), "pass": ("passes", "pass")}
    yield from (f"{n:,} {words[outcome][n > 1]}" for outcome, n in counts)
