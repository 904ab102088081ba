"""Which models nobody should choose: those that another beats both in what they cost and in what they are good for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from efficiency360.judge.comparing import Line, Sides
    from efficiency360.records import Measurement

Standing = Literal["front", "behind", "beaten"]
"""On the front no other model is as good in both numbers and better in one. `behind`: another is, in these samples;
`beaten`: another is, beyond what sampling leaves open."""
_FEWEST = 2


@dataclass(frozen=True)
class Placed:
    """One model of a plot, by its index among the audits; `by` is the index of one that is better in both."""

    model: int
    cost: Measurement
    quality: Measurement
    standing: Standing
    by: int | None


@dataclass(frozen=True)
class Plot:
    """Two lines of the table against each other. All points are comparable with the model at index `anchor`.

    `left_out` are models by index, each with the reason as text; `unmeasured` lack one of the two numbers.
    """

    cost: Line
    quality: Line
    anchor: int
    points: tuple[Placed, ...]
    left_out: tuple[tuple[int, str], ...]
    unmeasured: tuple[int, ...]

    @property
    def drawn(self) -> bool:
        """Whether there are enough comparable models for a figure."""
        return len(self.points) >= _FEWEST


def plots(sides: Sides, qualities: Iterable[Line], costs: Sequence[Line]) -> tuple[Plot, ...]:
    """Each quality against each cost, where at least two models have both; the models drawn are comparable in both."""
    found = (_plot(sides, cost, quality) for quality in qualities for cost in costs)
    return tuple(plot for plot in found if plot)


def _plot(sides: Sides, cost: Line, quality: Line) -> Plot | None:
    models = range(len(sides.audits))
    having = [model for model in models if cost.found[model] and quality.found[model]]
    if len(having) < _FEWEST:
        return None
    anchor = _anchor(sides, cost, quality, having)
    reasons = {model: _reason(sides, cost, quality, (model, anchor)) for model in having}
    return Plot(
        cost=cost,
        quality=quality,
        anchor=anchor,
        points=tuple(_placed(sides, cost, quality, [model for model in having if not reasons[model]])),
        left_out=tuple((model, reason) for model, reason in reasons.items() if reason),
        unmeasured=tuple(model for model in models if model not in having),
    )


def _anchor(sides: Sides, cost: Line, quality: Line, having: Sequence[int]) -> int:
    """The model that the most are comparable with; the first of them."""

    def comparable(anchor: int) -> int:
        return sum(not _reason(sides, cost, quality, (model, anchor)) for model in having)

    first = having[0]
    return first if comparable(first) >= _FEWEST else max(having, key=comparable)


def _reason(sides: Sides, cost: Line, quality: Line, pair: tuple[int, int]) -> str:
    """Why two models cannot be compared in one of the numbers; empty where they can."""
    found = (sides.difference(line, *pair) for line in (cost, quality))
    return next((answer for answer in found if isinstance(answer, str)), "")


def _placed(sides: Sides, cost: Line, quality: Line, models: Sequence[int]) -> Iterator[Placed]:
    for model in models:
        ahead = [other for other in models if other != model and _ahead(cost, quality, other, model)]
        proven = [other for other in ahead if _proven(sides, (cost, quality), model, other)]
        standing: Standing = "beaten" if proven else "behind" if ahead else "front"
        by = next(iter(proven or ahead), None)
        yield Placed(model, _measurement(cost, model), _measurement(quality, model), standing, by)


def _ahead(cost: Line, quality: Line, one: int, other: int) -> bool:
    """Whether the first model is as good as the other in both numbers and better in one, as they were measured."""
    gains = [_goodness(line, one) - _goodness(line, other) for line in (cost, quality)]
    return min(gains) >= 0 and max(gains) > 0


def _proven(sides: Sides, lines: Iterable[Line], loser: int, winner: int) -> bool:
    """Whether that holds beyond sampling: surely worse in one number, and in the other too, or exactly the same."""
    answers = [sides.difference(line, loser, winner) for line in lines]
    outcomes = {"" if answer is None or isinstance(answer, str) else answer.outcome for answer in answers}
    return "worse" in outcomes and outcomes <= {"worse", "same"}


def _goodness(line: Line, model: int) -> float:
    """A value, larger where it is better; a cost without a direction is better when low."""
    value = _measurement(line, model).value
    return value if line.better == "higher" else -value


def _measurement(line: Line, model: int) -> Measurement:
    found = line.found[model]
    if found is None:
        raise LookupError(f"{line.name} was not measured")
    return found
