"""Scorecards on disk, of this and of earlier schema versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from efficiency360.errors import InputError
from efficiency360.files import is_there
from efficiency360.records import SCHEMA_VERSION, Scorecard
from efficiency360.strict import first_mistake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def scorecard_file(path: Path) -> Path:
    """The scorecard that a user names by its file or by the folder that holds it."""
    return path / "scorecard.json" if is_there(path) and path.is_dir() else path


def read_scorecard(path: Path) -> Scorecard:
    """Read a scorecard, by its file or by the folder that holds it.

    Raises:
        InputError: missing, truncated, not JSON, of a schema version that cannot be read, or not a scorecard.
    """
    file = scorecard_file(path)
    try:
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path has such characters"
        where = f"{path} holds no scorecard.json" if file != path else f"{path!s:.200}: {why}"
        raise InputError(f"{where}; give a scorecard.json or the folder of an audit") from error
    return parse_scorecard(data, file)


def parse_scorecard(data: bytes, file: Path) -> Scorecard:
    """The scorecard in a file's bytes; `file` is named in errors.

    Raises:
        InputError: as `read_scorecard`.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not a scorecard, or was cut off: {error}") from error
    try:
        return Scorecard.model_validate_json(json.dumps(_migrated(document, file)))
    except ValidationError as error:
        raise InputError(f"{file} is not a scorecard: {first_mistake(error)}") from error


def _migrated(document: Any, file: Path) -> dict[str, Any]:
    """A document in today's schema.

    Raises:
        InputError: it is none, or of a version from which there is no way.
    """
    if not isinstance(document, dict) or "schema_version" not in document:
        raise InputError(f"{file} is not a scorecard: it has no schema_version")
    found: dict[str, Any] = document
    version = found["schema_version"]
    while version != SCHEMA_VERSION:
        if type(version) is not int or version not in _FROM:
            newer = type(version) is int and version > SCHEMA_VERSION
            hint = "update e360" if newer else "audit the model again"
            raise InputError(f"{file}: schema version {version!r:.20}; this e360 reads 1 to {SCHEMA_VERSION}; {hint}")
        found = _FROM[version](found)
        version = found["schema_version"]
    return found


def _from_1(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 added keys only: comparisons, waivers with owners, files of samples, the class of a host."""
    return {**document, "schema_version": 2}


_FROM: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}
