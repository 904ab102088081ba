"""Hashes and crash-safe writes, used wherever something lands on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from typing import TYPE_CHECKING

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def sha256_bytes(data: bytes) -> str:
    """Hex sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_there(path: Path) -> bool:
    """Whether a path leads to something; False also for what can be no path, such as one of 5,000 characters."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def canonical_json(value: object) -> str:
    """A JSON-serialisable value as text, the same for the same value; raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_json(value: object) -> str:
    """Hex sha256 of a JSON-serialisable value in canonical form; raises ValueError for NaN and infinities."""
    return sha256_bytes(canonical_json(value).encode())


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old content or all of the new one.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)  # noqa: PTH101 - mkstemp makes it private; a report is meant to be read
            os.replace(name, path)  # noqa: PTH105 - `name` is a str
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108 - `name` is a str
            raise
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
