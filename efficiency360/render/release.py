"""What becomes of the release: the verdict over all rules in a sentence, and what it says beyond its rules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from efficiency360.render import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.records import RuleResult, Verdict

_LONGEST = 600
_WORDS = {
    "fail": ("fails", "fail"),
    "undecided": ("is undecided", "are undecided"),
    "waived": ("is waived", "are waived"),
    "hold": ("holds", "hold"),
}
"""States of a rule, the worst first."""


def whole(verdict: Verdict) -> str:
    """The verdict as `FAIL, 2 blocking rules fail, 1 is undecided.`, with what else it says."""
    counts = ", ".join(_counted(Counter(_states(verdict).values())))
    lets = ", which this audit file lets pass" if verdict.outcome == "pass" and "undecided" in counts else ""
    said = f"{verdict.outcome.upper()}, {counts or 'no rule can stop it'}{lets}"
    more = text.capped(beyond(verdict), _LONGEST) if verdict.outcome != "pass" else ""
    return text.clauses(said, more)


def beyond(verdict: Verdict) -> list[str]:
    """The reasons of a verdict that are not about a rule, such as a required axis that is missing."""
    rules = dict.fromkeys(result.rule for result in verdict.rules)
    about = tuple(
        start for rule in rules for start in (f"rule {rule}: ", f"waived: rule {rule} ", f"the waiver of rule {rule} ")
    )
    return [reason for reason in verdict.reasons if not reason.startswith(about)]


def _states(verdict: Verdict) -> dict[str, str]:
    """What became of each blocking rule, by its worst result."""
    order = list(_WORDS)
    states: dict[str, str] = {}
    for result in verdict.rules:
        if result.severity == "block":
            states[result.rule] = min(_state(result), states.get(result.rule, "hold"), key=order.index)
    return states


def _state(result: RuleResult) -> str:
    if result.outcome == "pass":
        return "hold"
    if not result.stands_in_the_way:
        return "waived"
    return "fail" if result.outcome == "fail" else "undecided"


def _counted(states: Counter[str]) -> Iterator[str]:
    what = True
    for state, words in _WORDS.items():
        if n := states[state]:
            rules = (" blocking rule" if n == 1 else " blocking rules") if what else ""
            yield f"{n:,}{rules} {words[n > 1]}"
            what = False
