"""What an axis is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from efficiency360.dataset import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.dataset.core import Dataset
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.records import Findings
    from efficiency360.subject.subject import Subject

__all__ = ["Axis", "Evidence", "Labels", "Need", "Progress", "Run", "Workload", "labels_for"]

Evidence = Mapping[str, NDArray[np.generic]]
"""Named arrays of numbers, booleans or text."""

Progress = Callable[[int, int], None]
"""Called with (done, total) while an axis observes."""


class Need(StrEnum):
    """What an axis cannot work without; the engine skips it with that reason where it is missing."""

    DATA = "data"
    LABELS = "labels"
    GRADIENTS = "gradients"
    GROUPS = "groups"
    MEMBERS = "members"


def _nowhere() -> None:
    """Leave no mark."""


@dataclass(frozen=True)
class Run:
    """How to observe: seed, threads, where to report progress, and further data sets by the name the axis gave them.

    `labels` (N,) are the classes of the data's images, for axes that say `sees_labels`; `given` is what the axis's
    `briefing` made of labels and groups.

    `mark()` has the auditing process note its own clock and the state of the machine; it returns when that process is
    asleep again, so what is timed between two marks is undisturbed. See `engine.host` for what is noted.
    """

    seed: int
    threads: int
    progress: Progress
    mark: Callable[[], None] = _nowhere
    sources: Mapping[str, ImageStream] = field(default_factory=dict)
    labels: NDArray[np.int64] | None = None
    given: Evidence = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """What observing an axis takes: images through the model in batches, and seconds that do not depend on it."""

    images: float = 0
    batch: int = 1
    seconds: float = 0


@runtime_checkable
class Axis(Protocol):
    """A frozen dataclass that names this as its base; its fields are its keys in the audit file.

    `version` changes when the meaning of a number changes. `observe` runs in the worker, imports torch inside, and
    yields evidence in pieces: pieces of one name are joined along their first axis, so memory need not grow with data.
    `measure` runs in the parent, is pure, and raises `AxisError` where the evidence cannot be trusted.

    What an axis asks for: `needs`, without which it is skipped; `wants`, which it gets where it is there. `uses` names
    axes whose evidence `measure` gets too, as `AXIS.NAME`, so that what several axes need is observed once; it fails
    where they fail, but those in `may_use` are only left out; what `where_ran` names is used where this audit observed
    it already. `timed` says that its numbers belong to this machine and that nothing may disturb it. `fresh_starts` is
    how many new processes are started for it, one after the other, by the auditor's clock (evidence `start_s`, seconds
    from start to first answer); it observes in the last of them. `data_sets` names further data sets by path.
    `compiles` says that it starts a compiler, which the wall lets through for models without code of their own.
    `own_classes` says that it has the subject learn the classes of the data, so that these need not be the model's; it
    gets such labels, marked as `Labels.own`, where other axes that need labels are skipped. `of_the_data` are settings
    that say what the data at hand are, not how to measure: where the audit file leaves them out, the command may fill
    them in. `sees_labels` says that it cannot observe without the labels, as attacks cannot: then they are in the
    model's process.
    """

    id: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[Need]]
    wants: ClassVar[frozenset[Need]] = frozenset()
    uses: ClassVar[tuple[str, ...]] = ()
    may_use: ClassVar[tuple[str, ...]] = ()
    where_ran: ClassVar[tuple[str, ...]] = ()
    timed: ClassVar[bool] = False
    sees_labels: ClassVar[bool] = False
    own_classes: ClassVar[bool] = False
    of_the_data: ClassVar[frozenset[str]] = frozenset()

    @property
    def fresh_starts(self) -> int:
        """How many new processes to start before observing; 0: the one that is there will do."""
        return 0

    @property
    def compiles(self) -> bool:
        """Whether it starts a compiler."""
        return False

    @property
    def data_sets(self) -> Mapping[str, str]:
        """Name -> path of further data sets, which `observe` finds in `run.sources`."""
        return {}

    def workload(self, images: int) -> Workload | None:  # noqa: ARG002
        """What observing takes with this many images of data (0: none); None: not known."""
        return None

    def check(self, data: Dataset) -> None:
        """Raise InputError where the settings do not fit the data, before anything is observed."""

    def check_labels(self, labels: Labels, num_classes: int) -> None:
        """Raise InputError where the settings do not fit the model's classes, before anything is measured."""

    def briefing(self, labels: Labels) -> Evidence:  # noqa: ARG002
        """What `observe` has to know that labels, groups and names of files say, but no more: `run.given`.

        Called in the parent where there are labels, so that only its result is in the model's process.
        """
        return {}

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield what was seen."""

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Turn evidence into findings."""


def labels_for(axis: Axis, labels: Labels | None) -> Labels | None:
    """The labels of an audit for one axis; None where they are not classes of the model and it needs those."""
    return None if labels is not None and labels.own and not axis.own_classes else labels


Settings = Mapping[str, Any]
