"""A search as it runs: propose, probe, train in rungs, keep; until the time is up. Needs torch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from efficiency360.errors import InputError
from efficiency360.search import halving, latency, strategies
from efficiency360.search.lightest import check_ceilings, lightest, told
from efficiency360.search.models import write_model
from efficiency360.search.records import all_seen, candidate_of, seen_of
from efficiency360.search.score import feasible, front, overshoot
from efficiency360.search.space import key_of
from efficiency360.search.strategies import Proposal
from efficiency360.searched import Candidate, Latency, Rung

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.search.data import Images
    from efficiency360.search.latency import Timed
    from efficiency360.search.space import Genome, SearchSpace
    from efficiency360.search.store import Store
    from efficiency360.search.training import Trained

_RESERVE = 0.08
_SAID = {
    "macs": "multiply-adds",
    "params": "parameters",
    "memory_mb": "memory",
    "latency_p95_ms": "the 95th percentile of latency",
    "accuracy": "accuracy",
}


class Reporter(Protocol):
    """What a user sees meanwhile."""

    def stage(self, text: str) -> None:
        """A stage begins."""

    def progress(self, done: int, total: int) -> None:
        """It is this far."""

    def found(self, candidate: Candidate, front: Sequence[Candidate]) -> None:
        """A candidate has ended; the front as it is now."""


@dataclass
class Search:
    """One process's part of a search."""

    space: SearchSpace
    images: Images
    store: Store
    strategy: strategies.Name
    seed: int
    threads: int
    reporter: Reporter
    spent: Callable[[], None]
    """Notes what was spent so far; called after each candidate, so that a kill forgets no more than one."""

    def run(self, seconds: float, most: int | None = None) -> None:
        """Look at candidates for so long, or until so many have been looked at by all processes.

        Raises:
            InputError: no model of the space can meet the limits, or something cannot be read or written.
        """
        import torch  # noqa: PLC0415 - only here, so that mistakes are told fast

        torch.set_num_threads(self.threads)
        deadline = time.monotonic() + seconds * (1 - _RESERVE)
        check_ceilings(self.space)
        self._begin()
        known = self.store.candidates()
        strategy = strategies.make(
            self.strategy,
            self.space,
            seed=self.seed + 7919 * len(known) + int(self.store.worker, 16) % 7919 * bool(known),
            probe=self._proxies,
            epochs=self._schedule[-1],
        )
        while time.monotonic() < deadline and not self._late:
            self.store.bury()
            candidates = self.store.candidates()
            if most is not None and sum(one.state != "running" for one in candidates) >= most:
                return
            proposal = self._next(strategy, candidates)
            if proposal is None:
                return
            self._look_at(proposal, candidates, deadline)
            self.spent()

    @property
    def _schedule(self) -> tuple[int, ...]:
        return self.space.constraints.training.schedule

    def _begin(self) -> None:
        """Time the pacemaker, and refuse a limit on latency that even it misses."""
        self._pace = self.space.spec(lightest(self.space))
        limit = self.space.constraints.limits.latency_p95_ms
        self.reporter.stage("Timing the smallest model")
        timed = latency.measure([self._pace], self._pace, threads=self.space.constraints.machine.threads)[0]
        if limit is not None and timed.p50_ms > limit:
            raise InputError(
                f"limits.latency_p95_ms = {limit:g} is met by no model on this machine: half of the"
                f" smallest one's answers take over {timed.p50_ms:.3g} ms, its 95th percentile is {timed.p95_ms:.3g} ms"
                f" ({told(lightest(self.space))}); raise the limit, or add smaller choices to [space]"
            )
        self._pace_ms = self.store.remembered("pace_ms", timed.p50_ms) or timed.p50_ms

    def _next(self, strategy: strategies.Strategy, candidates: Sequence[Candidate]) -> Proposal | None:
        """First who was lost in a kill, then who was left behind too early, then somebody new."""
        training = self.space.constraints.training
        if lost := next((one for one in candidates if one.state == "running" and not one.worker), None):
            return Proposal(lost.genome, lost.origin, lost.reason)
        if self.strategy in ("inquisitor", "unguided") and (
            again := halving.called(candidates, self._schedule, training.keep_one_of, self.space.constraints.netscore)
        ):
            return Proposal(again.genome, again.origin, again.reason)
        return strategy.propose(all_seen(candidates, self._schedule))

    def _look_at(self, proposal: Proposal, candidates: Sequence[Candidate], deadline: float) -> None:
        """Probe a candidate, train it as far as it goes, and keep it."""
        began = time.monotonic()
        before = {key_of(one.genome): one for one in candidates}.get(key_of(proposal.genome))
        candidate = candidate_of(proposal, self.space)
        if before is not None:
            kept = {
                name: getattr(before, name) for name in ("latency", "latency_ms", "predicted_ms", "proxies", "rungs")
            }
            candidate = candidate.model_copy(update=kept)
        candidate = self.store.begin(candidate)
        others = [one for one in candidates if one is not before]
        candidate = self._probed(candidate, others)
        missed = {key: by for key, by in overshoot(seen_of(candidate), self.space.constraints.limits).items() if by > 0}
        missed.pop("accuracy", None)
        if missed:
            worst = max(missed, key=lambda key: missed[key])
            why = f"{_SAID[worst]} is {missed[worst]:.0%} over its limit"
            candidate = candidate.model_copy(update={"state": "rejected", "why": why})
        else:
            candidate = self._trained(candidate, others, deadline)
        seconds = (before.seconds if before else 0.0) + time.monotonic() - began
        candidate = candidate.model_copy(update={"seconds": round(seconds, 2)})
        if candidate.state == "running":
            return  # out of time: whoever goes on begins with what it has
        every = all_seen([*others, candidate], self._schedule)
        self.store.end(candidate, every[-1])
        self.reporter.found(candidate, best([*others, candidate], self.space))

    def _probed(self, candidate: Candidate, others: Sequence[Candidate]) -> Candidate:
        """Latency, which is predicted before it is measured, and proxies; what is known is not done again."""
        spec, changes = self.space.spec(candidate.genome), dict[str, object]()
        if candidate.latency is None and not self._over(candidate):
            known = [one for one in others if one.latency_ms]
            model = latency.LatencyModel(
                [self.space.spec(one.genome) for one in known], [one.latency_ms or 0.0 for one in known]
            )
            threads = self.space.constraints.machine.threads
            timed = latency.measure([spec], self._pace, threads=threads)[0]
            changes = {
                "predicted_ms": model.predict(spec),
                "latency": latency_of(timed),
                "latency_ms": round(timed.relative * self._pace_ms, 6),
            }
        if not candidate.proxies and not self._over(candidate):
            changes["proxies"] = self._proxies(candidate.genome)
        candidate = candidate.model_copy(update=changes)
        self.store.note(candidate)
        return candidate

    def _over(self, candidate: Candidate) -> bool:
        return not feasible(seen_of(candidate), self.space.constraints.limits)

    def _proxies(self, genome: Genome) -> dict[str, float]:
        from efficiency360.search.proxies import proxies  # noqa: PLC0415 - torch

        if (key := key_of(genome)) not in self._probes:
            spec = self.space.spec(genome)
            self._probes[key] = proxies(spec, self.images.at(spec.size[0]), seed=self.seed)
        return self._probes[key]

    def __post_init__(self) -> None:
        """Proxies are worked out once a genome; a training for which no time is left ends the run."""
        self._probes: dict[str, dict[str, float]] = {}
        self._late = False

    def _trained(self, candidate: Candidate, others: Sequence[Candidate], deadline: float) -> Candidate:
        """Rung after rung, as long as it is among the best and there is time."""
        constraints = self.space.constraints
        for epochs in self._schedule:
            if not any(rung.epochs == epochs for rung in candidate.rungs) or epochs == self._schedule[-1]:
                if self._too_long(candidate, others, epochs, deadline):
                    self._late = True
                    return candidate if not candidate.rungs else _stopped(candidate, "the time was up")
                candidate = self._rung(candidate, epochs)
            place, n = halving.rank(candidate, others, epochs, constraints.netscore)
            if epochs != self._schedule[-1] and not halving.goes_on(place, n, constraints.training.keep_one_of):
                accuracy = candidate.rungs[-1].accuracy
                return _stopped(candidate, f"{accuracy:.1%} after {epochs} epochs, place {place} of {n} there")
        return candidate.model_copy(update={"state": "trained", "why": ""})

    def _rung(self, candidate: Candidate, epochs: int) -> Candidate:
        from efficiency360.search.training import answered, train  # noqa: PLC0415 - torch

        spec = self.space.spec(candidate.genome)
        data = self.images.at(spec.size[0])
        self.reporter.stage(f"{candidate.name}: training for {epochs} epochs")
        trained: Trained = train(
            spec, data, self.space.constraints.training, epochs, seed=self.seed, progress=self.reporter.progress
        )
        accuracy = accuracy_of(trained.right, trained.n, balanced=self.space.constraints.training.balanced)
        right, n = int(trained.right.sum()), int(trained.n.sum())
        rung = Rung(epochs=epochs, accuracy=accuracy, right=right, n=n, seconds=round(trained.seconds, 2))
        rungs = (*(one for one in candidate.rungs if one.epochs != epochs), rung)
        candidate = candidate.model_copy(update={"rungs": rungs})
        if epochs == self._schedule[-1]:
            judged = tuple(tuple(counts.tolist()) for counts in answered(trained.model, data.judge, spec.classes))
            candidate = candidate.model_copy(update={"judged": judged})
            about = f"Found by e360 search; {rung.right} of {rung.n} images to choose by are right."
            write_model(self.store.folder / "models" / candidate.name, spec, trained, self.images, about)
        self.store.note(candidate)
        return candidate

    def _too_long(self, candidate: Candidate, others: Sequence[Candidate], epochs: int, deadline: float) -> bool:
        """Whether training would go on after the time is up, as far as earlier ones tell; never for the first."""
        pace = [rung.seconds / rung.epochs / (1e6 + one.macs) for one in (*others, candidate) for rung in one.rungs]
        if not pace:
            return False
        expected = sorted(pace)[len(pace) // 2] * epochs * (1e6 + candidate.macs)
        return time.monotonic() + 0.8 * expected > deadline


def accuracy_of(right: NDArray[np.int64], n: NDArray[np.int64], *, balanced: bool) -> float:
    """Accuracy from right answers and images of each class (K,): the share, or the mean of the classes' shares."""
    if balanced:
        return float(np.mean(right[n > 0] / n[n > 0]))
    return float(right.sum() / n.sum())


def latency_of(timed: Timed) -> Latency:
    """A measured latency as it is kept."""
    return Latency(p50_ms=timed.p50_ms, p95_ms=timed.p95_ms, p95=timed.p95, relative=timed.relative, runs=timed.runs)


def best(candidates: Sequence[Candidate], space: SearchSpace) -> list[Candidate]:
    """The front: of the candidates trained to the end that meet all limits, those that none beats; fastest first."""
    good = [
        one
        for one in candidates
        if one.state == "trained" and one.latency_ms and feasible(seen_of(one), space.constraints.limits)
    ]
    points = [(one.rungs[-1].accuracy, one.latency_ms or 0.0) for one in good]
    return [good[index] for index in front(points)]


def models_of(folder: Path, candidate: Candidate) -> Path:
    """Where a trained candidate lies."""
    return folder / "models" / candidate.name


def _stopped(candidate: Candidate, why: str) -> Candidate:
    return candidate.model_copy(update={"state": "stopped", "why": why})
