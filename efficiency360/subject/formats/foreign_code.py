"""Running code that is not ours: whatever it raises becomes one line for the user. Used in the worker only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from efficiency360.errors import InputError
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def answering(what: str, *, way_on: str | Callable[[str], str] = "", interruptible: bool = False) -> Iterator[None]:
    """Turn what a block raises into an InputError that begins with `what` and ends with `way_on`.

    That includes exits and interrupts: code from a file may raise them, and then they are no wish of the user. With
    `interruptible` (code of the caller, in the caller's process) those pass.
    """
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        if interruptible and not isinstance(error, Exception):
            raise
        reason = told(error)
        raise InputError(f"{what} ({reason}){way_on if isinstance(way_on, str) else way_on(reason)}") from error
