"""The worker's half of the conversation with the parent: load a subject, observe it axis by axis.

Images are asked for by position, so neither names nor labels are ever here.
"""

from __future__ import annotations

import os
import threading
import traceback
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.engine.job import GIVEN, Observation
from efficiency360.engine.wire import Message, WireError, receive, send
from efficiency360.errors import AxisError, E360Error
from efficiency360.words import told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.engine.observer import Observer

_LONG = 1000
_PIPE_ENDED = "the other side closed the pipe"


class Link:
    """The two pipes to the parent. Sending is safe from several threads; only one thread receives at a time."""

    def __init__(self, commands: int, replies: int) -> None:
        self._commands, self._replies = commands, replies
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a message to the parent."""
        with self._lock:
            send(self._write, message)

    def receive(self) -> Message:
        """Wait for the parent's next message."""
        return receive(self._read)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._replies, view) :]

    def _read(self, n: int) -> bytearray:
        data = bytearray(n)
        view = memoryview(data)
        while view:
            got = os.readv(self._commands, [view])
            if not got:
                raise WireError(_PIPE_ENDED)
            view = view[got:]
        return data


class RemoteImages:
    """One of the parent's data sets, by position."""

    def __init__(self, link: Link, name: str, n: int) -> None:
        self._link, self._name, self._n = link, name, n

    def __len__(self) -> int:
        """Return the number of images."""
        return self._n

    def read(self, start: int, stop: int) -> list[bytes | NDArray[np.generic]]:
        """Ask the parent for images `start` to `stop`."""
        self._link.send(Message("need", {"of": self._name, "start": start, "stop": stop}))
        answer = self._link.receive()
        if answer.body["arrays"]:
            return list(answer.arrays["images"])
        data, ends = answer.arrays["bytes"].tobytes(), answer.arrays["ends"].tolist()
        return [data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def serve(link: Link, layers: tuple[str, ...]) -> None:
    """Say which layers of the wall hold, load what the first command names, then observe until the parent hangs up."""
    observer: Observer | None = None
    link.send(Message("walled", {"layers": layers}))
    while True:
        try:
            command = link.receive()
        except WireError:
            return
        try:
            if command.kind == "load":
                observer = _load(link, command)
            elif observer is not None:
                _observe(link, command, observer)
        except BaseException as error:  # noqa: BLE001 - whatever the subject raises is a result to report
            traceback.print_exc()  # before the answer: after it this process may be killed at once
            link.send(Message("error", {"category": _category(error), "message": _told(error)}))


def _load(link: Link, command: Message) -> Observer:
    from efficiency360.engine.observer import Observer  # noqa: PLC0415 - torch comes in only now
    from efficiency360.subject.request import SubjectRequest  # noqa: PLC0415

    observer = Observer(SubjectRequest.model_validate(command.body))
    link.send(Message("loaded", observer.info.model_dump(mode="json")))
    return observer


def _observe(link: Link, command: Message, observer: Observer) -> None:
    sources = {name: RemoteImages(link, name, n) for name, n in command.body["images"].items()}

    def progress(done: int, total: int) -> None:
        link.send(Message("progress", {"done": done, "total": total}))

    def mark() -> None:
        link.send(Message("mark"))
        link.receive()

    labels = command.arrays.get("labels")
    known = None if labels is None else labels.astype(np.int64)
    given = {name.removeprefix(GIVEN): array for name, array in command.arrays.items() if name.startswith(GIVEN)}
    asked = Observation(command.body["axis"], command.body["settings"], progress=progress, labels=known, given=given)
    for piece in observer.observe(asked, sources, mark):
        link.send(Message("evidence", arrays=piece))
    link.send(Message("done"))


def _category(error: BaseException) -> str:
    if isinstance(error, AxisError):
        return "axis"
    return "input" if isinstance(error, E360Error) else "unexpected"


def _told(error: BaseException) -> str:
    """An exception on a line; our own say what to do, which may be long, and need no type before that."""
    return told(error, _LONG).partition(": ")[2] if isinstance(error, E360Error) else told(error)
