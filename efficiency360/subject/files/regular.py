"""Opening files that may be anything, and errors that name them."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Errors name the file, in one line."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{shown(path)}: {error}") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error


def shown(path: Path) -> str:
    """A path for a message: on one line, whatever its characters."""
    return str(path) if str(path).isprintable() else ascii(str(path))


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file that is not empty, and its size in bytes; opening never waits for the other end of a pipe.

    Raises:
        InputError: it is something else.
    """
    _check_regular(status_of(path))
    with os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
    ) as file:
        status = os.fstat(file.fileno())
        _check_regular(status)
        if status.st_size == 0:
            raise InputError("an empty file; download or save it again")
        yield file, status.st_size


def status_of(path: Path) -> os.stat_result:
    """What the system says about a path.

    Raises:
        InputError: there is nothing.
    """
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise InputError("a link to a file that does not exist" if path.is_symlink() else "no such file") from error
    except ValueError as error:
        raise InputError("not a file name") from error


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError("not a regular file but a pipe, socket or device; give a file on disk")
