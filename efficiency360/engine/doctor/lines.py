"""A diagnosis: lines with a mark, in sections."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """What a line says about the machine."""

    OK = "ok"
    NOTE = "note"  # worth knowing; no audit suffers from it by itself
    MISSING = "missing"


@dataclass(frozen=True)
class Line:
    """One thing looked at: what was found, and, unless all is well, what follows from it and how to mend it."""

    mark: Mark
    name: str
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Section:
    """Lines that belong together."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Diagnosis:
    """All sections, and what keeps an audit from running here, with what to do; empty where nothing does."""

    sections: tuple[Section, ...]
    obstacle: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what is missing."""
        return tuple(line.name for section in self.sections for line in section.lines if line.mark is Mark.MISSING)
