"""Accuracy by corruption and severity: the axis's table -> a heat map, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.render.charts.cells import share
from efficiency360.render.charts.heat import ROWS, Shaded, drawable, grid, shade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Series
    from efficiency360.render.charts.theme import Spec

SERIES = "robustness.corruptions"
_PREFIX = "severity_"


@dataclass(frozen=True)
class Line:
    """A corruption: its name, an accuracy for each severity, and their mean, as proportions."""

    name: str
    shares: tuple[float, ...]
    mean: float


@dataclass(frozen=True)
class Corruptions:
    """What is drawn; `lines` begin with the worst mean, `clean` is the accuracy of the same images as they are."""

    severities: tuple[str, ...]
    clean: float
    lines: tuple[Line, ...]

    @property
    def shown(self) -> tuple[Line, ...]:
        """The lines that there is room for."""
        return self.lines[:ROWS]


def read(series: Series) -> Corruptions | None:
    """What can be drawn; None where the table holds no severities, too many, or what is no proportion."""
    columns = series.columns
    severities = [name for name in columns if name.startswith(_PREFIX)]
    names = columns.get("corruption", [])
    shares = [[found for found in map(share, columns.get(name, [])) if found is not None] for name in _all(severities)]
    if {len(column) for column in shares} != {len(names)} or not drawable(min(len(names), ROWS), len(severities) + 1):
        return None
    clean, means, *cells = shares
    lines = [Line(str(name), tuple(column[row] for column in cells), means[row]) for row, name in enumerate(names)]
    lines.sort(key=lambda line: line.mean)
    return Corruptions(tuple(name.removeprefix(_PREFIX) for name in severities), clean[0], tuple(lines))


def _all(severities: list[str]) -> tuple[str, ...]:
    return ("clean", "mean", *severities) if severities else ()


def spec(drawn: Corruptions, words: Mapping[str, Any]) -> Spec:
    """The chart, in percent; `words` are all the page's."""
    said = words["robustness"]["heat"]
    lines = [
        (
            line.name.replace("_", " "),
            [
                *(Shaded(one, shade(one, drawn.clean)) for one in line.shares),
                Shaded(line.mean, shade(line.mean, drawn.clean), strong=True),
            ],
        )
        for line in drawn.shown
    ]
    heads = (*drawn.severities, said["mean"])
    strong = (0,) if len(drawn.lines) > 1 else ()
    return grid(lines, heads, (said["corruption"], said["severity"]), strong=strong)
