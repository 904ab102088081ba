"""How the outcome of one rule came about, in words, at 80 columns: for `e360 gate --explain`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from efficiency360.errors import InputError
from efficiency360.records import Scorecard, Verdict
from efficiency360.render import text
from efficiency360.render.tables import RuleView, by_urgency, rule_views
from efficiency360.spec import suggest
from efficiency360.units import worsening
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from efficiency360.records import Interval, Outcome
    from efficiency360.spec import AuditSpec, RuleSpec

_WIDTH: Final = 80
_TOLD_IN_FULL = 3
_LONGEST = 2000
_TIMED = frozenset({"ms", "images/s", "J"})
_SEVERITIES = {"block": "stops the release if it fails", "warn": "only warns", "info": "only informs"}
_METHODS = (
    ("wilson by class", "Wilson's interval of each class, put together (Zou and Donner 2008)"),
    ("wilson", "Wilson's score interval of a proportion (Wilson 1927)"),
    ("tango", "Tango's score interval of a difference on the same images (Tango 1998)"),
    ("newcombe, paired", "Newcombe's interval of a difference on the same images (Newcombe 1998)"),
    ("newcombe", "Newcombe's interval of a difference of two proportions (Newcombe 1998)"),
    ("square-and-add", "square-and-add of two intervals, as if independent (Zou and Donner 2008)"),
    ("bootstrap, widened", "a bootstrap, widened because few images tell (Efron and Tibshirani 1993)"),
    ("bootstrap", "a bootstrap, the images drawn anew again and again (Efron and Tibshirani 1993)"),
    ("order statistics", "order statistics of the timed runs (Conover 1999)"),
    ("medians of stretches", "Student's interval of the medians of separate stretches of time"),
    ("tolerance of stretches", "a tolerance limit over separate stretches of time (Natrella 1963)"),
    ("batch means", "the means of batches of runs (Law 2015)"),
    ("hodges-lehmann", "Hodges and Lehmann's interval of a shift between timings (Hodges and Lehmann 1963)"),
    ("simultaneous", "simultaneous intervals of all pairs of groups (Games and Howell 1976)"),
    ("max-t", "simultaneous intervals of all groups (max-t)"),
)
"""Ways to make an interval by how their names begin, the longer names first."""


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
    views = by_urgency(view for view in _views(judged) if view.result.rule == rule_id)
    if not views:
        raise InputError(f"rule '{one_line(rule_id, 60)}' is not in the verdict; judge again: e360 gate --audit FILE")
    return "\n".join(_lines(rule, spec, views)) + "\n"


def _views(judged: Scorecard | Verdict) -> Iterable[RuleView]:
    return rule_views(judged) if isinstance(judged, Scorecard) else (RuleView(one, None) for one in judged.rules)


def _lines(rule: RuleSpec, spec: AuditSpec, views: list[RuleView]) -> Iterator[str]:
    first = views[0].result
    yield from _wrapped(f"Rule {rule.id}: {text.outcome(first).upper()}", "")
    yield from _part("What it says", [f"{_says(views)}. It {_SEVERITIES[first.severity]}."])
    yield from _part("Why", [first.rationale])
    for view in views[:_TOLD_IN_FULL]:
        params = text.joined(view.result.params)
        yield from _part(f"What was found{f' for {params}' if params else ''}", _found(view))
    if more := views[_TOLD_IN_FULL:]:
        yield from _part("And further", [_counted(more)])
    if first.waiver is not None:
        yield from _part("Waiver", [_sentence(text.waiver(first.waiver))])
    yield from _part("What to do next", _next(views, spec))


def _says(views: list[RuleView]) -> str:
    result = views[0].result
    every = f"Each of {len(views):,} results of " if len(views) > 1 else ""
    return f"{every}{text.title(result.measurement)} ({result.measurement}) must be {text.limit(result, views[0].unit)}"


def _found(view: RuleView) -> Iterator[str]:
    result, unit = view.result, view.unit
    if result.measured is None:
        yield _sentence(result.reason)
        return
    of = "runs" if unit in _TIMED else "images"
    n = f" on {view.measurement.n:,} {of}" if view.measurement and view.measurement.n is not None else ""
    yield f"It is {text.quantity(result.measured, unit)}{n}."
    if result.interval is not None:
        yield _interval(result.interval, text.spread(result.interval, unit))
    if result.comparison is not None:
        yield _sentence(f"It is {text.compared(result, unit)}")
        if result.comparison.interval is not None:
            yield f"The interval of the difference is {_method(result.comparison.interval.method)}."
    yield from _ends(view)
    yield f"So the outcome is {result.outcome}: {_sentence(result.reason, capital=False)}"
    if result.needed is not None and result.outcome == "inconclusive" and f"{result.needed:,}" not in result.reason:
        yield (
            f"About {result.needed:,} images in all would decide it in 80 of 100 cases, if the numbers stay what they"
            " are."
        )


def _interval(interval: Interval, ends: str) -> str:
    level = f"{100 * interval.level:.4g}"
    return (
        f"The {level} % interval is {ends}, by {_method(interval.method)}: ranges made this way hold the true number in"
        f" {level} of 100 cases."
    )


def _method(name: str) -> str:
    """A method in a few words, with its source; by its own name where it is not known."""
    known = next((words for start, words in _METHODS if name.lower().startswith(start)), None)
    return known if known is not None else f"the method '{name}'"


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


def _counted(views: Iterable[RuleView]) -> str:
    outcomes: list[Outcome] = [view.result.outcome for view in views]
    counts = (f"{outcomes.count(kind):,} {kind}" for kind in ("fail", "inconclusive", "pass") if kind in outcomes)
    return f"{len(outcomes):,} more results of this rule: {', '.join(counts)}."


def _next(views: list[RuleView], spec: AuditSpec) -> Iterator[str]:
    """From the worst result."""
    result = views[0].result
    file = one_line(spec.file, 200) or "the audit file"
    if result.outcome == "pass":
        yield "Nothing: the rule holds."
        return
    if result.waiver is not None and result.waiver.active:
        yield f"The rule stops nothing until {result.waiver.expires}; after that day it does again."
    if result.outcome == "fail":
        yield f"Mend the model; or, if the limit asks too much, change it in {file} and say why."
    else:
        yield _to_decide(views[0])
    if result.stands_in_the_way and result.outcome == "inconclusive" and spec.inconclusive == "block":
        yield "Until then the rule is undecided, which is not a pass."
    if result.stands_in_the_way and result.waiver is None:
        yield f"To let it through for a while, add to {file}: [[waivers]] with rule, owner, reason and expires."


def _to_decide(view: RuleView) -> str:
    result = view.result
    if result.bound == "no_worse_than_baseline" and result.comparison is None:
        return "Compare with an audit of the same data, settings and kind of machine: --baseline DIR."
    if result.measured is None:
        return f"Measure it: audit the model with the axis {result.measurement.partition('.')[0]}."
    if result.needed is not None:
        return f"Audit the model on {result.needed:,} images or more."
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
