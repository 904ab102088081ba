"""What inspecting a model file tells, for terminals and pipelines."""

from __future__ import annotations

from collections.abc import Mapping

from efficiency360.strict import Record


class TensorRecord(Record):
    """A tensor: `nan` and `infinite` count such elements, both None where `unread` says why nobody could look."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    nan: int | None = None
    infinite: int | None = None
    unread: str = ""


class SetRecord(Record):
    """Named tensors that belong together, at `key` ("" for the file itself), and the architectures that they fit.

    `parameters` leaves running statistics out. `architectures` are alike in all shapes, the most usual first; with
    `by_order` their names are others. `num_classes` is what the head tells.
    """

    key: str
    tensors: tuple[TensorRecord, ...]
    parameters: int
    nan: int
    infinite: int
    unread: int
    architectures: tuple[str, ...] = ()
    by_order: bool = False
    num_classes: int | None = None


class OpeningRecord(Record):
    """What opening a file as a model would do: globals that only rebuild weights, and everything that may run code."""

    rebuilds: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    external: tuple[str, ...] = ()

    @property
    def runs_code(self) -> bool:
        """Whether anything in it may run code, or reads other files."""
        return bool(self.code or self.parts or self.external)


class Inspection(Record):
    """Everything that is told about a file; `file_bytes` is its size, or that of a folder's weights together.

    `refused` says why `e360 audit` does not open it as it is; `command` audits it, `advice` is what to know for that.
    """

    file: str
    kind: str
    evidence: str
    file_bytes: int
    facts: Mapping[str, str] = {}
    sets: tuple[SetRecord, ...] = ()
    opening: OpeningRecord = OpeningRecord()
    manifest: Mapping[str, str] = {}
    refused: str | None = None
    command: str = ""
    advice: tuple[str, ...] = ()
