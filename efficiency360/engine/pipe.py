"""The parent's two pipes to the worker: no read and no write waits longer than the clock and the limits allow."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import time
from typing import TYPE_CHECKING

from efficiency360.engine.wire import Message, WireError, receive, send
from efficiency360.errors import AxisError
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 20
"""Bytes that wait in a pipe where the system allows it, and that are moved at a time."""


class Pipe:
    """Sends to one file descriptor and receives from another; both become non-blocking.

    `look` is called before the first byte and then, whatever the other side does, whenever as many seconds have passed
    as it last returned; what it raises ends the wait. `how_it_ended` says why the other side is gone.
    """

    def __init__(
        self, commands: int, replies: int, *, look: Callable[[], float], how_it_ended: Callable[[], str]
    ) -> None:
        self._commands, self._replies = commands, replies
        self._look, self._how_it_ended = look, how_it_ended
        self._next_look = 0.0
        self._readable, self._writable = selectors.DefaultSelector(), selectors.DefaultSelector()
        for fd in (commands, replies):
            os.set_blocking(fd, False)  # the other side can take back what select has just seen
            with contextlib.suppress(AttributeError, OSError):  # not on every system, and not for everybody
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _CHUNK)
        self._readable.register(replies, selectors.EVENT_READ)
        self._writable.register(commands, selectors.EVENT_WRITE)

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            AxisError: the other side is gone.
        """
        try:
            send(self._write, message)
        except (BrokenPipeError, ConnectionResetError):
            raise AxisError(self._how_it_ended()) from None

    def receive(self) -> Message:
        """Wait for the next message.

        Raises:
            AxisError: the other side is gone, or what came is no message.
        """
        try:
            return receive(self._read)
        except WireError as error:
            raise AxisError(f"the worker's answer could not be understood ({one_line(str(error))})") from error

    def close(self) -> None:
        """Close the descriptors."""
        self._readable.close()
        self._writable.close()
        os.close(self._commands)
        os.close(self._replies)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._writable)
            try:
                view = view[os.write(self._commands, view[:_CHUNK]) :]
            except BlockingIOError:
                continue

    def _read(self, n: int) -> bytearray:
        """Exactly n bytes. Memory grows with what comes, not with what is claimed."""
        data = bytearray()
        while len(data) < n:
            self._wait(self._readable)
            try:
                got = os.read(self._replies, min(n - len(data), _CHUNK))
            except BlockingIOError:
                continue
            if not got:
                raise AxisError(self._how_it_ended())
            data += got
        return data

    def _wait(self, selector: selectors.BaseSelector) -> None:
        while True:
            now = time.monotonic()
            if now >= self._next_look:
                self._next_look = now + self._look()
            if selector.select(max(0.0, self._next_look - now)):
                return
