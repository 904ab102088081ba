"""A history in words and places: what the terminal and the page show of it, in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from efficiency360.render import text
from efficiency360.render.naming import told_of
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from efficiency360.judge.history import History, Scores, Trend
    from efficiency360.records import Interval

    Words = Mapping[str, Any]
    Teller = Callable[[str, Sequence[str], str], str]


@dataclass(frozen=True)
class Spot:
    """A release's number; `value` is None where there is none and `said` says why.

    `joined` says whether a line may lead here from the release before; `note` is the number of the reason why it may
    not be compared with the number before it, 0 where it may. `outcome` is what the difference amounts to.
    """

    value: float | None
    said: str
    low: float | None = None
    high: float | None = None
    around: str = ""
    joined: bool = False
    note: int = 0
    outcome: str = ""


@dataclass(frozen=True)
class Strip:
    """One number over all releases."""

    title: str
    params: str
    better: str
    spots: tuple[Spot, ...]
    unit: str = ""

    @property
    def latest(self) -> Spot | None:
        """The last number there is."""
        return next((spot for spot in reversed(self.spots) if spot.value is not None), None)

    @property
    def first(self) -> Spot | None:
        """The earliest number that may be compared with the latest, step by step."""
        found = None
        for spot in self.spots:
            if spot.value is not None and (found is None or spot.note):
                found = spot
        return found


@dataclass(frozen=True)
class Block:
    """An axis with its numbers."""

    axis: str
    title: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Stage:
    """A release: its number, name, day, model, data, verdict and overall score in words."""

    number: int
    name: str
    day: str
    model: str
    data: str
    outcome: str
    overall: str


@dataclass(frozen=True)
class View:
    """The whole history; `notes` are the reasons why neighbours cannot be compared, by number from 1."""

    stages: tuple[Stage, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]


def arrange(history: History, words: Words, tell: Teller = told_of) -> View:
    """A history for reading.

    Args:
        history: the releases and their trends.
        words: of the section `history` in the language of the reader.
        tell: says why two numbers cannot be compared, of which releases; see `told_of`.
    """
    notes: dict[str, int] = {}
    names = [words["named"].format(number=index, name=one.name) for index, one in enumerate(history.releases, start=1)]
    blocks = tuple(
        Block(
            axis,
            words["axes"].get(axis, axis),
            (
                *(_score(one, words, notes) for one in history.scores if one.axis == axis and any_of(one.points)),
                *(
                    _strip(trend, words, names, partial(_told, notes, tell))
                    for trend in history.trends
                    if trend.axis == axis
                ),
            ),
        )
        for axis in history.axes
    )
    return View(tuple(_stages(history, words)), blocks, tuple(notes))


def any_of(points: Sequence[float | None]) -> bool:
    """Whether there is a number among them."""
    return any(point is not None for point in points)


def _stages(history: History, words: Words) -> Iterator[Stage]:
    for number, release in enumerate(history.releases, start=1):
        card = release.card
        overall = words["overall"].format(
            low=f"{card.overall.low:.3g}", high=f"{card.overall.high:.3g}", grade=card.overall.grade
        )
        yield Stage(
            number=number,
            name=release.name,
            day=release.moment.date().isoformat(),
            model=card.subject.name,
            data=card.dataset.name if card.dataset else words["no_data"],
            outcome=card.verdict.outcome,
            overall=overall if text.scored(card) else words["no_score"],
        )


def _score(scores: Scores, words: Words, notes: dict[str, int]) -> Strip:
    """The score of an axis; it has no interval, as it is made of the pessimistic ends of some."""
    spots = []
    before: float | None = None
    for index, (score, same) in enumerate(zip(scores.points, scores.same, strict=True)):
        if score is None:
            spots.append(Spot(None, words["no_score"]))
            continue
        note = 0 if same or before is None else _note(words["audit_changed"].format(number=index + 1), notes)
        joined = same and index > 0 and scores.points[index - 1] is not None
        spots.append(Spot(score, f"{score:.3g}", joined=joined, note=note))
        before = score
    return Strip(words["score"], "", "higher", tuple(spots))


def _note(reason: str, notes: dict[str, int]) -> int:
    return notes.setdefault(reason, len(notes) + 1)


def _told(notes: dict[str, int], tell: Teller, reason: str, name: str, before: str) -> int:
    return _note(tell(reason, (name,), before), notes)


def _strip(trend: Trend, words: Words, names: Sequence[str], told: Callable[[str, str, str], int]) -> Strip:
    spots = []
    before = ""
    for index, point in enumerate(trend.points):
        row = point.measurement
        if row is None:
            spots.append(Spot(None, point.why))
            continue
        note, outcome = 0, ""
        if isinstance(point.against, str):
            note = told(point.against, names[index], before)
        elif point.against is not None:
            outcome = point.against.outcome
        low, high = _ends(row.interval)
        spots.append(
            Spot(
                row.value,
                text.quantity(row.value, shown(row)),
                low,
                high,
                text.spread(row.interval, shown(row)) if row.interval else "",
                trend.joined(index),
                note,
                outcome,
            )
        )
        before = names[index]
    better = next((point.measurement.better or "" for point in trend.points if point.measurement), "")
    title = words["measurements"].get(trend.name, text.title(trend.name))
    unit = next((shown(point.measurement) for point in trend.points if point.measurement), "")
    return Strip(title, text.joined(dict(trend.params)), better, tuple(spots), unit)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)
