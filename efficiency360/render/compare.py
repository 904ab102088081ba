"""Models side by side: what the page and the terminal show of a comparison, and in which order.

What it says is in `templates/compare.<language>.toml`.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from efficiency360.render import html, text
from efficiency360.render.caveats import shared, standing_open, warnings
from efficiency360.render.gallery import COLUMNS, Column
from efficiency360.render.pareto import Figure, figures
from efficiency360.render.sides import Note, Notes, Row, Section, row, section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from efficiency360.judge.comparing import Line, Table
    from efficiency360.judge.pareto import Plot
    from efficiency360.records import Scorecard
    from efficiency360.render.caveats import Shared

HEADLINES = (
    *COLUMNS,
    Column("adversarial", "robustness.adversarial_accuracy", "higher", {}),
    Column("corruptions", "robustness.mean_corruption_accuracy", "higher", {}),
    Column("group", "fairness.worst_group_accuracy", "higher", {}),
    Column("members", "privacy.mia_auc", "lower", {}),
)
"""What stands first, as far as it was measured."""
_HOW = frozenset({"threads", "dtype"})
"""What stands with each model rather than with each of its numbers."""


@dataclass(frozen=True)
class Model:
    """One of the models. `name` tells it from the others."""

    name: str
    card: Scorecard


@dataclass(frozen=True)
class View:
    """The whole comparison; the first model is the reference."""

    models: tuple[Model, ...]
    headline: tuple[Row, ...]
    sections: tuple[Section, ...]
    notes: tuple[Note, ...]
    figures: tuple[Figure, ...]

    @property
    def caveats(self) -> Shared:
        """What a reader must know before trusting the numbers, each caveat once."""
        return shared((model.name, warnings(model.card)) for model in self.models)

    @property
    def shown(self) -> int:
        """How many caveats stand open."""
        return standing_open(self.caveats)

    @property
    def measurements(self) -> int:
        """How many measurements any of the models has."""
        return sum(part.size for section in self.sections for part in section.parts)

    @property
    def chance(self) -> tuple[float, int] | None:
        """The level of the intervals of differences and how many there are; None where there are none, or several."""
        parts = [part for section in self.sections for part in section.parts]
        cells = [cell for part in parts for row in (*part.shown, *part.folded) for cell in row.cells]
        levels = [cell.level for cell in cells if cell.level]
        return (levels[0], len(levels)) if len(set(levels)) == 1 else None

    @property
    def apart(self) -> str:
        """What the mark of changes says that were judged as if on different images; empty where none was."""
        parts = [part for section in self.sections for part in section.parts]
        rows = [*self.headline, *(row for part in parts for row in (*part.shown, *part.folded))]
        return _capital(text.APART) if any(cell.apart for row in rows for cell in row.cells) else ""

    def tally(self, model: int) -> list[tuple[str, int]]:
        """How often which outcome stands among the headlines of a model."""
        counts = Counter(row.cells[model].outcome or "missing" for row in self.headline)
        return [(outcome, counts[outcome]) for outcome in words()["outcome"] if counts[outcome]]


@cache
def words() -> dict[str, Any]:
    """The prose of a comparison."""
    source = files("efficiency360.render") / "templates/compare.en.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


def render(view: View) -> str:
    """The comparison as a whole HTML document that stands alone; what is in the scorecards is taken to be hostile."""
    return html.fill("compare.html.j2", page=view, c=words())


def arrange(
    cards: Sequence[Scorecard], places: Sequence[Path], table: Table, headline: Iterable[Line], plots: Sequence[Plot]
) -> View:
    """Put a comparison into words.

    Args:
        cards: the scorecards, the reference first.
        places: where each lies, to tell models of one name apart.
        table: all their numbers.
        headline: the lines of it that stand first.
        plots: the figures to draw.
    """
    models = tuple(map(Model, _names([card.subject.name for card in cards], places), cards))
    names = [model.name for model in models]
    notes = Notes(names)
    return View(
        models=models,
        headline=tuple(row(line, notes, _HOW) for line in headline),
        sections=tuple(section(axis, lines, notes) for axis, lines in table.axes.items()),
        notes=notes.all,
        figures=figures(plots, names, words()["figure"]),
    )


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _names(names: Sequence[str], places: Sequence[Path]) -> list[str]:
    """The names; those that occur twice with as many folders of their path behind them as tell them apart."""
    found, depth = list(names), 1
    while (often := Counter(found)) and max(often.values()) > 1 and depth <= max(len(place.parts) for place in places):
        twice = {name for name, again in zip(names, found, strict=True) if often[again] > 1}
        ends = ["/".join(place.parts[-depth:]) for place in places]
        found = [
            f"{name} ({end})" if name in twice else again for name, end, again in zip(names, ends, found, strict=True)
        ]
        depth += 1
    return found
