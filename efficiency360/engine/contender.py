"""A subject that is timed beside others: its process, its turns, and what must be said of them."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes import make_axis
from efficiency360.axes.turns import Turns, medians
from efficiency360.engine.doubts import TOLD, replaced
from efficiency360.engine.executors import join_pieces
from efficiency360.engine.guard import REPLACED, is_own
from efficiency360.engine.job import Observation
from efficiency360.engine.remote import Worker
from efficiency360.errors import AxisError, InputError, UndecidedError
from efficiency360.records import Caveat
from efficiency360.statistics.turns import TimedSubject
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes import Evidence
    from efficiency360.engine.executors import Executor
    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.request import SubjectRequest

_SLOW_S, _TIMES = 300.0, 10


class Stoppable(Worker):
    """A worker whose wait ends within a second of `stop`, also where another thread waits, and whose turns end."""

    def __init__(self, log: Path, *, stop: threading.Event, strict: bool) -> None:
        super().__init__(log, strict=strict)
        self._stop = stop
        self._longest_s = self._ends = math.inf

    def observe(self, asked: Observation) -> Evidence:
        """Take a turn; one that hangs ends after ten times what was asked, and what one slow answer may take more."""
        self._longest_s = _SLOW_S + _TIMES * sum(float(asked.settings[name]) for name in ("seconds", "warm_s"))
        self._ends = time.monotonic() + self._longest_s
        try:
            return super().observe(asked)
        finally:
            self._ends = math.inf

    def _look(self) -> float:
        if self._stop.is_set():
            raise AxisError("it was stopped")
        if time.monotonic() >= self._ends:
            raise AxisError(f"no answer for {self._longest_s:.0f} seconds, so it hangs")
        return super()._look()


@dataclass
class Contender:
    """A subject under its label, its process, and the evidence of its turns so far."""

    label: str
    request: SubjectRequest
    executor: Executor
    info: SubjectInfo | None = None
    turns: list[Evidence] = field(default_factory=list)

    def start(self) -> None:
        """Start a new process and load the subject there.

        Raises:
            InputError: it cannot be loaded.
            UndecidedError: loading failed otherwise, or no longer works.
        """
        try:
            if self.info is None:
                self.info = self.executor.load(self.request)
            else:
                self.executor.start_anew()
        except InputError as error:
            raise InputError(self._named(error)) from error
        except AxisError as error:
            raise UndecidedError(self._named(error)) from error

    def run(self, number: int, seconds: float, *, warm_s: float = 0.0) -> Evidence:
        """Take a turn.

        Raises:
            UndecidedError: it failed, or what it says cannot be trusted.
        """
        asked = Observation(Turns.id, {"seconds": seconds, "warm_s": warm_s, "turn": number})
        try:
            evidence = self.executor.observe(asked)
            _check(evidence)
        except AxisError as error:
            raise UndecidedError(self._named(error, "failed while it was timed: ")) from error
        return evidence

    def timed(self) -> tuple[NDArray[np.float64], TimedSubject]:
        """The median of each turn (T,) in milliseconds, and the subject with what must be said of its numbers.

        Raises:
            UndecidedError: the timings cannot be trusted.
        """
        assert self.info is not None  # noqa: S101 - `start` comes first
        try:
            evidence = joined(self.turns)
            ms, findings = medians(evidence), make_axis(Turns.id, {}).measure(evidence, None)
        except AxisError as error:
            raise UndecidedError(self._named(error, "failed while it was timed: ")) from error
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise UndecidedError(f"{self.label}: its timings do not make sense ({told(error)})") from error
        latency, caveats = findings.measurements[0], tuple(self._foreign())
        record = self.info.record
        return ms, TimedSubject(
            label=self.label, subject=record, latency_ms=latency.value, runs=latency.n or 0, caveats=caveats
        )

    def _foreign(self) -> Iterator[Caveat]:
        """What a reader must know of timings that were taken beside the model's own code."""
        if names := sorted({name for turn in self.turns for name in replaced(turn)}):
            text = f"Its code replaced parts of its libraries ({', '.join(names[:TOLD])}): its times may not hold."
            yield Caveat(id="libraries_replaced", severity="critical", text=text)
        if self.request.runs_code:
            text = "Code that came with it ran in the process that timed it, and could have changed its times."
            yield Caveat(id="self_reported", severity="warning", text=text)

    def _named(self, error: Exception, what: str = "") -> str:
        text = str(error)
        return text if text.startswith("--") or (self.label in text and not what) else f"{self.label}: {what}{text}"


def _check(evidence: Evidence) -> None:
    """Refuse a turn that is not one stretch of durations, or whose clocks were exchanged."""
    if not _durations(evidence.get("ms", np.zeros(0))) or len(evidence.get("mark.left_s", ())) != 2:  # noqa: PLR2004 - a mark before and one after
        raise AxisError("it did not take one turn when it was asked for one")
    if own := [name for name in replaced(evidence) if is_own(name)]:
        raise AxisError(f"its code replaced what measures it ({', '.join(own[:TOLD])})")


def _durations(ms: NDArray[np.generic]) -> bool:
    if ms.ndim != 1 or not len(ms) or ms.dtype.kind != "f":
        return False
    values = ms.astype(np.float64)
    return bool((np.isfinite(values) & (values > 0)).all())


def joined(turns: Sequence[Evidence]) -> Evidence:
    """Several turns as one piece of evidence, each a stretch of its own; what only some have is left out."""
    shared = set.intersection(*(set(turn) for turn in turns)) - {REPLACED}
    return join_pieces(
        {name: np.full(len(turn["ms"]), number) if name == "of" else turn[name] for name in sorted(shared)}
        for number, turn in enumerate(turns)
    )


def line_up(
    requests: Sequence[SubjectRequest], given: Sequence[str], log: Path, *, strict: bool
) -> tuple[list[Contender], threading.Event]:
    """Subjects with a worker each, and the event that makes them give up.

    Args:
        requests: the subjects.
        given: how the user named them.
        log: what the workers print is added to it.
        strict: refuse to go on where a layer of a worker's isolation is missing.
    """
    stop = threading.Event()
    workers = [Stoppable(log, stop=stop, strict=strict) for _ in requests]
    names = labels([Path(request.name).name for request in requests], given)
    return [Contender(*one) for one in zip(names, requests, workers, strict=True)], stop


def labels(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """A name for each, no two alike: as the user gave it where another shares its name, numbered as a last resort.

    The same subject twice is `A` and `A (2)`.
    """
    same = {name: {text for other, text in zip(names, given, strict=True) if other == name} for name in names}
    found: list[str] = []
    for name, text in zip(names, given, strict=True):
        label = wanted = text if len(same[name]) > 1 else name
        number = 1
        while label in found:
            number += 1
            label = f"{wanted} ({number})"
        found.append(label)
    return found
