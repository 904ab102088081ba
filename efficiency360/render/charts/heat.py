"""A heat map: numbers in a grid, each in a cell that is the darker the more is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.theme import COLOURS, TICK, Frame, Layer, Rows, Spec, at, chart, field, layer, texts
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEPS = (0.02, 0.1, 0.2, 0.4, 0.6)
"""Shares of what there was from which on a cell is a shade darker."""
ROWS, COLUMNS = 40, 8
"""How many can be drawn so that they can be read."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 150.0, 4.0, 34.0, 6.0
_LINE, _NOTE = 19.0, 10.0
_LETTERS, _LETTER = 24, 5.6
"""How much of a name there is room for, and how wide a letter is."""


@dataclass(frozen=True)
class Shaded:
    """A cell: a share, its shade (None: none, it is not judged), a note below it, and whether it stands out."""

    share: float
    shade: int | None
    note: str = ""
    strong: bool = False


def shade(share: float, of: float) -> int:
    """0 where (nearly) all of a share is left, up to `len(STEPS)`."""
    lost = (of - share) / of if of else 0.0
    return sum(lost > step for step in STEPS)


def drawable(lines: int, columns: int) -> bool:
    """Whether a grid of this size is a figure rather than a table."""
    return 0 < lines <= ROWS and 0 < columns <= COLUMNS


def grid(
    lines: Sequence[tuple[str, Sequence[Shaded | None]]],
    heads: Sequence[str],
    titles: tuple[str, str],
    *,
    strong: Sequence[int] = (),
) -> Spec:
    """The chart, in percent.

    Args:
        lines: names and cells from the top down; None where there is nothing.
        heads: a name for each column.
        titles: what the lines and the columns are.
        strong: lines whose names stand out.
    """
    tall = any(cell and cell.note for _, cells in lines for cell in cells)
    frame = Frame(_TOP + len(lines) * (_LINE + _NOTE * tall) + _BOTTOM, _LEFT, _RIGHT, _TOP, _BOTTOM)
    found = list(_cells(lines))
    names = [
        {"line": row, "text": middle(name, _LETTERS), "strong": row in strong} for row, (name, _) in enumerate(lines)
    ]
    notes = [one | {"text": one["note"]} for one in found if one["note"]]
    letters = max(4, int(frame.across / len(heads) / _LETTER))
    tops = [{"column": column, "text": middle(name, letters)} for column, name in enumerate(heads)]
    middle_of: dict[str, Any] = {"align": "center", "baseline": "middle", "dy": -5.0 * tall}
    quiet: dict[str, Any] = {"color": COLOURS["quiet"], "fontSize": TICK, "align": "center"}
    return chart(
        [
            layer("cells", [one for one in found if one["shade"]], "rect", _SHADES, **_EDGE),
            *_bold("number", [one for one in found if one["judged"]], **middle_of),
            texts("unjudged", [one for one in found if not one["judged"]], **middle_of | quiet),
            texts("note", [one for one in notes if one["judged"]], dy=11, align="center", fontSize=TICK),
            texts("unjudged", [one for one in notes if not one["judged"]], dy=11, **quiet),
            *_bold("names", names, at(x=-_LEFT), baseline="middle"),
            texts("tick", tops, at(y=-7), **quiet),
            texts("title", [{"text": titles[0]}], at(x=-_LEFT, y=-22), fontWeight=600),
            texts("title", [{"text": titles[1]}], at(x=0, y=-22), fontWeight=600),
        ],
        frame,
        x=field("column", "ordinal", axis=None, scale={"domain": list(range(len(heads))), "padding": 0}),
        y=field("line", "ordinal", axis=None, scale={"domain": list(range(len(lines))), "padding": 0}),
    )


_EDGE: dict[str, Any] = {"stroke": COLOURS["paper"], "strokeWidth": 1}
_DARKER = list(range(1, len(STEPS) + 1))
_SHADES = {
    "color": field(
        "shade",
        "ordinal",
        scale={"domain": _DARKER, "range": [COLOURS[f"heat-{step}"] for step in _DARKER]},
        legend=None,
    )
}
"""The colour of each shade; the first is the page's own."""


def _cells(lines: Sequence[tuple[str, Sequence[Shaded | None]]]) -> Iterator[dict[str, Any]]:
    """The rows of data, one a cell; where nothing is, a dash."""
    for row, (_, cells) in enumerate(lines):
        for column, cell in enumerate(cells):
            place = {"line": row, "column": column}
            if cell is None:
                yield place | {"text": "\N{EN DASH}", "shade": None, "note": "", "judged": False, "strong": False}
            else:
                percent = {"percent": 100 * cell.share, "text": f"{100 * cell.share:.1f}"}
                more = {"shade": cell.shade, "note": cell.note, "judged": cell.shade is not None, "strong": cell.strong}
                yield place | percent | more


def _bold(name: str, rows: Rows, encoding: Spec | None = None, **look: Any) -> Iterator[Layer]:
    """Text, bold where it stands out."""
    yield texts(name, [row for row in rows if not row["strong"]], encoding, **look)
    yield texts(name, [row for row in rows if row["strong"]], encoding, fontWeight=600, **look)
