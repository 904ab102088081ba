"""What a decision needs, on one screen: what changed, what to do next in order, and sentences for a meeting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from efficiency360.render.lights import limit, together
from efficiency360.render.naming import middle
from efficiency360.render.results import by_urgency, gather
from efficiency360.render.text import compared, joined, quantity, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from efficiency360.records import RuleResult, Scorecard
    from efficiency360.render.axis_views import AxisView
    from efficiency360.render.lights import Light
    from efficiency360.render.results import RuleView

CHANGES: Final = 5
_NAMED: Final = 60
_HOW: Final = frozenset({"dtype", "threads", "binning", "bins", "norm"})
"""Params that tell how it was measured rather than what."""


@dataclass(frozen=True)
class Change:
    """A comparison with the baseline: the mark that goes with it, what was compared, and how it came out."""

    mark: str
    what: str
    how: str


@dataclass(frozen=True)
class Kept:
    """A blocking rule that holds: what it speaks of, the number, and the limit."""

    what: str
    value: str
    limit: str


@dataclass(frozen=True)
class Step:
    """Something to do: a sentence, a hint how, a command, and a sentence of the scorecard that says more."""

    text: str
    hint: str = ""
    command: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Speech:
    """How to speak in a language: its prose, names of measurements, and phrases of ours."""

    words: Mapping[str, Any]
    title: Callable[[str], str]
    say: Callable[[str], str]

    def what(self, view: RuleView) -> str:
        """The measurement that a rule speaks of, with what tells it from others of its name."""
        title = self.title(view.result.measurement)
        told = {key: value for key, value in view.result.params.items() if key not in _HOW}
        return self.words["pair_of"].format(what=title, which=self.say(middle(joined(told), _NAMED))) if told else title


def changes(views: Sequence[RuleView], speech: Speech) -> tuple[Change, ...]:
    """What rules found that compare with a baseline, what is worse first."""
    marks = {"pass": "pass", "fail": "fail", "inconclusive": "inconclusive"}
    return tuple(
        Change(marks[view.result.outcome], speech.what(view), speech.say(compared(view.result, view.unit)))
        for view in by_urgency(views)
        if view.result.comparison
    )


def kept(views: Sequence[RuleView], speech: Speech) -> tuple[Kept, ...]:
    """What a pass rests on: of each blocking rule that holds, the result that came nearest to failing."""
    blocking = (view for view in views if view.result.severity == "block")
    worst = [group.worst for group in gather(by_urgency(blocking), 1)]
    return tuple(
        Kept(
            speech.what(view),
            together(speech.say(quantity(view.result.measured, view.unit))),
            limit(view, speech.words, speech.say),
        )
        for view in worst
        if view.result.outcome == "pass" and view.result.measured is not None
    )


def steps(card: Scorecard, axes: Sequence[AxisView], views: Sequence[RuleView], speech: Speech) -> tuple[Step, ...]:
    """What to do next, the most urgent first."""
    found = _steps(card, axes, [group.worst for group in gather(by_urgency(views), 1)], speech)
    told: set[str] = set()
    once = []
    for step in found:
        once.append(replace(step, hint="") if step.hint in told else step)
        told.add(step.hint)
    return tuple(once)


def _steps(card: Scorecard, axes: Sequence[AxisView], views: Sequence[RuleView], speech: Speech) -> Iterator[Step]:
    words = speech.words["next"]
    if card.verdict.outcome == "pass":
        yield Step(words["release"], command=words["release_command"])
    open_ones = [view.result for view in views if view.result.stands_in_the_way]
    lone = any(not _asks(result) for result in open_ones)
    if lone and card.verdict.baseline is None and card.verdict.outcome != "pass":
        yield Step(words["baseline"])
    yield from (_of_rule(view, speech) for view in views if view.result.stands_in_the_way and _asks(view.result))
    for axis in axes:
        yield from (
            Step(words["critical"].format(axis=axis.title), reason=caveat.text)
            for caveat in axis.caveats
            if caveat.severity == "critical"
        )
        if axis.state == "failed" and axis.record:
            yield Step(words["failed"].format(axis=axis.title), reason=axis.record.reason or "")
    yield from (_less_urgent(view, speech) for view in views if _lingers(view.result))
    if unknown := [axis.title for axis in axes if axis.state in {"skipped", "absent"}]:
        yield Step(words["unknown"].format(axes=speech.words["comma"].join(unknown)))


def _asks(result: RuleResult) -> bool:
    """Whether something has to be done about the very rule, not about the baseline it lacks."""
    return result.bound != "no_worse_than_baseline" or result.comparison is not None


def _lingers(result: RuleResult) -> bool:
    """Whether a rule does not stop the release, but does not hold either."""
    waived = result.waiver is not None and result.waiver.active and result.outcome != "pass"
    return waived or (result.severity == "warn" and result.outcome == "fail")


def _of_rule(view: RuleView, speech: Speech) -> Step:
    result, words = view.result, speech.words["next"]
    said = {
        "what": speech.what(view),
        "rule": result.rule,
        "limit": limit(view, speech.words, speech.say),
        "value": together(speech.say(quantity(result.measured, view.unit))) if result.measured is not None else "",
        "compared": speech.say(compared(result, view.unit)),
        "needed": f"{result.needed or 0:,}",
        "n": f"{(view.measurement.n if view.measurement else None) or 0:,}",
    }
    hint = words["hint"].get(result.measurement.partition(".")[0], "") if result.outcome == "fail" else ""
    return Step(words[_kind(result)].format(**said), hint)


def _kind(result: RuleResult) -> str:
    if result.measured is None:
        return "unmeasured"
    if result.outcome == "fail":
        return "fail_change" if result.comparison else "fail"
    return "needed" if result.needed else "open"


def _less_urgent(view: RuleView, speech: Speech) -> Step:
    result, words = view.result, speech.words["next"]
    if result.waiver is not None and result.waiver.active:
        said = words["waived"].format(owner=result.waiver.owner, expires=result.waiver.expires, what=speech.what(view))
        return Step(said)
    value = together(speech.say(quantity(result.measured or 0.0, view.unit)))
    told = {"what": speech.what(view), "value": value, "rule": result.rule}
    hint = words["hint"].get(result.measurement.partition(".")[0], "")
    return Step(words["warned"].format(limit=limit(view, speech.words, speech.say), **told), hint)


def spoken(card: Scorecard, lights: Sequence[Light], views: Sequence[RuleView], speech: Speech) -> tuple[str, ...]:
    """Three sentences to be said in a meeting: may we, what is it like, and what now."""
    return _may_we(card, views, speech), _what_it_is_like(card, lights, speech), _what_now(card, lights, views, speech)


def _may_we(card: Scorecard, views: Sequence[RuleView], speech: Speech) -> str:
    words = speech.words["spoken"]
    blocking = [view.result for view in views if view.result.severity == "block"]
    outcome = card.verdict.outcome
    if not blocking:
        return str(words["unruled"].format(model=_model(card)))
    k = sum(result.stands_in_the_way and result.outcome == outcome for result in blocking)
    if outcome == "pass":
        k = sum(result.outcome != "pass" and not result.stands_in_the_way for result in blocking)
        forgiven = any(result.stands_in_the_way for result in blocking)
        kind = "pass_waived" if k else "pass_forgiven" if forgiven else "pass"
    else:
        kind = outcome
    return str(words[kind].format(model=_model(card), n=len(blocking), k=k))


def _what_it_is_like(card: Scorecard, lights: Sequence[Light], speech: Speech) -> str:
    words = speech.words["spoken"]
    sides = {
        "measured": sum(light.axis.state in {"scored", "unscored"} for light in lights),
        "universe": len(lights),
    }
    found = (one for axis in card.axes for one in axis.measurements)
    top1 = next((one for one in found if one.name == "accuracy.top1"), None)
    if top1 is None:
        return str(words["sides"].format(**sides))
    return str(words["right"].format(accuracy=together(quantity(top1.value, top1.unit)), **sides))


def _what_now(card: Scorecard, lights: Sequence[Light], views: Sequence[RuleView], speech: Speech) -> str:
    words = speech.words["spoken"]
    worst = next((view for view in by_urgency(views) if view.result.stands_in_the_way), None)
    if card.verdict.outcome == "pass" or worst is None:
        return _next_version(card, lights, words)
    if worst.result.outcome != "fail":
        return str(words["evidence"].format(what=speech.what(worst)))
    if worst.result.comparison or worst.result.measured is None:
        return str(words["regain"].format(what=speech.what(worst)))
    value = together(speech.say(quantity(worst.result.measured, worst.unit)))
    asked = limit(worst, speech.words, speech.say)
    return str(words["improve"].format(what=speech.what(worst), value=value, limit=asked))


def _next_version(card: Scorecard, lights: Sequence[Light], words: Mapping[str, str]) -> str:
    graded = [
        (one.score, light.axis.title, one.grade) for light in lights if (one := light.axis.score).score is not None
    ]
    if not scored(card) or not graded:
        return words["yardstick"]
    score, title, grade = min(graded)
    rest = sum(light.axis.score.score is None for light in lights)
    kind = "weakest" if grade != "A" else "weakest_open" if rest else "weakest_good"
    return words[kind].format(axis=title, score=f"{score:g}", n=len(graded), rest=rest)


def _model(card: Scorecard) -> str:
    return middle(card.subject.name, _NAMED)
