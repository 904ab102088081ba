"""Subjects timed in turns, each in a walled process of its own; while one runs the others wait on their pipes."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes import make_axis
from efficiency360.axes.turns import Turns
from efficiency360.engine.contender import Contender, joined
from efficiency360.engine.environment import describe
from efficiency360.engine.job import Quiet, Reporter
from efficiency360.records import Caveat
from efficiency360.statistics.turns import Interleaved, Turn, compare, generations_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

SECONDS = 8.0
_WARM_S, _PRACTICE_S = 1.0, 0.05
_TURN_S, _MOST_PAIRS = 0.05, 30
_UNSTEADY = 0.15


@dataclass(frozen=True)
class Plan:
    """How many fresh starts, how many pairs of mirrored turns in each, and how long a turn."""

    generations: int
    pairs: int
    turn_s: float

    @classmethod
    def of(cls, seconds: float, slowest_ms: float, subjects: int) -> Plan:
        """Spread `seconds` a subject over the generations; a turn is long enough for a run of the slowest."""
        generations = generations_for(subjects - 1)
        each = seconds / generations
        pairs = min(max(round(each / max(_TURN_S, slowest_ms / 1e3) / 2), 1), _MOST_PAIRS)
        return cls(generations, pairs, each / (2 * pairs))


def interleave(
    contenders: Sequence[Contender],
    *,
    seconds: float = SECONDS,
    seed: int = 0,
    reporter: Reporter | None = None,
    stop: Callable[[], None] = lambda: None,
) -> Interleaved:
    """Time subjects in turns and compare each with the first.

    Args:
        contenders: two or more, no two labels alike; their executors are closed in the end. Processes are started from
            threads that live until then, because a worker ends with the thread that started it.
        seconds: how long each is timed in all; more where one run takes longer than a turn.
        seed: of the order of starts and turns.
        reporter: told of progress.
        stop: makes executors that are still loading give up.

    Raises:
        InputError: a subject cannot be loaded.
        UndecidedError: one failed afterwards, or its clock cannot be trusted.
    """
    began = time.monotonic()
    with _pool(contenders, stop) as pool:
        race = _Race(contenders, pool, np.random.default_rng(seed), reporter or Quiet())
        plan, turns = race.run(seconds)
    return _result(contenders, plan, turns, time.monotonic() - began)


@contextmanager
def _pool(contenders: Sequence[Contender], stop: Callable[[], None]) -> Iterator[ThreadPoolExecutor]:
    """Threads to start processes from; afterwards neither is left."""
    pool = ThreadPoolExecutor(len(contenders))
    with ExitStack() as stack:  # from the last to the first, each whatever happens to the others
        for contender in contenders:
            stack.callback(contender.executor.close)
        stack.callback(pool.shutdown, cancel_futures=True)
        stack.callback(stop)
        yield pool


@dataclass(frozen=True)
class _Race:
    contenders: Sequence[Contender]
    pool: ThreadPoolExecutor
    rng: np.random.Generator
    reporter: Reporter

    def run(self, seconds: float) -> tuple[Plan, list[str]]:
        """All generations: the plan, which the first practice decides, and the labels in the order of their turns."""
        turns: list[str] = []
        plan: Plan | None = None
        total = generations_for(len(self.contenders) - 1)
        for done in range(total):
            count = f"{done + 1} of {total}"
            self.reporter.stage(f"Starting {len(self.contenders)} models anew ({count})")
            self._start()
            self.reporter.axis(f"in turns ({count})", still=True)
            slowest_ms = self._practise()
            plan = plan or Plan.of(seconds, slowest_ms, len(self.contenders))
            turns += self._turns(plan, done)
        assert plan is not None  # noqa: S101 - there is at least one generation
        return plan, turns

    def _start(self) -> None:
        """All at once, in an order left to chance: who comes first may be lucky. One that fails ends it."""
        futures = [self.pool.submit(self.contenders[index].start) for index in self._order()]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()

    def _practise(self) -> float:
        """Warm up; the best run of the slowest, in milliseconds."""
        practice = (self.contenders[index].run(0, _PRACTICE_S, warm_s=_WARM_S) for index in self._order())
        return max(float(evidence["ms"].astype(np.float64).min()) for evidence in practice)

    def _turns(self, plan: Plan, generation: int) -> list[str]:
        taken: list[str] = []
        total = 2 * plan.pairs * len(self.contenders)
        for _ in range(plan.pairs):
            order = self._order()
            for index in (*order, *reversed(order)):
                contender = self.contenders[index]
                contender.turns.append(contender.run(len(taken) + 1, plan.turn_s))
                taken.append(contender.label)
                self.reporter.progress(generation * total + len(taken), plan.generations * total)
        return taken

    def _order(self) -> list[int]:
        return [int(index) for index in self.rng.permutation(len(self.contenders))]


def _result(contenders: Sequence[Contender], plan: Plan, order: Sequence[str], seconds: float) -> Interleaved:
    found = [contender.timed() for contender in contenders]
    labels = [contender.label for contender in contenders]
    ms = np.stack([each.reshape(plan.generations, -1) for each, _ in found], axis=1)
    first = contenders[0]
    assert first.info is not None  # noqa: S101 - all have been loaded
    return Interleaved(
        generations=plan.generations,
        turns_each=2 * plan.pairs,
        turn_s=plan.turn_s,
        seconds=round(seconds, 3),
        environment=describe(
            device=first.info.device,
            threads=first.request.threads,
            seed=first.request.seed,
            isolation=first.executor.isolation,
        ),
        subjects=tuple(subject for _, subject in found),
        caveats=(*_disturbances(contenders), *_unsteady(ms)),
        comparisons=compare(ms, labels),
        turns=tuple(_turns(contenders, ms, order)),
    )


def _turns(contenders: Sequence[Contender], ms: NDArray[np.float64], order: Sequence[str]) -> Iterator[Turn]:
    """The turns of all in the order in which they were taken."""
    index = {contender.label: number for number, contender in enumerate(contenders)}
    taken: Counter[str] = Counter()
    for label in order:
        generation, turn = divmod(taken[label], ms.shape[2])
        runs = len(contenders[index[label]].turns[taken[label]]["ms"])
        taken[label] += 1
        median = float(ms[generation, index[label], turn])
        yield Turn(generation=generation + 1, label=label, median_ms=median, runs=runs)


def _disturbances(contenders: Sequence[Contender]) -> tuple[Caveat, ...]:
    """What else kept the machine busy during the turns of all."""
    turns = joined([turn for contender in contenders for turn in contender.turns])
    return make_axis(Turns.id, {}).measure(turns, None).caveats


def _unsteady(ms: NDArray[np.float64]) -> Iterator[Caveat]:
    """Say where the median of a process differs much from that of another of the same model, given turns (G, K, T)."""
    middles = np.median(ms, axis=2)
    reach = float((np.ptp(middles, axis=0) / np.median(middles, axis=0)).max())
    if reach > _UNSTEADY:
        text = (
            f"The machine is unsteady: the median of one model varied by {reach:.0%} between fresh processes. What all"
            " models share of that cancels, and the intervals allow for the rest."
        )
        yield Caveat(id="turns.unsteady", severity="info", text=text)
