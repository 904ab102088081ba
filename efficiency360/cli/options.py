"""Reading option values that several commands share."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from efficiency360.errors import ExitCode, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.records import Outcome
    from efficiency360.render.wording import Language

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


def parse_formats(given: Iterable[str], language: Language = "en") -> list[str]:
    """`["junit,sarif", "html"]` as the names of formats, each once.

    Raises:
        InputError: there is no such format, or what it needs is not installed.
    """
    names = [name.strip() for one in given for name in one.split(",") if name.strip()]
    if not names:
        return []
    from efficiency360.render.formats import GITHUB, find  # noqa: PLC0415 - most runs ask for none

    for name in names:
        if name != GITHUB:
            find(name, (GITHUB,)).check(language)
    return list(dict.fromkeys(names))


def parse_language(name: str) -> Language:
    """`ja` as a language of the report.

    Raises:
        InputError: the report does not speak it.
    """
    from efficiency360.render.wording import LANGUAGES  # noqa: PLC0415 - keeps --help fast

    for language in LANGUAGES:
        if name == language:
            return language
    raise InputError(f"--lang {name}: the report speaks {' and '.join(LANGUAGES)}")


def parse_budget(text: str) -> float:
    """`90s`, `10m` or `2h` in seconds; a bare number is minutes.

    Raises:
        InputError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not match:
        raise InputError(f"--budget {text}: give a time such as 90s, 10m or 2h")
    return float(match[1]) * _SECONDS[match[2]]
