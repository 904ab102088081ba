"""What an audit is asked to do, and who is told how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from efficiency360.engine.gate import Baseline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from efficiency360.dataset import Dataset
    from efficiency360.engine.elsewhere import Elsewhere
    from efficiency360.records import AxisRecord
    from efficiency360.spec import AuditSpec
    from efficiency360.subject.request import SubjectRequest

GIVEN = "given."
"""Before the names of arrays that an axis's briefing made, on their way to the worker."""


class Reporter(Protocol):
    """Told what is going on; a terminal shows it, the library keeps quiet."""

    def stage(self, text: str) -> None:
        """A stage such as loading begins."""

    def axis(self, axis_id: str, *, still: bool = False) -> None:
        """An axis begins; `still` asks to rest between reports of progress, because something is being timed."""

    def progress(self, done: int, total: int) -> None:
        """The axis is this far."""

    def finished(self, record: AxisRecord) -> None:
        """The axis has ended."""


class Quiet:
    """Says nothing."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def axis(self, axis_id: str, *, still: bool = False) -> None:
        """Say nothing."""

    def progress(self, done: int, total: int) -> None:
        """Say nothing."""

    def finished(self, record: AxisRecord) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Observation:
    """One axis to be observed: its id and settings, the data sets by name (`data` is the audit's own).

    `labels` (N,) go to the model's process only for axes that cannot do without, `given` is what these make of them.
    """

    axis_id: str
    settings: Mapping[str, Any]
    data_sets: Mapping[str, Dataset] = field(default_factory=dict)
    progress: Callable[[int, int], None] = lambda _done, _total: None
    labels: NDArray[np.int64] | None = None
    given: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditJob:
    """All that an audit needs. `data` is sampled and in its final order; `budget_s` bounds the whole run.

    `more_data` holds the further data sets that axes ask for, by axis and name; `elsewhere` is an audit whose evidence
    is taken instead of observing anew. `hidden` are paths that the model's process must not see. `baseline` is what the
    verdict compares with.
    """

    request: SubjectRequest
    data: Dataset | None
    spec: AuditSpec
    out: Path
    command: str
    more_data: Mapping[str, Mapping[str, Dataset]] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None
    module: nn.Module | None = None
    resume: bool = False
    strict: bool = False
    hidden: tuple[str, ...] = ()
    budget_s: float | None = None
    baseline: Baseline = field(default_factory=Baseline)
    reporter: Reporter = field(default_factory=Quiet)
