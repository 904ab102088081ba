"""A heat map: numbers in a grid, each in a cell that is the darker the more is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.render.charts.theme import COLOURS, WIDTH, Spec, chart, field, layer
from efficiency360.render.naming import middle

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS = (0.02, 0.1, 0.2, 0.4, 0.6)
"""Shares of what there was from which on a cell is a shade darker."""
ROWS, COLUMNS = 40, 8
"""How many can be drawn so that they can be read."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 150.0, 4.0, 34.0, 6.0
_LINE, _NOTE = 19.0, 10.0
_LETTERS = 24


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
    across, down = WIDTH - _LEFT - _RIGHT, len(lines) * (_LINE + _NOTE * tall)
    found = [
        {"line": row, "column": column, "percent": 100 * cell.share, "text": f"{100 * cell.share:.1f}"}
        | {"shade": cell.shade, "note": cell.note, "strong": cell.strong}
        for row, (_, cells) in enumerate(lines)
        for column, cell in enumerate(cells)
        if cell
    ]
    gaps = [
        {"line": row, "column": column, "text": "\N{EN DASH}"}
        for row, (_, cells) in enumerate(lines)
        for column, cell in enumerate(cells)
        if cell is None
    ]
    shaded = [one for one in found if one["shade"]]
    names = [{"line": row, "text": middle(name, _LETTERS), "strong": row in strong} for row, (name, _) in enumerate(lines)]
    top = [{"column": index, "text": _head(name, across / len(heads))} for index, name in enumerate(heads)]
    lift = 5.0 * tall
    quiet = {"color": COLOURS["quiet"], "fontSize": 10}
    edge = {"align": "left", "baseline": "alphabetic", "fontWeight": 600}
    return chart(
        [
            layer("cells", shaded, "rect", {"color": _shades()}, stroke=COLOURS["paper"], strokeWidth=1),
            *_texts("value", [one for one in found if one["shade"] is not None], dy=-lift),
            layer("unjudged", [one for one in found if one["shade"] is None], "text", _TEXT, dy=-lift, **quiet),
            layer("gap", gaps, "text", _TEXT, **quiet),
            layer("note", [one for one in found if one["note"]], "text", {"text": field("note", "nominal")}, dy=8, fontSize=9, color=COLOURS["quiet"]),
            *_texts("names", names, {"x": {"value": -_LEFT}}, align="left"),
            layer("tick", top, "text", _TEXT | {"y": {"value": -7}}, baseline="alphabetic", **quiet),
            layer("title", [{"text": titles[0]}], "text", _TEXT | _at(-_LEFT, -22), **edge),
            layer("title", [{"text": titles[1]}], "text", _TEXT | _at(0, -22), **edge),
        ],
        _TOP + down + _BOTTOM,
        left=_LEFT,
        right=_RIGHT,
        top=_TOP,
        bottom=_BOTTOM,
        x=field("column", "ordinal", axis=None, scale={"domain": list(range(len(heads))), "padding": 0}),
        y=field("line", "ordinal", axis=None, scale={"domain": list(range(len(lines))), "padding": 0}),
    )  # fmt: skip


_TEXT = {"text": field("text", "nominal")}


def _texts(name: str, rows: list[dict[str, object]], encoding: Spec | None = None, **look: object) -> list[Spec]:
    """Text, bold where it stands out."""
    return [
        layer(name, [row for row in rows if bool(row["strong"]) is bold], "text", _TEXT | (encoding or {}), **look, **weight)
        for bold, weight in ((False, {}), (True, {"fontWeight": 600}))
    ]  # fmt: skip


def _at(x: float, y: float) -> Spec:
    return {"x": {"value": x}, "y": {"value": y}}


def _shades() -> Spec:
    """The colour of each shade; the first is the page's own."""
    steps = list(range(1, len(STEPS) + 1))
    colours = [COLOURS[f"heat-{step}"] for step in steps]
    return field("shade", "ordinal", scale={"domain": steps, "range": colours}, legend=None)


def _head(name: str, width: float) -> str:
    return middle(name, max(4, int(width / 5.6)))
