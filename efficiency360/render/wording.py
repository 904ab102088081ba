"""The words of a section in a language: `templates/<section>.<language>.toml`, one file for each of both."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

Language = Literal["en", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


@cache
def words(section: str, language: Language = "en") -> dict[str, Any]:
    """All texts of a section; every language has the same keys, and the same {placeholders} in each text."""
    file = files("efficiency360.render") / "templates" / f"{section}.{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
