"""What a user sees while an audit runs: bars in a terminal, lines in a log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from efficiency360.render.text import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Task, TaskID

    from efficiency360.records import AxisRecord


class _Count(ProgressColumn):
    """`64/500` once the total is known."""

    def render(self, task: Task) -> Text:
        """Show how far a task is."""
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class Live:
    """A `Reporter` on standard error."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = self._bar(still=False)
        self._task: TaskID | None = None
        self._began = time.monotonic()

    def _bar(self, *, still: bool) -> Progress:
        """A bar that moves by itself, or one that is drawn only when told of progress."""
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Count(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            auto_refresh=not still,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def stage(self, text: str) -> None:
        """A stage such as loading begins."""
        self._begin(plain(text), still=False)

    def axis(self, axis_id: str, *, still: bool = False) -> None:
        """An axis begins; while something is timed nothing moves here, so that nothing is disturbed."""
        self._begin(f"Measuring {axis_id}", still=still)

    def progress(self, done: int, total: int) -> None:
        """The axis is this far."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)
            self._progress.refresh()

    def finished(self, record: AxisRecord) -> None:
        """The axis has ended."""
        took = time.monotonic() - self._began
        reason = f": {plain(record.reason)}" if record.reason else ""
        self._console.print(f"  {record.id} {record.status} ({took:.1f} s){reason}", markup=False, highlight=False)

    def _begin(self, text: str, *, still: bool) -> None:
        self._began = time.monotonic()
        self._progress.stop()
        self._progress = self._bar(still=still)
        self._task = self._progress.add_task(text, total=None)
        self._progress.start()
        if not self._console.is_terminal:
            self._console.print(f"{text} ...", markup=False, highlight=False)
