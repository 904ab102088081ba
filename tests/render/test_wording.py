"""The words of sections in two languages: the same texts, the same placeholders, nothing missing in either."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

import efficiency360.render
from efficiency360.render.wording import LANGUAGES, words

TEMPLATES = Path(efficiency360.render.__file__).parent / "templates"
SECTIONS = sorted({path.name.split(".")[0] for path in TEMPLATES.glob("*.ja.toml")} - {"report", "texts"})
"""The report's own words have tests of their own."""


def texts(table: dict, path: str = ""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from texts(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_there_are_sections():
    assert {"business", "pdf"} <= set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_both_languages_have_the_same_texts_with_the_same_placeholders(section):
    found = {language: dict(texts(words(section, language))) for language in LANGUAGES}
    assert found["en"].keys() == found["ja"].keys()
    for key, text in found["en"].items():
        assert text
        assert found["ja"][key]
        assert placeholders(text) == placeholders(found["ja"][key]), key


@pytest.mark.parametrize("section", SECTIONS)
def test_no_text_holds_markup(section):
    for language in LANGUAGES:
        assert not any("<" in text for _, text in texts(words(section, language)))
