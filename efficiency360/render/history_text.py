"""A history in a terminal: a row a number, readable at 80 columns and without colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from efficiency360.render import text
from efficiency360.render.naming import middle
from efficiency360.render.timeline import arrange
from efficiency360.render.wording import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from efficiency360.judge.history import History
    from efficiency360.render.timeline import Block, Spot, Stage, Strip, View

_BARS = "▁▂▃▄▅▆▇█"
_MISSING, _BREAK = "·", "|"
_MOST = 16
_LABEL, _NAME, _MODEL = 24, 22, 18
_LONGEST = 400
_STYLES = {"better": "green", "worse": "red", "pass": "green", "fail": "red", "inconclusive": "yellow"}


def show(history: History, console: Console) -> None:
    """Print a history: the releases, the latest of them as bars for every number, then what cannot be compared."""
    view, said = arrange(history, words("history")), words("history")
    left = max(0, len(view.stages) - _MOST)
    console.print(
        Group(
            Rule(Text(said["heading"], "bold"), style="dim"),
            _releases(view.stages[left:]),
            *([_plain(said["latest_only"].format(shown=_MOST, total=len(view.stages)), "dim")] if left else []),
            "",
            *(_block(block, left) for block in view.blocks),
            *_notes(view),
        )
    )


def spark(spots: Sequence[Spot]) -> str:
    """One character a release, higher for larger numbers; a bar before one that cannot be compared, a dot for none."""
    values = [spot.value for spot in spots if spot.value is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    drawn = ""
    for spot in spots:
        if spot.value is None:
            drawn += _MISSING
            continue
        share = (spot.value - low) / (high - low) if high > low else 0.5
        drawn += f"{_BREAK if spot.note else ''}{_BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]}"
    return drawn


def _plain(value: str, style: str = "") -> Text:
    return Text(text.plain(text.cut(value, _LONGEST)), style=style)


def _releases(stages: Sequence[Stage]) -> Table:
    said = words("history")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("", said["day"], said["release"], said["model"], said["verdict"]):
        table.add_column(head, no_wrap=True)
    for stage in stages:
        table.add_row(
            Text(str(stage.number), "dim"),
            _plain(stage.day),
            _plain(middle(stage.name, _NAME), "bold"),
            _plain(middle(stage.model, _MODEL)),
            Text(stage.outcome, _STYLES[stage.outcome]),
        )
    return table


def _block(block: Block, left: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(width=_LABEL, overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for strip in block.strips:
        table.add_row(_plain(f"{strip.title} {strip.params}".strip()), Text(spark(strip.spots[left:])), _now(strip))
    return Group(_plain(block.title, "bold cyan"), Padding(table, (0, 0, 1, 2)))


def _now(strip: Strip) -> Text:
    """The first number and the last, with the interval of the last and what became of it."""
    first, latest = strip.first, strip.latest
    if latest is None or first is None:
        return Text()
    came = "" if first is latest else f"{first.said} → "
    shown = _plain(f"{came}{latest.said}")
    if latest.around:
        shown.append_text(_plain(f" ({latest.around})", "dim"))
    if latest.outcome in {"better", "worse"}:
        shown.append(f" {words('history')['outcome'][latest.outcome]}", _STYLES[latest.outcome])
    if latest.note:
        shown.append(f" [{latest.note}]", "yellow")
    return shown


def _notes(view: View) -> Iterator[RenderableType]:
    said = words("history")
    yield _plain(said["legend"].format(missing=_MISSING, between=_BREAK), "dim")
    if view.notes:
        yield Text(said["not_compared"], "bold")
    table = Table.grid(padding=(0, 1))
    for number, note in enumerate(view.notes, start=1):
        table.add_row(Text(f"[{number}]", "yellow"), _plain(note))
    yield table
