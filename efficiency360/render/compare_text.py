"""Models side by side in a terminal: readable at 80 columns, without colour, and with any number of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from efficiency360.render import text
from efficiency360.render.compare import words
from efficiency360.render.naming import lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from efficiency360.render.compare import View
    from efficiency360.render.sides import Cell, Row

_STYLES = {
    "better": "green",
    "worse": "red",
    "open": "yellow",
    "same": "dim",
    "differs": "",
    "refused": "yellow",
}
_MARKS = {"critical": ("!!", "bold red"), "warning": ("! ", "yellow")}
_LABEL, _REFERENCE, _COLUMN, _GAP = 18, 18, 19, 2
_LONGEST = 300
_PLAIN_MINUS = {ord("\N{MINUS SIGN}"): "-"}


def show(view: View, console: Console) -> None:
    """Print a comparison: tables with as many models as fit beside the reference, then what to know of them."""
    room = max(1, (console.width - _LABEL - _GAP - _REFERENCE) // (_GAP + _COLUMN))
    others = range(1, len(view.models))
    blocks = [others[start : start + room] for start in range(0, len(others), room)]
    tables = [part for block in blocks for part in (_table(view, (0, *block)), "")]
    console.print(Group(*_header(view), *tables, *_notes(view), *_caveats(view)))


def _plain(value: str, style: str = "") -> Text:
    """Text from outside: no markup, no control characters, not too long."""
    return Text(text.plain(text.cut(value, _LONGEST)).translate(_PLAIN_MINUS), style=style)


def _header(view: View) -> Iterator[RenderableType]:
    yield Rule(Text(words()["heading"], "bold"), style="dim")
    reference = view.models[0].name
    for index, model in enumerate(view.models):
        yield _plain(model.name, "bold") + Text(f"  {words()['reference']}" if index == 0 else "", "dim")
        if index:
            said = ", ".join(
                words()["tally_one"].format(n=n, outcome=words()["outcome"][outcome])
                for outcome, n in view.tally(index)
            )
            tally = words()["tally"].format(reference=reference, n=len(view.headline))
            yield Padding(_plain(f"{tally} {said}"), (0, 0, 0, 2))
    yield ""


def _table(view: View, models: Sequence[int]) -> RenderableType:
    if not view.headline:
        return Text(words()["none"])
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_lines=False)
    table.add_column("", width=_LABEL, overflow="fold")
    for index in models:
        width = _COLUMN if index else _REFERENCE
        table.add_column(
            Text("\n").join(map(_plain, lines(view.models[index].name, width))), width=width, overflow="fold"
        )
    for row in view.headline:
        table.add_row(_label(row), *(_cell(row.cells[index]) for index in models))
    return table


def _label(row: Row) -> Text:
    arrow = {"lower": " ↓", "higher": " ↑", None: ""}[row.better]
    label = _plain(row.title + arrow)
    return Text("\n").join([label, _plain(row.params.replace(", ", " "), "dim")]) if row.params else label


def _cell(cell: Cell) -> RenderableType:
    if not cell.value:
        return Text("-", "dim")
    said = words()["terminal"].get(cell.outcome, "").format(note=cell.note)
    first, verdict = _plain(cell.value, "bold"), Text(said, _STYLES.get(cell.outcome, ""))
    fits = first.cell_len + 1 + verdict.cell_len <= _COLUMN
    top = [Text(" ").join([first, verdict])] if fits and said else [first, *([verdict] if said else [])]
    rest = [_plain(cell.spread, "dim"), _plain(cell.change), _plain(cell.reach)]
    return Text("\n").join([*top, *(line for line in rest if line)])


def _notes(view: View) -> Iterator[RenderableType]:
    cells = [cell for row in view.headline for cell in row.cells]
    if any(cell.outcome == "open" for cell in cells):
        yield _plain(words()["terminal_open"], "dim")
    if any(cell.change for cell in cells):
        yield _plain(words()["terminal_change"], "dim")
    if any(cell.apart for cell in cells):
        yield _plain(words()["apart_note"].format(how=view.apart), "dim")
    used = sorted({cell.note for cell in cells} - {0})
    for number in used:
        note = view.notes[number - 1]
        names = [name for name in note.names if name not in note.reason]
        about = f" ({', '.join(names)})" if names else ""
        yield _plain(f"[{number}] {words()['outcome']['refused']}: {note.reason}{about}")


def _caveats(view: View) -> Iterator[RenderableType]:
    for caveat, names in view.caveats:
        mark, style = _MARKS[caveat.severity]
        table = Table.grid(padding=(0, 1))
        table.add_row(Text(mark, style), _plain(f"{caveat.text} ({', '.join(names)})"))
        yield table
