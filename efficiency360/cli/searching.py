"""What a user sees while a search runs, and of its result in the terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.table import Table

from efficiency360.cli.progress import Live
from efficiency360.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from efficiency360.searched import Candidate, Searched


class Watching(Live):
    """A `Reporter` of a search on standard error: a bar for what is being done, a line for each candidate."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._since = time.monotonic()

    def stage(self, text: str) -> None:
        """A stage begins; nothing moves by itself, for models are timed in this very process."""
        self._begin(plain(text), still=True)

    def found(self, candidate: Candidate, front: Sequence[Candidate]) -> None:
        """A candidate has ended; the front as it is now."""
        shown = " | ".join(f"{one.rungs[-1].accuracy:.1%} {one.latency_ms or 0:.3g} ms" for one in front[:6])
        minutes = (time.monotonic() - self._since) / 60
        said = candidate.why or (f"{candidate.rungs[-1].accuracy:.1%}, trained to the end" if candidate.rungs else "")
        self._say(f"{minutes:5.1f} min  {candidate.name} {candidate.state}: {said}  (front: {shown or 'none yet'})")

    def _say(self, text: str) -> None:
        self._console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


def show(result: Searched, out: Path, console: Console) -> None:
    """The front as a table, and where everything is."""
    names = {one.number: one for one in result.candidates}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in ("model", "accuracy %", "p50 ms", "p95 ms at most", "MACs", "params", "NetScore"):
        table.add_column(head, justify="left" if head == "model" else "right", no_wrap=True)
    for model in result.front:
        one, around = names[model.number], model.judged_interval
        table.add_row(
            f"{one.name}{' *' if model.chosen else ''}",
            f"{100 * model.judged:.1f} [{100 * around.low:.1f}, {100 * around.high:.1f}]",
            f"{model.latency.p50_ms:.3g}",
            "not bounded" if model.p95_bound_ms is None else f"{model.p95_bound_ms:.3g}",
            f"{one.macs / 1e6:.3g} M",
            f"{one.params / 1e3:.4g} k",
            f"{model.netscore:.1f}",
        )
    if result.front:
        console.print("The front: no other model is as right and as fast (* the chosen one)", highlight=False)
        console.print(table)
    if any(model.chosen and model.judged_interval.low <= result.guessing for model in result.front):
        console.print(
            f"The chosen model is not surely better than always giving one answer ({result.guessing:.1%}).",
            style="yellow",
            highlight=False,
        )
    looked = sum(one.state != "running" for one in result.candidates)
    trained = sum(one.state == "trained" for one in result.candidates)
    console.print(
        plain(f"{looked} models looked at, {trained} trained to the end, {result.cost.minutes:.1f} minutes"),
        highlight=False,
    )
    console.print(plain(f"report: {out / 'report.html'}"), markup=False, highlight=False, soft_wrap=True)
