"""What an audit is asked to do, and who is told how it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from efficiency360.dataset import Dataset
    from efficiency360.records import AxisRecord
    from efficiency360.spec import AuditSpec
    from efficiency360.subject.request import SubjectRequest


class Reporter(Protocol):
    """Told what is going on; a terminal shows it, the library keeps quiet."""

    def stage(self, text: str) -> None:
        """A stage such as loading begins."""

    def axis(self, axis_id: str) -> None:
        """An axis begins."""

    def progress(self, done: int, total: int) -> None:
        """The axis is this far."""

    def finished(self, record: AxisRecord) -> None:
        """The axis has ended."""


class Quiet:
    """Says nothing."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def axis(self, axis_id: str) -> None:
        """Say nothing."""

    def progress(self, done: int, total: int) -> None:
        """Say nothing."""

    def finished(self, record: AxisRecord) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class AuditJob:
    """All that an audit needs. `data` is sampled and in its final order; `budget_s` bounds the whole run."""

    request: SubjectRequest
    data: Dataset | None
    spec: AuditSpec
    out: Path
    command: str
    module: nn.Module | None = None
    resume: bool = False
    budget_s: float | None = None
    reporter: Reporter = field(default_factory=Quiet)
