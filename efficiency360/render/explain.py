"""How the outcome of one rule came about, in words, at 80 columns: for `e360 gate --explain`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from efficiency360.errors import InputError
from efficiency360.records import Scorecard, Verdict
from efficiency360.render import text
from efficiency360.render.methods import method
from efficiency360.render.release import whole
from efficiency360.render.results import RuleView, by_chance, gather, rule_views, why_open
from efficiency360.spec import suggest
from efficiency360.units import worsening
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from efficiency360.records import Interval
    from efficiency360.render.results import Finding, RuleGroup
    from efficiency360.spec import AuditSpec, RuleSpec

_WIDTH: Final = 80
_TOLD_IN_FULL = 3
_LONGEST = 2000
_PART_OF_THE_IMAGES = frozenset({"class", "group"})
_TIMED = frozenset({"ms", "images/s", "J"})


def explain(judged: Scorecard | Verdict, spec: AuditSpec, rule_id: str) -> str:
    """What one rule says, what was measured, how the two compare, and what to do next.

    Args:
        judged: a scorecard under the audit file, or its verdict alone, whose numbers then stand without their units.
        spec: the audit file.
        rule_id: a rule in it.

    Raises:
        InputError: the audit file has no such rule, or the verdict is not by this audit file.
    """
    rule = next((rule for rule in spec.rules if rule.id == rule_id), None)
    if rule is None:
        known = [one_line(rule.id, 60) for rule in spec.rules]
        name = one_line(rule_id, 60)
        raise InputError(f"the audit '{one_line(spec.title, 60)}' has no rule '{name}'{suggest(name, known)}")
    group = next(iter(gather((view for view in _views(judged) if view.result.rule == rule_id), _TOLD_IN_FULL)), None)
    if group is None:
        raise InputError(f"rule '{one_line(rule_id, 60)}' is not in the verdict; judge again: e360 gate --audit FILE")
    verdict = judged.verdict if isinstance(judged, Scorecard) else judged
    return "\n".join(_lines(rule, spec, group, verdict)) + "\n"


def _views(judged: Scorecard | Verdict) -> Iterable[RuleView]:
    return rule_views(judged) if isinstance(judged, Scorecard) else (RuleView(one, None) for one in judged.rules)


def _lines(rule: RuleSpec, spec: AuditSpec, group: RuleGroup, verdict: Verdict) -> Iterator[str]:
    first = group.worst.result
    if_it_fails = " if it fails" if first.severity == "block" else ""
    yield from _wrapped(f"Rule {rule.id}: {text.outcome(first).upper()}", "")
    yield from _part("What it says", [f"{_says(group)}. It {text.SEVERITIES[first.severity]}{if_it_fails}."])
    yield from _part("Why", [first.rationale])
    for finding in group.shown:
        of = finding.which or text.joined(finding.view.result.params)
        yield from _part(f"What was found{f' for {of}' if of else ''}", _found(finding))
    if group.folded:
        yield from _part(_sentence(group.more), (_short(view) for view in group.rest))
    if waiver := text.waiver(first):
        yield from _part("Waiver", [_sentence(waiver)])
    yield from _part("What to do next", _next(group.worst, spec, verdict))
    yield ""
    yield from _wrapped(_sentence(f"The release as a whole: {whole(verdict)}"), "")


def _says(group: RuleGroup) -> str:
    result, n = group.worst.result, len(group.views)
    every = f"Each of {n:,} results of " if n > 1 else ""
    return (
        f"{every}{text.title(result.measurement)} ({result.measurement}) must be {text.limit(result, group.worst.unit)}"
    )


def _found(finding: Finding) -> Iterator[str]:
    view = finding.view
    result, unit = view.result, view.unit
    if finding.which or result.measured is None:
        yield _sentence(finding.worded)
        if finding.which and len(finding.views) < finding.total:
            yield _sentence(f"These are {'; '.join(text.joined(one.result.params) for one in finding.views)}")
        return
    of = "runs" if unit in _TIMED else "images"
    n = f" on {view.measurement.n:,} {of}" if view.measurement and view.measurement.n is not None else ""
    yield f"It is {text.quantity(result.measured, unit)}{n}."
    if result.interval is not None:
        yield _interval(result.interval, text.spread(result.interval, unit))
    if result.comparison is not None:
        yield _sentence(f"It is {text.compared(result, unit)}")
        if result.comparison.interval is not None:
            yield f"The interval of the difference is {method(result.comparison.interval.method)}."
    yield from _outcome(view)


def _outcome(view: RuleView) -> Iterator[str]:
    """How the limit looks from both ends, what else keeps a rule undecided, and what that comes to."""
    result, why = view.result, why_open(view.result)
    if not why or by_chance(result) or why.startswith("it is in doubt"):
        yield from _ends(view)
    if why and not by_chance(result):
        yield _sentence(why)
    yield f"So the outcome is {result.outcome}."
    if result.needed is not None and result.outcome == "inconclusive":
        yield (
            f"About {result.needed:,} images in all would decide it in 80 of 100 cases, if the numbers stay what they"
            " are."
        )


def _short(view: RuleView) -> str:
    """A result on a line: number, interval or comparison, and why it is undecided where its interval does not say."""
    result, unit = view.result, view.unit
    of = text.joined(result.params) or result.measurement
    if result.measured is None:
        return _sentence(f"{of}: {result.outcome}, {result.reason}", capital=False)
    around = f" ({text.spread(result.interval, unit)})" if result.interval else ""
    found = f"{text.quantity(result.measured, unit)}{around}"
    told = (found, text.compared(result, unit), why_open(result))
    return _sentence(f"{of}: {result.outcome}, {'; '.join(filter(None, told))}", capital=False)


def _interval(interval: Interval, ends: str) -> str:
    level = f"{100 * interval.level:.4g}"
    return (
        f"The {level} % interval is {ends}, by {method(interval.method)}: ranges made this way hold the true number in"
        f" {level} of 100 cases."
    )


def _ends(view: RuleView) -> Iterator[str]:
    """How the limit, or the margin, looks from both ends of the interval."""
    result = view.result
    ends = _drop_ends(view) if result.bound == "no_worse_than_baseline" else _number_ends(view)
    if ends is None:
        return
    what = f"'{text.limit(result, view.unit)}'"
    (bad, bad_keeps), (good, good_keeps) = ends
    if bad == good and (result.comparison or result).interval is None:
        kept = "kept" if bad_keeps else "broken"
        yield f"It was not sampled, so no interval has to be allowed for: {what} is {kept}."
        return
    at_worst, at_best = (("keeps" if keeps else "breaks") for keeps in (bad_keeps, good_keeps))
    also = "also " if bad_keeps == good_keeps else ""
    yield f"Its pessimistic end, {bad}, {at_worst} {what}; its optimistic end, {good}, {also}{at_best} it."
    if result.comparison is not None and result.outcome == "inconclusive" and not good_keeps:
        yield (
            "Taken alone it would fail. Among several comparisons one looks bad by chance, so a failure has to stand"
            " Holm's correction (Holm 1979), and this one does not."
        )


def _number_ends(view: RuleView) -> tuple[tuple[str, bool], tuple[str, bool]] | None:
    """The pessimistic and the optimistic end in words, and whether each keeps the limit."""
    result = view.result
    if result.measured is None:
        return None
    low, high = (result.interval.low, result.interval.high) if result.interval else (result.measured, result.measured)
    at_least = result.bound == "at_least"

    def end(value: float) -> tuple[str, bool]:
        return text.quantity(value, view.unit), value >= result.limit if at_least else value <= result.limit

    return (end(low), end(high)) if at_least else (end(high), end(low))


def _drop_ends(view: RuleView) -> tuple[tuple[str, bool], tuple[str, bool]] | None:
    """The same of a drop against the baseline and its margin; None where nothing was compared."""
    result, found = view.result, view.result.comparison
    if found is None:
        return None
    low, high = (found.interval.low, found.interval.high) if found.interval else (found.worse_by, found.worse_by)

    def end(drop: float) -> tuple[str, bool]:
        return worsening(drop, view.unit, relative=found.relative), drop <= result.limit

    return end(high), end(low)


def _next(worst: RuleView, spec: AuditSpec, verdict: Verdict) -> Iterator[str]:
    result = worst.result
    file = one_line(spec.file, 200) or "the audit file"
    if result.outcome == "pass":
        yield "Nothing: the rule holds."
        return
    if result.waiver is not None and result.waiver.active:
        yield f"The rule stops nothing until {result.waiver.expires}; after that day it does again."
    if result.outcome == "fail":
        yield f"Mend the model; or, if the limit asks too much, change it in {file} and say why."
    else:
        yield _to_decide(worst, verdict)
    if result.stands_in_the_way and result.outcome == "inconclusive" and _blocks(spec, verdict):
        yield "Until then the rule is undecided, which is not a pass."
    if result.stands_in_the_way and result.waiver is None:
        yield f"To let it through for a while, add to {file}: [[waivers]] with rule, owner, reason and expires."


def _blocks(spec: AuditSpec, verdict: Verdict) -> bool:
    """Whether the audit file takes what is undecided for an obstacle."""
    return spec.inconclusive == "block" and verdict.outcome != "pass"


def _to_decide(view: RuleView, verdict: Verdict) -> str:
    result = view.result
    if result.bound == "no_worse_than_baseline" and verdict.baseline is None:
        return (
            "Say what to compare with: --baseline DIR, or make an audit the baseline: e360 baseline accept SCORECARD"
            " --why REASON. For a first release: --baseline none."
        )
    if result.bound == "no_worse_than_baseline" and result.comparison is None:
        return "Compare with an audit of the same data, settings and kind of machine: --baseline DIR."
    if result.measured is None:
        return f"Measure it: audit the model with the axis {result.measurement.partition('.')[0]}."
    if result.needed is not None:
        of = text.joined({key: value for key, value in result.params.items() if key in _PART_OF_THE_IMAGES})
        return f"Audit the model on {result.needed:,} images or more{f' of {of}' if of else ''}."
    if (result.comparison or result).interval is not None:
        return "More images, or more and longer runs, narrow the interval; see also to what the reason names."
    return "See to what the reason names."


def _sentence(said: str, *, capital: bool = True) -> str:
    """With a full stop, and a capital letter where it begins a line of ours."""
    said = said[:1].upper() + said[1:] if capital else said
    return said if said.endswith((".", "!", "?")) else f"{said}."


def _part(head: str, paragraphs: Iterable[str]) -> Iterator[str]:
    yield ""
    yield from _wrapped(head, "")
    for paragraph in paragraphs:
        yield from _wrapped(paragraph, "  ")


def _wrapped(said: str, indent: str) -> list[str]:
    return textwrap.wrap(text.plain(text.cut(said, _LONGEST)), _WIDTH, initial_indent=indent, subsequent_indent=indent)
