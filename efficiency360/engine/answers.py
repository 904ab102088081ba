"""What the parent makes of a worker's answers: foreign code may have written any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from efficiency360.engine.executors import MOST_EVIDENCE_BYTES, join_pieces
from efficiency360.engine.host import Host, Marks
from efficiency360.engine.wire import Message
from efficiency360.errors import AxisError, InputError
from efficiency360.subject.info import SubjectInfo, identified
from efficiency360.words import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from efficiency360.axes import Evidence
    from efficiency360.dataset import Dataset
    from efficiency360.engine.job import Observation
    from efficiency360.subject.request import SubjectRequest

_MOST_MESSAGES: Final = 10_000_000
_MOST_NAMES: Final = 10_000
_MOST_STEPS: Final = 10**12
_OVERHEAD = 512
"""Bytes that a piece, and each array in it, takes up beside its numbers."""
_MARK_BYTES = 4096
_OURS = ("mark.", "start_s", "members.")
_LONG = 1000
_MOST_CLASSES, _LONGEST_CLASS = 1_000_000, 1000
_MOST_CAVEATS, _LONGEST_CAVEAT, _LONGEST_ID = 100, 2000, 100
_LONGEST_PREPROCESS, _LONGEST_SIDE = 2000, 1 << 16
_MOST_VERSIONS, _LONGEST_WORD = 20, 200


class Gathering:
    """The evidence of one observation as it comes in, and the parent's own marks between."""

    def __init__(self, host: Host, pid: int) -> None:
        self._marks = Marks(host, pid)
        self._pieces: list[Evidence] = []
        self._names: set[str] = set()
        self._messages = self._bytes = 0

    def count(self) -> None:
        """Count a message.

        Raises:
            AxisError: they have no end.
        """
        self._messages += 1
        if self._messages > _MOST_MESSAGES:
            raise AxisError(f"the worker sent more than {_MOST_MESSAGES:,} messages for one axis")

    def mark(self) -> None:
        """Note the moment and the state of the machine."""
        self._take_up(_MARK_BYTES)
        self._marks.note()

    def add(self, piece: Evidence) -> None:
        """Take in a piece of evidence.

        Raises:
            AxisError: it is too much, or claims what only the parent may say.
        """
        self._take_up(_OVERHEAD + sum(array.nbytes + _OVERHEAD for array in piece.values()))
        self._names.update(piece)
        if len(self._names) > _MOST_NAMES:
            raise AxisError(f"the worker sent evidence under more than {_MOST_NAMES:,} names")
        if any(name.startswith(_OURS) for name in piece):
            raise AxisError("the worker sent evidence of its own about what only the auditor knows")
        self._pieces.append(piece)

    def joined(self) -> dict[str, NDArray[np.generic]]:
        """All the evidence, and that of the marks."""
        return {**join_pieces(self._pieces), **self._marks.evidence()}

    def _take_up(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MOST_EVIDENCE_BYTES:
            raise AxisError("the worker sent more than 4 GB of evidence")


def subject_info(answer: Message, request: SubjectRequest, log: Path) -> SubjectInfo:
    """The answer that the subject is loaded; what it is called and was made from is as it was asked for.

    Raises:
        InputError: it is that the subject cannot be loaded.
        ValueError: it is no answer, or far too long.
    """
    if answer.kind == "error":
        raise InputError(complaint(answer, log))
    info = SubjectInfo.model_validate(answer.body)
    caveats, preprocess = info.record.caveats, info.preprocess
    resize = preprocess.resize if isinstance(preprocess.resize, tuple) else (preprocess.resize or 1,)
    holds = (
        len(caveats) <= _MOST_CAVEATS,
        all(len(caveat.id) <= _LONGEST_ID and len(caveat.text) <= _LONGEST_CAVEAT for caveat in caveats),
        1 <= info.num_classes <= _MOST_CLASSES,
        len(info.class_names or ()) <= _MOST_CLASSES,
        all(len(name) <= _LONGEST_CLASS for name in info.class_names or ()),
        len(preprocess.model_dump_json()) <= _LONGEST_PREPROCESS,
        all(1 <= side <= _LONGEST_SIDE for side in (*preprocess.size, *resize)),
        len(info.versions) <= _MOST_VERSIONS,
        all(len(word) <= _LONGEST_WORD for word in (info.device, *info.versions, *info.versions.values())),
    )
    if not all(holds):
        raise ValueError("it is too large")
    return identified(info, request)


def steps(body: dict[str, object]) -> tuple[int, int]:
    """How far an axis is, of how much.

    Raises:
        AxisError: these are not two whole numbers that fit together.
    """
    done, total = body.get("done"), body.get("total")
    if type(done) is not int or type(total) is not int or not 0 <= done <= total < _MOST_STEPS:
        raise AxisError(f"the worker said that {done!r:.40} of {total!r:.40} is done")
    return done, total


def wanted_images(asked: Observation, need: Message) -> Message:
    """Answer a request for images: raw arrays, or the files' bytes one after the other.

    Raises:
        AxisError: there are no such images.
    """
    name, start, stop = (need.body.get(key) for key in ("of", "start", "stop"))
    if not isinstance(name, str) or name not in asked.data_sets or type(start) is not int or type(stop) is not int:
        raise AxisError("the worker asked for images that are none")
    data = asked.data_sets[name]
    if not 0 <= start <= stop <= len(data):
        raise AxisError(f"the worker asked for images {start!r:.40} to {stop!r:.40} of {len(data)}")
    return _images(data, start, stop)


def _images(data: Dataset, start: int, stop: int) -> Message:
    if data.arrays is not None:
        return Message("images", {"arrays": True}, {"images": data.arrays[start:stop]})
    files = [bytes(image) for image in data.read(start, stop)]
    arrays = {"bytes": np.frombuffer(b"".join(files), np.uint8), "ends": np.cumsum([len(file) for file in files])}
    return Message("images", {"arrays": False}, arrays)


def complaint(answer: Message, log: Path) -> str:
    """What went wrong, in the worker's words."""
    if answer.kind != "error":
        return f"an unexpected '{answer.kind}'"
    message = answer.body.get("message")
    text = one_line(message, _LONG) if isinstance(message, str) and message else "no reason given"
    return f"{text} (details in {log})" if answer.body.get("category") == "unexpected" else text
