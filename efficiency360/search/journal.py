"""Optuna's journal in a file that survives kills and full disks, and the locks that several processes share it by.

Two things differ from Optuna's own file: its lock is the kernel's, so a process that is killed lets go at once; and a
line that was cut off by a kill or a full disk is cut away before the next is written, so that it damages nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.search.optuna_draws import optuna

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 1 << 16


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock file until the block or the process ends; False where another holds it and `wait` is not set."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError as error:
        raise InputError(
            "a search needs file locks, which this system does not have; run it on Linux or macOS"
        ) from error

    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def journal(path: Path) -> Any:
    """Optuna's storage in a journal file.

    Raises:
        InputError: Optuna is not installed, or the file is not a journal.
    """
    package = optuna()
    backend = package.storages.journal.JournalFileBackend

    class Journal(backend):  # type: ignore[misc, valid-type] # made on use
        """The file, written line by line under our lock."""

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
            with locked(path.with_suffix(".lock")), path.open("r+b") as file:
                end = _whole(file)
                file.truncate(end)
                file.seek(end)
                try:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    with contextlib.suppress(OSError):
                        file.truncate(end)
                    raise

    try:
        with locked(path.with_suffix(".lock")):
            made = Journal(str(path))
            if path.stat().st_size:
                with path.open("r+b") as file:
                    file.truncate(_whole(file))
        return package.storages.JournalStorage(made)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AssertionError) as error:  # what Optuna meets in a foreign file
        raise InputError(f"{path} is not a journal of a search; give another --out, or remove it") from error


def _whole(file: Any) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        block = file.read(end - start)
        if (at := block.rfind(b"\n")) >= 0:
            return int(start + at + 1)
        end = start
    return 0
