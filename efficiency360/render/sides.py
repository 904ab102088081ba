"""Lines of numbers in words: what each model found, and what its difference from the reference amounts to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from efficiency360.render import text
from efficiency360.render.changes import change, reach
from efficiency360.render.naming import told_of
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.judge.comparing import Difference, Line
    from efficiency360.records import Better, Measurement

_LONG = 12
_SHOWN = 8
_MOST = 200
_NOT_SHOWN = frozenset({"open", "same", "refused"})


@dataclass(frozen=True)
class Cell:
    """A number of one model in words; empty texts where there is nothing to say.

    `outcome` is what its difference from the reference amounts to, "refused" where they cannot be compared for the
    reason with the number `note`, and "" where there is nothing to compare. `level` is that of the change's interval;
    `apart` marks one that was found as if on different images.
    """

    value: str = ""
    spread: str = ""
    change: str = ""
    reach: str = ""
    level: float | None = None
    outcome: str = ""
    note: int = 0
    apart: bool = False


@dataclass(frozen=True)
class Row:
    """One measurement of all models. `params` tell it from others of its name."""

    name: str
    title: str
    params: str
    better: Better | None
    cells: tuple[Cell, ...]
    weight: float

    @property
    def shows(self) -> bool:
        """Whether any model differs from the reference for sure."""
        return any(cell.outcome and cell.outcome not in _NOT_SHOWN for cell in self.cells)


@dataclass(frozen=True)
class Part:
    """Rows of one axis. `name` is set where they are the many variants of one measurement, the clearest first.

    `folded` follow `shown`; `omitted` counts rows that are only in the scorecards.
    """

    name: str
    shown: tuple[Row, ...]
    folded: tuple[Row, ...] = ()
    omitted: int = 0

    @property
    def size(self) -> int:
        """How many rows there are in all."""
        return len(self.shown) + len(self.folded) + self.omitted


@dataclass(frozen=True)
class Section:
    """All measurements of an axis; `common` are the params that all of them share."""

    axis: str
    common: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Note:
    """Why numbers cannot be compared, and the names of the models that it is about."""

    reason: str
    names: tuple[str, ...]


class Notes:
    """Numbers the reasons for which numbers cannot be compared, in the order in which they come up."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._about: dict[str, dict[int, None]] = {}

    def number(self, reason: str, model: int) -> int:
        """The number of a reason that keeps a model from being compared."""
        self._about.setdefault(reason, {})[model] = None
        return list(self._about).index(reason) + 1

    @property
    def all(self) -> tuple[Note, ...]:
        """The reasons by number, from 1."""
        return tuple(self._note(reason, sorted(about)) for reason, about in self._about.items())

    def _note(self, reason: str, models: Sequence[int]) -> Note:
        names = tuple(self._names[model] for model in models)
        return Note(told_of(reason, names, self._names[0]), names)


def section(axis: str, lines: Sequence[Line], notes: Notes) -> Section:
    """The lines of one axis."""
    measurements = [found for line in lines for found in line.found if found]
    common = text.common(measurements)
    rows = [row(line, notes, frozenset(common)) for line in lines]
    return Section(axis, text.joined(common), tuple(_parts(rows)))


def _parts(rows: Sequence[Row]) -> Iterator[Part]:
    """What has few variants together, then each name with many, by how clearly and how far the models differ."""
    names: dict[str, list[Row]] = {}
    for row in rows:
        names.setdefault(row.name, []).append(row)
    if few := [row for same in names.values() if len(same) <= _LONG for row in same]:
        yield Part("", tuple(few))
    for name, same in names.items():
        if len(same) > _LONG:
            ranked = sorted(same, key=lambda row: (not row.shows, -row.weight))
            yield Part(name, tuple(ranked[:_SHOWN]), tuple(ranked[_SHOWN:_MOST]), max(0, len(ranked) - _MOST))


def row(line: Line, notes: Notes, common: frozenset[str]) -> Row:
    """A line in words, but for the params in `common`, which are said elsewhere."""
    changes = [abs(found.change) for found in line.against if found is not None and not isinstance(found, str)]
    return Row(
        name=line.name,
        title=text.title(line.name),
        params=text.joined({key: value for key, value in line.params.items() if key not in common}),
        better=line.better,
        cells=tuple(
            _cell(found, against, notes, model)
            for model, (found, against) in enumerate(zip(line.found, line.against, strict=True))
        ),
        weight=max(changes, default=0.0),
    )


def _cell(found: Measurement | None, against: Difference | str | None, notes: Notes, model: int) -> Cell:
    if found is None:
        return Cell()
    cell = Cell(text.quantity(found.value, shown(found)))
    if found.interval:
        cell = replace(cell, spread=text.spread(found.interval, shown(found)))
    if against is None:
        return cell
    if isinstance(against, str):
        return replace(cell, outcome="refused", note=notes.number(against, model))
    return _changed(cell, against, found)


def _changed(cell: Cell, against: Difference, found: Measurement) -> Cell:
    if against.outcome == "same":
        return replace(cell, outcome="same")
    interval = against.interval
    apart = interval is not None and text.as_if_apart(found.name, shown(found), interval)
    return replace(
        cell,
        outcome=against.outcome,
        change=change(against, shown(found)) + (" *" if apart else ""),
        reach=reach(against, shown(found)),
        level=interval.level if interval else None,
        apart=apart,
    )
