"""Scorecards on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from efficiency360.errors import InputError
from efficiency360.records import SCHEMA_VERSION, Scorecard

if TYPE_CHECKING:
    from pathlib import Path


def read_scorecard(path: Path) -> Scorecard:
    """Read a scorecard, by its file or by the folder that holds it.

    Raises:
        InputError: missing, not JSON, of another schema version, or not a scorecard.
    """
    file = path / "scorecard.json" if path.is_dir() else path
    try:
        return Scorecard.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give a scorecard.json or the folder of an audit") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        if place == "schema_version":
            raise InputError(
                f"{file}: schema version {first['input']}; this e360 reads version {SCHEMA_VERSION}"
            ) from error
        raise InputError(
            f"{file} is not a scorecard: {f'{place}: ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from error
