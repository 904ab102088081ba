"""Models timed in turns, in a terminal: readable at 80 columns and without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from efficiency360.render import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from efficiency360.records import Caveat
    from efficiency360.statistics.turns import Comparison, Interleaved, TimedSubject

_LONGEST = 80
_STYLES = {"faster": "bold green", "slower": "bold red", "no difference shown": "bold yellow"}
_MARKS = {"critical": ("!!", "bold red"), "warning": ("! ", "yellow"), "info": ("i ", "dim")}


def show(found: Interleaved, console: Console) -> None:
    """Print what an interleaved comparison found."""
    console.print(Group(_heading(found), _table(found), *_verdicts(found), *_caveats(found)))


def _plain(value: str, style: str = "") -> Text:
    """Text from outside: no markup, no control characters, and not so long that it hides the rest."""
    return Text(text.plain(text.cut(value, _LONGEST)), style=style)


def _heading(found: Interleaved) -> RenderableType:
    n, turns = found.generations, found.turns_each
    how = f"timed in turns: {n} fresh processes of each, {turns} turns of {found.turn_s:.2g} s in each process"
    environment = found.environment
    where = f"{environment.device}, {environment.threads} thread{'s' if environment.threads > 1 else ''}"
    line = f"one image at a time on {where}; it took {text.quantity(1e3 * found.seconds, 'ms')} in all"
    return Padding(Group(Text(how, "bold"), _plain(line, "dim")), (0, 0, 1, 0))


def _table(found: Interleaved) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    table.add_column("", max_width=28, overflow="fold")
    for heading in ("input", "median", "time, relative", f"{_level(found)} interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    for subject in found.subjects:
        table.add_row(*_row(subject, _comparison(found, subject)))
    return table


def _row(subject: TimedSubject, comparison: Comparison | None) -> Iterator[Text]:
    yield _plain(subject.label, "bold cyan")
    yield Text("x".join(map(str, subject.subject.input or ())))
    yield Text(text.quantity(subject.latency_ms, "ms"))
    if comparison is None:
        yield from (Text("1"), Text("-"))
    else:
        yield Text(f"{comparison.ratio:.3f}")
        yield Text(f"{comparison.interval.low:.3f} to {comparison.interval.high:.3f}")


def _comparison(found: Interleaved, subject: TimedSubject) -> Comparison | None:
    return next((one for one in found.comparisons if one.label == subject.label), None)


def _level(found: Interleaved) -> str:
    return f"{100 * found.comparisons[0].interval.level:.4g} %"


def _verdicts(found: Interleaved) -> Iterator[RenderableType]:
    for number, comparison in enumerate(found.comparisons):
        said = text.plain(sentence(comparison))
        line = Text.assemble((f"{comparison.verdict}: ", _STYLES[comparison.verdict]), said)
        yield Padding(line, (0 if number else 1, 0, 0, 0))
    if (n := len(found.comparisons)) > 1:
        together = 1 - n * (1 - found.comparisons[0].interval.level)
        hold = f"The {n} intervals hold together at {100 * together:.4g} %, as each has {_level(found)} (Bonferroni)."
        yield Text(hold, "dim")


def sentence(comparison: Comparison) -> str:
    """What a comparison says, in words."""
    label, against = (text.cut(name, _LONGEST) for name in (comparison.label, comparison.against))
    if comparison.verdict == "no difference shown":
        return (
            f"{label} and {against} take the same time as far as this can tell; a difference of about"
            f" {_percent(comparison.could_show)} would have shown."
        )
    low, high = sorted(abs(end - 1) for end in (comparison.interval.low, comparison.interval.high))
    changes = comparison.interval.model_copy(update={"low": low, "high": high})
    amount = f"{_percent(abs(comparison.ratio - 1))} {'more' if comparison.ratio > 1 else 'less'} time"
    return f"{label} takes {amount} than {against} ({text.spread(changes, 'proportion')})."


def _percent(share: float) -> str:
    return text.quantity(share, "proportion")


def _caveats(found: Interleaved) -> Iterator[RenderableType]:
    """Those of all, then those of single models, what is said of several once."""
    yield from (_caveat("", caveat) for caveat in found.caveats)
    for caveat in dict.fromkeys(caveat for subject in found.subjects for caveat in subject.caveats):
        labels = (subject.label for subject in found.subjects if caveat in subject.caveats)
        yield _caveat(f"{', '.join(labels)}: ", caveat)


def _caveat(whose: str, caveat: Caveat) -> RenderableType:
    mark, style = _MARKS[caveat.severity]
    table = Table.grid(padding=(0, 1))
    table.add_row(Text(mark, style), Text.assemble(_plain(whose, "bold"), text.plain(caveat.text)))
    return table
