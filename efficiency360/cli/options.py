"""Reading option values that several commands share."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from efficiency360.errors import ExitCode, InputError
from efficiency360.records import SCHEMA_VERSION, Scorecard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.records import Outcome

EXIT_CODES: dict[Outcome, ExitCode] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.FAIL,
    "inconclusive": ExitCode.UNDECIDED,
}
_SECONDS = {"": 60.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_settings(pairs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`["accuracy.batch_size=8"]` -> `{"accuracy": {"batch_size": 8}}`; values as in TOML, bare words as text.

    Raises:
        InputError: a pair is not AXIS.KEY=VALUE.
    """
    settings: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        match = re.fullmatch(r"([a-z0-9_]+)\.([a-z0-9_]+)=(.*)", pair, re.DOTALL)
        if not match:
            raise InputError(f"--set {pair}: give AXIS.KEY=VALUE, such as accuracy.batch_size=8")
        axis_id, key, value = match.groups()
        settings.setdefault(axis_id, {})[key] = _toml_value(value)
    return settings


def _toml_value(text: str) -> Any:
    try:
        content = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return content["value"] if len(content) == 1 else text


def parse_budget(text: str) -> float:
    """`90s`, `10m` or `2h` in seconds; a bare number is minutes.

    Raises:
        InputError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not match:
        raise InputError(f"--budget {text}: give a time such as 90s, 10m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


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
