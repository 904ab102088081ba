"""What a report shows and in which order, before it is HTML: a pure rearrangement of the scorecard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.records import (
    FRAMEWORK_AXES,
    Caveat,
    Outcome,
    RuleResult,
    Scorecard,
)
from efficiency360.render.axis_views import AxisView, axis_views
from efficiency360.render.brief import Change, Kept, Speech, Step, changes, kept, spoken, steps
from efficiency360.render.groups import groups
from efficiency360.render.lights import Light, lights
from efficiency360.render.pictures import ALONE, pictures
from efficiency360.render.results import RuleGroup, by_urgency, readable, rule_groups, rule_views
from efficiency360.render.text import title as measurement_title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from efficiency360.render.business import View as Costs
    from efficiency360.render.figures import Figures
    from efficiency360.render.groups import Groups
    from efficiency360.render.pictures import Pictures

_NAMED_SECTORS = 15
_SHOWN_RESULTS = 5


@dataclass(frozen=True)
class Page:
    """The whole report. `axes` are in the order of the wheel; `reasons` are the verdict's, measurements in words.

    `pictures` are by axis, of those that have any; `groups` are what is drawn of fairness.
    `lights`, `changes`, `steps` and `spoken` are for who decides, `kept` what a pass rests on; `business` is what it
    costs (None: not worked out).
    `waived` counts what a waiver keeps from standing in the way; `forgiven` says whether anything undecided is left
    that the audit file lets pass.
    """

    axes: tuple[AxisView, ...]
    pictures: Mapping[str, Pictures]
    groups: Groups | None
    rules: tuple[RuleGroup, ...]
    reasons: tuple[str, ...]
    glossary: tuple[Mapping[str, Any], ...]
    outcome: Outcome
    forgiven: bool
    waived: int
    lights: tuple[Light, ...]
    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    spoken: tuple[str, ...]
    kept: tuple[Kept, ...] = ()
    business: Costs | None = None

    @property
    def terms(self) -> Mapping[str, str]:
        """Where in the glossary the name of a measurement is explained, as an id; the first entry that names it."""
        pairs = (
            (name, f"term-{index}")
            for index, entry in reversed(list(enumerate(self.glossary)))
            for name in entry["where"]
        )
        return dict(pairs)

    @property
    def sentence(self) -> str:
        """Which sentence stands below the verdict: a pass says what it owes to waivers and to the audit file."""
        if self.outcome != "pass":
            return self.outcome
        return f"pass{'_waived' if self.waived else ''}{'_forgiven' if self.forgiven else ''}"

    @property
    def results(self) -> tuple[RuleResult, ...]:
        """What the rules came to."""
        return tuple(view.result for group in self.rules for view in group.views)

    @property
    def compares(self) -> bool:
        """Whether a rule compares with a baseline."""
        return any(result.bound == "no_worse_than_baseline" for result in self.results)

    @property
    def waives(self) -> bool:
        """Whether there is a waiver, even one that has expired."""
        return any(result.waiver for result in self.results)

    @property
    def crowded(self) -> bool:
        """Whether the wheel has too many axes for their names, so that it numbers them."""
        return len(self.wheel) > _NAMED_SECTORS

    @property
    def wheel(self) -> tuple[AxisView, ...]:
        """The axes of the wheel: all but the what-ifs."""
        return tuple(axis for axis in self.axes if axis.sector)

    @property
    def measured(self) -> tuple[AxisView, ...]:
        """Axes of the framework with numbers."""
        return tuple(axis for axis in self.framework if axis.state in {"scored", "unscored"})

    @property
    def framework(self) -> tuple[AxisView, ...]:
        """The axes that coverage and the overall score count; those of plugins stand beside them."""
        return tuple(axis for axis in self.axes if axis.id in FRAMEWORK_AXES)

    @property
    def told(self) -> tuple[AxisView, ...]:
        """Axes that get a section of their own: those with numbers and those that failed."""
        return tuple(axis for axis in self.axes if axis.state in {"scored", "unscored", "failed"})

    @property
    def untold(self) -> tuple[AxisView, ...]:
        """Axes that were not tried."""
        return tuple(axis for axis in self.axes if axis.state in {"skipped", "absent"})

    @property
    def critical(self) -> tuple[tuple[AxisView, Caveat], ...]:
        """Caveats that nobody may miss, with their axes."""
        return tuple((axis, caveat) for axis in self.axes for caveat in axis.caveats if caveat.severity == "critical")


def page(
    card: Scorecard, words: Mapping[str, Any], figures: Figures | None = None, speech: Speech | None = None
) -> Page:
    """Arrange a scorecard for reading.

    Args:
        card: the scorecard.
        words: names of axes and entries of the glossary in the language of the report.
        figures: what was read from the evidence; None where only the scorecard was read.
        speech: how to name measurements and phrases in that language (default: in English).
    """
    results = card.verdict.rules
    speech = speech or Speech(words, measurement_title, str)
    axes = axis_views(card, words["axes"], speech.title)
    views = by_urgency(rule_views(card))
    shown = lights([axis for axis in axes if axis.sector], views, words, speech.say)
    return Page(
        axes=axes,
        pictures=_pictures(card, figures or ALONE),
        groups=groups(card.axes, results),
        rules=rule_groups(card, _SHOWN_RESULTS),
        reasons=_reasons(card),
        glossary=_glossary(card, words["glossary"]),
        outcome=card.verdict.outcome,
        forgiven=any(result.stands_in_the_way and result.outcome == "inconclusive" for result in results),
        waived=sum(
            result.severity == "block" and result.outcome != "pass" and not result.stands_in_the_way
            for result in results
        ),
        lights=shown,
        changes=changes(views, speech),
        steps=steps(card, [axis for axis in axes if axis.sector], views, speech),
        spoken=spoken(card, shown, views, speech),
        kept=kept(views, speech) if card.verdict.outcome == "pass" else (),
    )


def _pictures(card: Scorecard, figures: Figures) -> dict[str, Pictures]:
    """The pictures of the axes that have any."""
    found = {axis.id: pictures(axis, card.verdict.rules, figures) for axis in card.axes}
    return {axis_id: some for axis_id, some in found.items() if some}


def _reasons(card: Scorecard) -> tuple[str, ...]:
    """The reasons of the verdict; of a pass without any exception how many checks there were, once."""
    results, said = card.verdict.rules, card.verdict.reasons
    blocking = [result for result in results if result.severity == "block"]
    if card.verdict.outcome == "pass" and blocking and all(result.outcome == "pass" for result in blocking):
        return f"All blocking checks passed ({len(blocking)})", *(_worded(reason, results) for reason in said[1:])
    return tuple(_worded(reason, results) for reason in said)


def _worded(reason: str, results: Sequence[RuleResult]) -> str:
    """A reason of the verdict in which a result of a rule names its measurement in words."""
    told = (result for result in results if result.reason and reason.endswith(f": {result.reason}"))
    if result := next(told, None):
        return reason.removesuffix(result.reason) + readable(result)
    return reason


def _glossary(card: Scorecard, entries: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The terms that this report uses."""
    measurements = [measurement for axis in card.axes for measurement in axis.measurements]
    occurring = {"always", *(measurement.name for measurement in measurements)}
    if any(measurement.interval for measurement in measurements):
        occurring.add("interval")
    if card.verdict.outcome == "inconclusive" or any(rule.outcome == "inconclusive" for rule in card.verdict.rules):
        occurring.add("inconclusive")
    if any(rule.bound == "no_worse_than_baseline" for rule in card.verdict.rules):
        occurring.add("baseline")
    if any(rule.waiver for rule in card.verdict.rules):
        occurring.add("waiver")
    return tuple(entry for entry in entries if occurring.intersection(entry["where"]))
