"""A summary in GitHub's Markdown, for a comment on a pull request and for the summary of a job: short, the rest folded.

Names come from outside. Sentences are escaped so that they hold no markup, no link, no mention and no end of a table's
cell; names stand in code spans, of which GitHub makes neither mentions nor links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from efficiency360.records import FRAMEWORK_AXES
from efficiency360.render import text
from efficiency360.render.business import business
from efficiency360.render.github_text import code, sentence
from efficiency360.render.release import beyond
from efficiency360.render.results import RuleView, by_urgency, gather, rule_views, split_reason, why_open
from efficiency360.render.tables import notable
from efficiency360.render.wording import words
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from efficiency360.records import Measurement, Param, Scorecard
    from efficiency360.render.results import Finding, RuleGroup

COMMENT: Final = 65_536
"""Characters that GitHub takes in a comment; the summary of a job may have 1 MiB, which is more."""
_WORDS = {"pass": "✅ PASS", "fail": "❌ FAIL", "inconclusive": "⚠️ INCONCLUSIVE"}
_MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️"}
_RULES = ("Rule", "Measured", "Limit", "Outcome")
_NUMBERS = ("Measurement", "Value", "Interval", "n")
_SHOWN, _SHOWN_RESULTS, _SHOWN_BELOW = 8, 3, 5
_FRAME = 300
"""Room for what stands around the lines of a section."""
_LEFT_OUT = "{n:,} more are left out here, for GitHub takes no longer texts; `scorecard.json` has them all."


def render(card: Scorecard, most: int = COMMENT) -> str:
    """The summary, of at most `most` characters (20,000 or more); the same scorecard gives the same text.

    What does not fit is left out, and a sentence says how much that is.
    """
    views = sorted(by_urgency(rule_views(card)), key=lambda view: not view.result.stands_in_the_way)
    groups = gather(views, _SHOWN_RESULTS)
    above = [group for group in groups if group.worst.result.outcome != "pass"]
    told = {id(view) for group in above for finding in _failing(group) for view in finding.views}
    others = [view for view in views if id(view) not in told]
    page = "\n".join((*_head(card), ""))
    page += _table(_RULES, (row for group in above for row in _rows(group, _failing(group))), most // 4)
    page += _list("### Waivers", _waivers(groups), most // 8)
    page += _list("### Critical caveats", _critical(card), most // 8)
    page += _business(card, most // 4)
    below = (row for group in gather(others, _SHOWN_BELOW) for row in _rows(group, group.shown))
    page += _folded(f"{'Other' if told else 'All'} results ({len(others):,})", _RULES, below, (most - len(page)) // 2)
    return page + _folded("Key measurements", _NUMBERS, _numbers(card), most - len(page))


def _head(card: Scorecard) -> Iterator[str]:
    measured = round(card.coverage * len(FRAMEWORK_AXES))
    data = f"{code(card.dataset.name)} ({card.dataset.n:,} images)" if card.dataset else "no data"
    yield f"## {_WORDS[card.verdict.outcome]}: {code(card.subject.name)}"
    yield ""
    yield (
        f"Audit {code(card.audit.title)} on {data}; {text.overall(card)};"
        f" {measured} of {len(FRAMEWORK_AXES)} axes measured"
    )
    for line in _beside_the_rules(card):
        yield ""
        yield line


def _beside_the_rules(card: Scorecard) -> Iterator[str]:
    """What the verdict compares with, and what it says beyond its rules, such as a required axis that is missing."""
    if card.verdict.baseline is not None:
        yield f"Its numbers are {sentence(text.baseline(card.verdict.baseline))}"
    more = beyond(card.verdict)
    yield from map(sentence, more[:_SHOWN])
    if len(more) > _SHOWN:
        yield _LEFT_OUT.format(n=len(more) - _SHOWN)


def _failing(group: RuleGroup) -> list[Finding]:
    """What is shown of a rule and does not hold."""
    return [finding for finding in group.shown if finding.view.result.outcome != "pass"]


def _rows(group: RuleGroup, findings: Iterable[Finding]) -> Iterator[tuple[str, ...]]:
    """What a rule found, and in a last row how much more there is."""
    yield from map(_rule, findings)
    if group.folded:
        yield code(group.rule), sentence(group.more), "", ""


def _rule(finding: Finding) -> tuple[str, ...]:
    view = finding.view
    result = view.result
    which = sentence(finding.which) or (code(text.joined(result.params)) if result.params else "")
    number = [_measured(view)] if result.measured is not None and not finding.which else []
    if result.comparison is not None:
        number.append(sentence(text.compared(result, view.unit)))
    if result.needed is not None and result.outcome == "inconclusive":
        number.append(f"{result.needed:,} images in all would decide it")
    if (why := why_open(result)) or not number:
        number.append(sentence(why or split_reason(result)[1].strip()))
    outcome = f"{_MARKS[result.outcome]} {text.outcome(result)}{text.weight(result)}"
    rule = code(result.rule) + (f"<br>{which}" if which else "")
    return rule, "<br>".join(number), sentence(text.limit(result, view.unit)), outcome


def _measured(view: RuleView) -> str:
    result, unit = view.result, view.unit
    assert result.measured is not None  # noqa: S101 - the caller looked
    around = f" ({text.spread(result.interval, unit)})" if result.interval else ""
    return f"{sentence(text.title(result.measurement))} {sentence(text.quantity(result.measured, unit) + around)}"


def _waivers(groups: Iterable[RuleGroup]) -> Iterator[str]:
    found = ((group.rule, text.waiver(group.worst.result)) for group in groups)
    yield from (f"{code(rule)}: {sentence(waiver)}" for rule, waiver in found if waiver)


def _critical(card: Scorecard) -> Iterator[str]:
    about = (*card.subject.caveats, *(card.dataset.caveats if card.dataset else ()))
    found = [("", caveat) for caveat in about] + [(f"{axis.id}: ", one) for axis in card.axes for one in axis.caveats]
    yield from (sentence(f"{where}{caveat.text}") for where, caveat in found if caveat.severity == "critical")


def _business(card: Scorecard, room: int) -> str:
    """What a year costs: the sentences, and the figures and what they rest on folded away."""
    found = business(card, words("business"))
    if found is None:
        return ""
    rows = ((sentence(row.label), *(_in_cell(cell.value, cell.range) for cell in row.cells)) for row in found.rows)
    given = ((sentence(one.label), sentence(one.value)) for one in found.assumptions)
    page = _list(f"### {found.heading}", map(sentence, (*found.lead, *found.notes)), room // 2)
    page += _folded(found.figures_heading, ("", *found.heads), rows, room // 4)
    return page + _folded(found.assumptions_heading, ("", ""), given, room // 4)


def _in_cell(value: str, around: str) -> str:
    return "<br>".join(sentence(one) for one in (value, around) if one)


def _numbers(card: Scorecard) -> Iterator[tuple[str, ...]]:
    for axis in card.axes:
        shared = text.common(axis.measurements)
        yield from (_number(measurement, which, shared) for measurement, which in notable(axis))
        if axis.status != "measured":
            yield code(axis.id), sentence(f"{axis.status}: {axis.reason}"), "", ""


def _number(measurement: Measurement, which: str, shared: dict[str, Param]) -> tuple[str, ...]:
    params = text.params(measurement, shared)
    name = sentence(text.title(measurement.name)) + (f" ({which})" if which else "")
    return (
        name + (f"<br>{code(params)}" if params else ""),
        sentence(text.quantity(measurement.value, shown(measurement))),
        sentence(text.spread(measurement.interval, shown(measurement))) if measurement.interval else "",
        "" if measurement.n is None else f"{measurement.n:,}",
    )


def _table(heads: Sequence[str], rows: Iterable[tuple[str, ...]], room: int) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    if not lines:
        return ""
    return "\n".join(("", f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *_fitting(lines, room), ""))


def _list(head: str, items: Iterable[str], room: int) -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join(("", head, "", *_fitting(lines, room), "")) if lines else ""


def _folded(head: str, heads: Sequence[str], rows: Iterable[tuple[str, ...]], room: int) -> str:
    table = _table(heads, rows, room)
    return f"\n<details><summary>{head}</summary>\n{table}\n</details>\n" if table else ""


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    """As many lines as there is room for, and a sentence on how many are left out."""
    used = _FRAME
    for index, line in enumerate(lines):
        used += len(line) + 1
        if used > room:
            yield from ("", _LEFT_OUT.format(n=len(lines) - index))
            return
        yield line
