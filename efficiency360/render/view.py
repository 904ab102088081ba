"""What a report shows and in which order, before it is HTML: a pure rearrangement of the scorecard."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from efficiency360.records import (
    FRAMEWORK_AXES,
    WHAT_IFS,
    AxisRecord,
    AxisScore,
    Caveat,
    Outcome,
    RuleResult,
    Scorecard,
)
from efficiency360.render.brief import Change, Kept, Speech, Step, changes, kept, spoken, steps
from efficiency360.render.groups import groups
from efficiency360.render.lights import Light, lights
from efficiency360.render.pictures import ALONE, pictures
from efficiency360.render.results import RuleGroup, by_urgency, readable, rule_groups, rule_views
from efficiency360.render.tables import Table, measurement_tables
from efficiency360.render.text import common, joined, title
from efficiency360.render.wheel import Sector, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from efficiency360.render.business import View as Costs
    from efficiency360.render.figures import Figures
    from efficiency360.render.groups import Groups
    from efficiency360.render.pictures import Pictures

State = Literal["scored", "unscored", "failed", "skipped", "absent"]
"""A measured axis with or without a score; one that failed or was skipped; one that the scorecard does not mention."""

_NAMED_SECTORS = 15
_SHOWN_RESULTS = 5
_CAVEATS = ("critical", "warning", "info")
_ALL_PASSED = re.compile(r"(\d+) of \1 blocking checks passed")


@dataclass(frozen=True)
class AxisView:
    """One axis as the report shows it.

    `label` is a short title for the wheel; `record` is None where the scorecard does not mention the axis; `common`
    are the params that all its measurements share; `sector` is None where the wheel leaves it out.
    """

    id: str
    title: str
    label: str
    about: str
    state: State
    record: AxisRecord | None
    score: AxisScore
    caveats: tuple[Caveat, ...]
    tables: tuple[Table, ...]
    common: str
    sector: Sector | None
    title_of: Callable[[str], str] = title

    def naming(self, measurement: str) -> str:
        """The name of one of its measurements in the language of the page."""
        return self.title_of(measurement)


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
    speech = speech or Speech(words, title, str)
    axes = _axes(card, words["axes"], speech.title)
    views = by_urgency(rule_views(card))
    shown = lights([axis for axis in axes if axis.sector], views, words, speech.say)
    return Page(
        axes=axes,
        pictures=_pictures(card, figures or ALONE),
        groups=groups(card.axes, results),
        rules=rule_groups(card, _SHOWN_RESULTS),
        reasons=tuple(_worded(reason, results) for reason in card.verdict.reasons),
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


def _worded(reason: str, results: Sequence[RuleResult]) -> str:
    """A reason of the verdict in which a result of a rule names its measurement in words."""
    if all_passed := _ALL_PASSED.fullmatch(reason):
        return f"All blocking checks passed ({all_passed[1]})"
    told = (result for result in results if result.reason and reason.endswith(f": {result.reason}"))
    if result := next(told, None):
        return reason.removesuffix(result.reason) + readable(result)
    return reason


def sort_caveats(caveats: Iterable[Caveat]) -> tuple[Caveat, ...]:
    """Critical ones first, otherwise in the order given."""
    return tuple(sorted(caveats, key=lambda caveat: _CAVEATS.index(caveat.severity)))


def _axes(
    card: Scorecard, words: Mapping[str, Mapping[str, str]], title_of: Callable[[str], str]
) -> tuple[AxisView, ...]:
    records = {axis.id: axis for axis in card.axes}
    scores = {score.axis: score for score in card.scores}
    ids = list(dict.fromkeys((*FRAMEWORK_AXES, *records)))
    points = [_score(records.get(axis_id), scores.get(axis_id), axis_id) for axis_id in ids]
    drawn = [score for score in points if score.axis not in WHAT_IFS]
    sectors = dict(zip((score.axis for score in drawn), wheel([score.score for score in drawn]), strict=True))
    found = (
        _axis(records.get(score.axis), score, sectors.get(score.axis), card.verdict.rules, words) for score in points
    )
    return tuple(replace(axis, title_of=title_of) for axis in found)


def _score(record: AxisRecord | None, score: AxisScore | None, axis_id: str) -> AxisScore:
    """The score of a measured axis; an axis that was not measured has none, whatever the scorecard claims."""
    measured = record is not None and record.status == "measured"
    return score if measured and score else AxisScore(axis=axis_id)


def _axis(
    record: AxisRecord | None,
    score: AxisScore,
    sector: Sector | None,
    rules: Sequence[RuleResult],
    words: Mapping[str, Mapping[str, str]],
) -> AxisView:
    known = words.get(score.axis, {"title": score.axis.replace("_", " ").capitalize(), **words["_unknown"]})
    return AxisView(
        id=score.axis,
        title=known["title"],
        label=known.get("label", known["title"]),
        about=known["about"],
        state=_state(record, score),
        record=record,
        score=score,
        caveats=sort_caveats(record.caveats) if record else (),
        tables=measurement_tables(record, rules) if record else (),
        common=joined(common(record.measurements)) if record else "",
        sector=sector,
    )


def _state(record: AxisRecord | None, score: AxisScore) -> State:
    if record is None:
        return "absent"
    if record.status != "measured":
        return record.status
    return "unscored" if score.score is None else "scored"


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
