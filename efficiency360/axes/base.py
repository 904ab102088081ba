"""What an axis is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from efficiency360.dataset import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.dataset.stream import ImageStream
    from efficiency360.records import Findings
    from efficiency360.subject.subject import Subject

__all__ = ["Axis", "Evidence", "Labels", "Need", "Progress", "Run"]

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


@dataclass(frozen=True)
class Run:
    """How to observe: seed, threads, and where to report progress."""

    seed: int
    threads: int
    progress: Progress


@runtime_checkable
class Axis(Protocol):
    """A frozen dataclass; its fields are its keys in the audit file.

    `version` changes when the meaning of a number changes. `observe` runs in the worker, imports torch inside, and
    yields evidence in pieces: pieces of one name are joined along their first axis, so memory need not grow with data.
    `uses` names axes whose evidence `measure` gets too, as `AXIS.NAME`: what several axes need is observed once.
    `measure` runs in the parent, is pure, and raises `AxisError` where the evidence cannot be trusted.
    """

    id: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[Need]]
    uses: ClassVar[tuple[str, ...]]

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield what was seen."""

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Turn evidence into findings."""


Settings = Mapping[str, Any]
