"""Who proposes the next candidate: ours, and what it has to beat. No torch; Optuna is imported on use.

Each strategy sees the same: all candidates so far. None may ask for the accuracy of one that was not trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from efficiency360.search.analytic import cost_of
from efficiency360.search.inquisitor import advice
from efficiency360.search.latency import LatencyModel
from efficiency360.search.optuna_draws import Draws
from efficiency360.search.predictor import AccuracyModel
from efficiency360.search.score import Seen, feasible, front, hypervolume, netscore, overshoot, score_of
from efficiency360.search.space import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.search.constraints import Limits
    from efficiency360.search.space import Genome, SearchSpace

Name = Literal["inquisitor", "unguided", "evolution", "random"]
NAMES: tuple[Name, ...] = ("inquisitor", "unguided", "evolution", "random")
_TRIES = 64
_POPULATION, _SAMPLE = 16, 4
_STARTUP = 8
_DRAWN, _NEAR, _PARENTS, _PROBED = 2, 24, 3, 6


@dataclass(frozen=True)
class Proposal:
    """A candidate, who made it, and why."""

    genome: Genome
    origin: str
    reason: str = ""


class Strategy(Protocol):
    """Proposes what to try next."""

    def propose(self, seen: Sequence[Seen]) -> Proposal | None:
        """A candidate that is not among those seen; None where none is left to find."""


def make(
    name: Name,
    space: SearchSpace,
    seed: int,
    *,
    probe: Callable[[Genome], dict[str, float]] = lambda _genome: {},
    epochs: int = 1,
) -> Strategy:
    """A strategy by its name; `probe` gives the zero-cost proxies of a genome, `epochs` is the last rung's."""
    rng = np.random.default_rng(seed)
    if name == "random":
        return Random(space, rng)
    if name == "evolution":
        return Evolution(space, rng)
    if name == "unguided":
        return Unguided(space, rng, Draws(space, seed))
    return Guided(space, rng, Draws(space, seed), probe, epochs)


@dataclass
class Random:
    """Every gene drawn alike."""

    space: SearchSpace
    rng: np.random.Generator

    def propose(self, seen: Sequence[Seen]) -> Proposal | None:
        """A new random candidate."""
        known = {one.key for one in seen}
        for _ in range(_TRIES * 4):
            if key_of(genome := self.space.random(self.rng)) not in known:
                return Proposal(genome, "random")
        return None


@dataclass
class Evolution:
    """Regularised evolution: of a sample of the youngest, the fittest has one gene drawn anew (Real et al. 2019)."""

    space: SearchSpace
    rng: np.random.Generator

    def propose(self, seen: Sequence[Seen]) -> Proposal | None:
        """A child of one of the last candidates; random ones first."""
        trained = [one for one in seen if one.accuracy is not None]
        if len(trained) < _POPULATION // 2:
            return Random(self.space, self.rng).propose(seen)
        known, living = {one.key for one in seen}, trained[-_POPULATION:]
        for _ in range(_TRIES):
            sample = [living[index] for index in self.rng.integers(len(living), size=_SAMPLE)]
            parent = max(sample, key=lambda one: fitness(one, self.space))
            if key_of(genome := self.space.mutated(parent.genome, self.rng)) not in known:
                return Proposal(genome, "mutation")
        return Random(self.space, self.rng).propose(seen)


@dataclass
class Unguided:
    """The generator without the inquisitor: Optuna's draws, and mutations of good candidates; nothing is screened."""

    space: SearchSpace
    rng: np.random.Generator
    draws: Draws

    def propose(self, seen: Sequence[Seen]) -> Proposal | None:
        """Half the time a draw, half the time a mutation."""
        known = {one.key for one in seen}
        self.draws.learn(seen)
        trained = [one for one in seen if one.accuracy is not None]
        if len(trained) >= _STARTUP and self.rng.random() < 0.5:  # noqa: PLR2004 - one in two
            return Evolution(self.space, self.rng).propose(seen)
        for _ in range(_DRAWN):
            if key_of(genome := self.draws.draw()) not in known:
                return Proposal(genome, "drawn")
        return Random(self.space, self.rng).propose(seen)


@dataclass
class Guided:
    """The generator under the inquisitor.

    Many candidates are made: draws of Optuna, neighbours of the best, and the changes that the inquisitor asks for.
    Those that miss a ceiling by closed form or by predicted latency are dropped. Of the others the accuracy is
    predicted, with how unsure that is, and the one that promises most is proposed: every other time most NetScore, else
    the largest growth of the front.
    """

    space: SearchSpace
    rng: np.random.Generator
    draws: Draws
    probe: Callable[[Genome], dict[str, float]]
    epochs: int

    def propose(self, seen: Sequence[Seen]) -> Proposal | None:
        """The most promising of many."""
        self.draws.learn(seen)
        latency = self._latency(seen)
        known = {one.key for one in seen}
        pool = {key_of(made.genome): made for made in self._made(seen)}
        fresh = [(made, self._looked_at(made.genome, latency)) for key, made in pool.items() if key not in known]
        if not fresh:
            return Random(self.space, self.rng).propose(seen)
        limits = self.space.constraints.limits
        fitting = [(made, look) for made, look in fresh if feasible(look, limits)]
        if not fitting:  # all miss a limit: the one that misses least is where to look next
            return min(fresh, key=lambda pair: max(overshoot(pair[1], limits).values()))[0]
        model = AccuracyModel(self.space, self.epochs)
        if not model.learn(seen) or any(look.latency_ms is None for _, look in fitting):
            return fitting[self.rng.integers(len(fitting))][0]
        return self._best(fitting, model, seen)

    def _made(self, seen: Sequence[Seen]) -> Iterator[Proposal]:
        """Candidates to choose from; of those made twice the first stays."""
        trained = [one for one in seen if one.accuracy is not None]
        for parent in self._parents(trained):
            yield from (Proposal(one.genome, "advice", one.reason) for one in advice(self.space, parent, self._limits))
        for one in reversed([one for one in seen if one.accuracy is None][-2:]):
            yield from (Proposal(made.genome, "advice", made.reason) for made in advice(self.space, one, self._limits))
        for parent in self._parents(trained):
            near = list(self.space.neighbours(parent.genome))
            for index in self.rng.permutation(len(near))[: _NEAR // _PARENTS]:
                yield Proposal(near[index][1], "neighbour", f"one step from a good one in {near[index][0]}")
        if len(trained) >= _STARTUP:
            yield from (Proposal(self.draws.draw(), "drawn") for _ in range(_DRAWN))
        yield from (Proposal(self.space.random(self.rng), "random") for _ in range(_NEAR))

    @property
    def _limits(self) -> Limits:
        return self.space.constraints.limits

    def _parents(self, trained: Sequence[Seen]) -> list[Seen]:
        """The best by NetScore, and some of the front."""
        good = [one for one in trained if feasible(one, self._limits)] or list(trained)
        if len(trained) < _STARTUP // 2 or not good:
            return []
        best = max(good, key=lambda one: score_of(one, self.space.constraints.netscore))
        edge = front([(one.accuracy or 0.0, one.latency_ms or math.inf) for one in good])
        others = [good[index] for index in self.rng.permutation(edge) if good[index] is not best]
        return [best, *others[: _PARENTS - 1]]

    def _latency(self, seen: Sequence[Seen]) -> LatencyModel:
        timed = [(one, one.latency_ms) for one in seen if one.latency_ms]
        specs = [self.space.spec(one.genome) for one, _ in timed]
        return LatencyModel(specs, [ms for _, ms in timed], [one.p95_ms / ms for one, ms in timed if one.p95_ms])

    def _looked_at(self, genome: Genome, latency: LatencyModel) -> Seen:
        """A candidate with what is known before anything is run."""
        spec = self.space.spec(genome)
        cost = cost_of(spec)
        expected = latency.predict(spec)
        return Seen(
            genome,
            key_of(genome),
            cost.macs,
            cost.params,
            cost.memory_bytes,
            latency_ms=expected,
            p95_ms=None if expected is None else expected * latency.jitter,
        )

    def _best(self, pool: Sequence[tuple[Proposal, Seen]], model: AccuracyModel, seen: Sequence[Seen]) -> Proposal:
        """First by genes and costs alone, then, of the best few, with proxies too."""
        looks = [look for _, look in pool]
        gains = self._gains(looks, model, seen)
        few = sorted(range(len(pool)), key=lambda index: -gains[index])[:_PROBED]
        probed = [replace(looks[index], proxies=self.probe(looks[index].genome)) for index in few]
        again = self._gains(probed, model, seen)
        made = pool[few[int(np.argmax(again))]][0]
        return replace(made, reason=made.reason or "promises most of what was looked at")

    def _gains(self, looks: Sequence[Seen], model: AccuracyModel, seen: Sequence[Seen]) -> NDArray[np.float64]:
        """What each promises, of an accuracy drawn from what is predicted (Thompson 1933)."""
        mean, deviation = model.predict(looks)
        drawn = (mean + deviation * self.rng.standard_normal(len(looks))).clip(0, 1)
        weights, limits = self.space.constraints.netscore, self._limits
        good = [one for one in seen if one.accuracy is not None and one.latency_ms and feasible(one, limits)]
        if not good or len(seen) % 2:
            return np.array(
                [
                    netscore(value, one.params, one.macs, one.latency_ms or math.inf, weights)
                    - 100 * max(0.0, (limits.accuracy or 0.0) - value)
                    for value, one in zip(drawn, looks, strict=True)
                ]
            )
        return growth(good, looks, drawn)


def growth(good: Sequence[Seen], looks: Sequence[Seen], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much each candidate (N,), if it had that accuracy, would make the front grow."""
    points = [(one.accuracy or 0.0, one.latency_ms or 1.0) for one in good]
    times = [one.latency_ms or 1.0 for one in (*good, *looks)]
    worst, span = (min(0.99, 0.9 * min(point[0] for point in points)), 1.05 * max(times)), 0.95 * min(times)
    points = [points[index] for index in front(points)]
    before = hypervolume(points, worst, span)
    return np.array(
        [
            hypervolume([*points, (float(value), one.latency_ms or 1.0)], worst, span) - before
            for value, one in zip(accuracy, looks, strict=True)
        ]
    )


def fitness(seen: Seen, space: SearchSpace) -> float:
    """NetScore, less ten decibels for each time over that a limit is missed by its whole."""
    missed = sum(max(0.0, value) for value in overshoot(seen, space.constraints.limits).values())
    return score_of(seen, space.constraints.netscore) - 10 * missed
