"""The scorecard in a terminal: readable at 80 columns and without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from efficiency360.records import FRAMEWORK_AXES, Caveat
from efficiency360.render import text
from efficiency360.render.business import business
from efficiency360.render.results import RuleView, gather
from efficiency360.render.tables import notable
from efficiency360.render.wording import words
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from efficiency360.records import AxisRecord, Measurement, RuleResult, Scorecard, Verdict
    from efficiency360.render.results import RuleGroup

_OUTCOMES = {
    "pass": ("PASS", "bold green"),
    "fail": ("FAIL", "bold red"),
    "inconclusive": ("INCONCLUSIVE", "bold yellow"),
}
_MARKS = {"critical": ("!!", "bold red"), "warning": ("! ", "yellow"), "info": ("i ", "dim")}
_LONGEST = 1000
_SHOWN_RESULTS = 3


def show(card: Scorecard, console: Console) -> None:
    """Print a scorecard."""
    axes = (_axis(card, axis) for axis in card.axes)
    console.print(Group(*_header(card), *axes, *_business(card), _footer(card)))


def show_verdict(verdict: Verdict, console: Console) -> None:
    """Print a verdict and the rules behind it."""
    console.print(_verdict_line(verdict))
    console.print(Padding(_rules(verdict), (0, 0, 0, 2)))


def _plain(value: str, style: str = "") -> Text:
    """Text from outside: no markup, no control characters, and not so long that it hides the rest."""
    return Text(text.plain(text.cut(value, _LONGEST)), style=style)


def _header(card: Scorecard) -> Iterator[RenderableType]:
    yield Rule(_plain(f"{card.audit.title}: {card.subject.name}", "bold"), style="dim")
    yield _verdict_line(card.verdict)
    for caveat in card.subject.caveats + (card.dataset.caveats if card.dataset else ()):
        yield _caveat(caveat)


def _verdict_line(verdict: Verdict) -> RenderableType:
    word, style = _OUTCOMES[verdict.outcome]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    against = [_plain(text.baseline(verdict.baseline), "dim")] if verdict.baseline else []
    table.add_row(Text(word, style), Group(*(_plain(reason) for reason in verdict.reasons), *against))
    return Padding(table, (1, 0))


def _axis(card: Scorecard, axis: AxisRecord) -> RenderableType:
    score = next((score for score in card.scores if score.axis == axis.id), None)
    points = f"  {score.score:.1f} of 100, {score.grade}" if score and score.score is not None else ""
    heading = Text.assemble((axis.id, "bold cyan"), (points, "bold"))
    if axis.status != "measured":
        heading.append_text(_plain(f"  {axis.status}: {axis.reason}", "red" if axis.status == "failed" else "dim"))
        return heading
    if shared := text.common(axis.measurements):
        heading.append_text(_plain(f"  {text.joined(shared)}", "dim"))
    caveats = [Padding(_caveat(caveat), (0, 0, 0, 2)) for caveat in axis.caveats]
    return Group(heading, Padding(_numbers(card, axis), (0, 0, 0, 2)), *caveats, "")


def _numbers(card: Scorecard, axis: AxisRecord) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    table.add_column("", width=28, overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    levels = {measurement.interval.level for measurement in axis.measurements if measurement.interval}
    level = f"{100 * levels.pop():.4g} % " if len(levels) == 1 else ""
    table.add_column(f"{level}interval", justify="right", no_wrap=True)
    table.add_column("limit", overflow="fold")
    for measurement, which in notable(axis):
        same = [one for one in axis.measurements if one.name == measurement.name]
        params = text.params(measurement, {*text.common(axis.measurements), *text.common(same)})
        label = f"{text.title(measurement.name)} {f'({which}: {params})' if which else params}"
        table.add_row(
            _plain(label.rstrip()),
            _plain(value := text.quantity(measurement.value, shown(measurement))),
            _plain(_without_unit(text.spread(measurement.interval, shown(measurement)), value)),
            _limits(card, measurement),
        )
    return table


def _without_unit(spread: str, value: str) -> str:
    """An interval without its unit where that is the unit of the value beside it: the limit needs the room."""
    _, space, unit = value.rpartition(" ")
    return spread.removesuffix(f" {unit}") if space else spread


def _limits(card: Scorecard, measurement: Measurement) -> Text:
    limits = Text()
    for rule in card.verdict.rules:
        if rule.measurement == measurement.name and rule.params == measurement.params:
            limits.append(text.plain(f"{'; ' if limits else ''}{_bound(rule, shown(measurement))}: "))
            limits.append(text.outcome(rule), _OUTCOMES[rule.outcome][1].removeprefix("bold "))
    return limits


def _bound(rule: RuleResult, unit: str) -> str:
    found = text.compared(rule, unit)
    return f"{found}, allowed {text.allowed(rule, unit)}" if found else text.limit(rule, unit)


def _caveat(caveat: Caveat) -> RenderableType:
    mark, style = _MARKS[caveat.severity]
    table = Table.grid(padding=(0, 1))
    table.add_row(Text(mark, style), _plain(caveat.text, "dim" if caveat.severity == "info" else ""))
    return table


def _business(card: Scorecard) -> Iterator[RenderableType]:
    """What a year costs, where the audit file states prices."""
    found = business(card, words("business"))
    if found is None:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", width=26, overflow="fold")
    for head in found.heads:
        table.add_column(_plain(head), justify="right", overflow="fold")
    for row in found.rows:
        table.add_row(_plain(row.label), *(Group(_plain(cell.value), _plain(cell.range, "dim")) for cell in row.cells))
    lines = [_plain(sentence) for sentence in found.lead]
    notes = [Padding(_caveat(_remark(note)), (0, 0, 0, 2)) for note in found.notes]
    yield Group(_plain(found.heading, "bold cyan"), Padding(Group(*lines, "", table), (0, 0, 0, 2)), *notes, "")


def _remark(note: str) -> Caveat:
    return Caveat(id="business", severity="info", text=note)


def _footer(card: Scorecard) -> RenderableType:
    total = len(FRAMEWORK_AXES)
    measured = f"{round(card.coverage * total)} of {total} axes measured"
    return Group(Rule(style="dim"), Text(f"{text.overall(card)}; {measured}"))


def _rules(verdict: Verdict) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("rule", "outcome", "why"):
        table.add_column(heading, overflow="fold")
    for group in gather((RuleView(result, None) for result in verdict.rules), _SHOWN_RESULTS):
        for row in _rows(group):
            table.add_row(_plain(group.rule), *row)
    return table


def _rows(group: RuleGroup) -> Iterator[tuple[Text, RenderableType]]:
    """Outcome and reason of what a rule found, then how much more there is; its waiver stands with the last."""
    rows: list[tuple[Text, list[Text]]] = [
        (_outcome(finding.view.result), [_plain(finding.reason)]) for finding in group.shown
    ]
    if group.folded:
        rows.append((Text(), [_plain(f"{group.more} (e360 gate ... --explain {group.rule})", "dim")]))
    if waiver := text.waiver(group.worst.result):
        rows[-1][1].append(_plain(waiver, "bold"))
    yield from ((outcome, Group(*why)) for outcome, why in rows)


def _outcome(rule: RuleResult) -> Text:
    """On two lines where the rule does not stop a release, as the reason needs the width."""
    weight = text.weight(rule).replace(" ", "\n", 1)
    return Text.assemble((text.outcome(rule), _OUTCOMES[rule.outcome][1].removeprefix("bold ")), weight)
