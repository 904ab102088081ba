"""What a scorecard can be written as: one file a format, each imported when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Scorecard
    from efficiency360.render.figures import Figures
    from efficiency360.render.language import Language


@dataclass(frozen=True)
class Format:
    """A format: the name of its file, what it is for, and the module whose `render` makes it.

    `pictures` says whether it shows any from the evidence, `spoken` whether it opens in a language.
    """

    file: str
    description: str
    module: str
    pictures: bool = False
    spoken: bool = False

    def render(self, card: Scorecard, figures: Figures | None = None, language: Language = "en") -> str:
        """The whole file; the same scorecard, and figures where the format has pictures, give the same text."""
        module = import_module(f"efficiency360.render.{self.module}")
        given = (card, figures) if self.pictures else (card,)
        page: str = module.render(*given, language=language) if self.spoken else module.render(*given)
        return page


FORMATS: Final[Mapping[str, Format]] = {
    "html": Format(
        "report.html",
        "for people: one page in English and Japanese, opens offline",
        "report",
        pictures=True,
        spoken=True,
    ),
    "json": Format("scorecard.json", "for programs: everything, with a published JSON Schema", "json"),
    "csv": Format("measurements.csv", "for spreadsheets: one row a measurement", "csv"),
    "junit": Format("junit.xml", "for test reports: a case for every result of a rule, and the verdict", "junit"),
    "sarif": Format("e360.sarif", "for code scanning: what does not hold, at its line of the audit file", "sarif"),
    "markdown": Format("summary.md", "for pull requests and job summaries: short, the rest folded away", "markdown"),
}
"""Formats by the name that `--format` takes."""
