"""What the parent learns of a loaded subject; plain values, so it travels as JSON."""

from __future__ import annotations

from efficiency360.dataset.preprocess import Preprocess
from efficiency360.records import Record, SubjectRecord


class SubjectInfo(Record):
    """The subject's record, how images reach it, and its classes; `device` is its name for a reader."""

    record: SubjectRecord
    preprocess: Preprocess
    num_classes: int
    class_names: tuple[str, ...] | None
    differentiable: bool
    device: str
    versions: dict[str, str]
