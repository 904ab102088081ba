"""What a scorecard can be written as: one file a format, each imported when it is asked for; more by plug-ins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from efficiency360.errors import E360Error, InputError
from efficiency360.spec import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.records import Scorecard
    from efficiency360.render.figures import Figures
    from efficiency360.render.wording import Language

GROUP: Final = "efficiency360.formats"
"""The group of entry points by which other packages add formats; each is an instance of `Format`."""
GITHUB: Final = "github"
"""Not a file: annotations on standard output, and a summary where the runner collects it."""
_OWN_FILES = frozenset({"scorecard.json", "report.html", "run.log", "evidence", "baseline.json", "history.jsonl"})


@dataclass(frozen=True)
class Format:
    """A format: the name of its file, what it is for, and the module whose `render` makes it of a scorecard.

    `render(card)` returns text or bytes: the same scorecard gives the same. It is called as `render(card, figures)`
    where the format shows `pictures` from the evidence, and with `language="en"` or `"ja"` where it is `spoken`.
    `extra` says that the module has a function `check()`, which raises InputError where something is not installed;
    it may have `check_letters(language)` too, which does where no font has the letters of a language.
    """

    file: str
    description: str
    module: str
    pictures: bool = False
    spoken: bool = False
    extra: bool = False

    def check(self, language: Language = "en") -> None:
        """See that the format can be written here, before anything is computed for it.

        Raises:
            InputError: what it needs is not installed; the message says how to get it.
        """
        if self.extra:
            module = import_module(self.module)
            module.check()
            getattr(module, "check_letters", lambda _: None)(language)

    def render(self, card: Scorecard, figures: Figures | None = None, language: Language = "en") -> str | bytes:
        """The whole file; the same scorecard, and figures where the format has pictures, give the same."""
        render = import_module(self.module).render
        given = (card, figures) if self.pictures else (card,)
        made: str | bytes = render(*given, language=language) if self.spoken else render(*given)
        return made


def _ours(name: str) -> str:
    return f"efficiency360.render.{name}"


FORMATS: Final[Mapping[str, Format]] = {
    "html": Format(
        "report.html",
        "for people: one page in English and Japanese, opens offline",
        _ours("report"),
        pictures=True,
        spoken=True,
    ),
    "pdf": Format(
        "report.pdf",
        "for people: the same page on paper (extra: efficiency360[pdf])",
        _ours("pdf"),
        pictures=True,
        spoken=True,
        extra=True,
    ),
    "json": Format("scorecard.json", "for programs: everything, with a published JSON Schema", _ours("json")),
    "csv": Format("measurements.csv", "for spreadsheets: one row a measurement", _ours("csv")),
    "junit": Format(
        "junit.xml", "for test reports: a case for every result of a rule, and the verdict", _ours("junit")
    ),
    "sarif": Format(
        "e360.sarif", "for code scanning: what does not hold, at its line of the audit file", _ours("sarif")
    ),
    "markdown": Format(
        "summary.md", "for pull requests and job summaries: short, the rest folded away", _ours("markdown")
    ),
    "model-card": Format(
        "model-card.md", "for the Hugging Face hub: a README.md with model-index", _ours("model_card")
    ),
    "badge": Format("badge.svg", "for a README: verdict and grade as a small picture", _ours("badge")),
}
"""Formats of ours, by the name that `--format` takes."""


def format_names() -> list[str]:
    """All names that `--format` takes for a file: ours, then those of plug-ins that load."""
    return [*FORMATS, *(name for name, found in plugins().items() if isinstance(found, Format))]


def find(name: str, also: tuple[str, ...] = ()) -> Format:
    """A format by its name, ours or of a plug-in.

    Args:
        name: what `--format` was given.
        also: names that the caller knows beside these, for the suggestion.

    Raises:
        InputError: there is no such format, or its plug-in cannot be used.
    """
    if name in FORMATS:
        return FORMATS[name]
    found = plugins().get(name)
    if found is None:
        raise InputError(f"--format {name}: there is no such format{suggest(name, [*format_names(), *also])}")
    if isinstance(found, str):
        raise InputError(f"--format {name}: {found}")
    return found


def content(
    name: str, kind: Format, card: Scorecard, figures: Figures | None = None, language: Language = "en"
) -> bytes:
    """A scorecard in a format, as the bytes of a file.

    Raises:
        InputError: a plug-in breaks off, or returns neither text nor bytes.
    """
    if name in FORMATS:
        return _bytes(kind.render(card, figures, language))
    try:
        return _bytes(kind.render(card, figures, language))
    except E360Error:
        raise
    except Exception as error:  # whatever a plug-in does must not cost the other formats
        why = f"{type(error).__name__}: {error}"
        raise InputError(
            f"--format {name}: its plug-in ({kind.module}) breaks off ({why:.200}); report it there"
        ) from error


def _bytes(made: str | bytes) -> bytes:
    if isinstance(made, str):
        return made.encode()
    if isinstance(made, bytes):
        return made
    raise TypeError(f"render returned {type(made).__name__}, neither text nor bytes")


@cache
def plugins() -> dict[str, Format | str]:
    """The formats of other packages by name; as text, why one cannot be used.

    A plug-in takes neither a name nor a file that e360 itself writes, so that none of these is lost to it.
    """
    points: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        points.setdefault(point.name, []).append(point)
    return {name: _plugin(name, points[name]) for name in sorted(points)}


def _plugin(name: str, points: list[EntryPoint]) -> Format | str:
    values = sorted({point.value for point in points})
    whose = ", ".join(sorted({point.dist.name if point.dist else point.value for point in points}))
    if name in {*FORMATS, GITHUB}:
        return f"the name is taken by e360's own format; the plug-in ({whose}) has to choose another"
    if len(values) > 1:
        return f"several packages offer it ({whose}); remove all but one"
    try:
        found = points[0].load()
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything when it is imported
        return f"the plug-in ({whose}) does not load ({type(error).__name__}: {error}); mend or remove it"
    if not isinstance(found, Format):
        return f"the plug-in ({whose}) is no efficiency360.render.formats.Format; mend or remove it"
    if wrong := _wrong_file(found.file):
        return f"the plug-in ({whose}) {wrong}; mend or remove it"
    return found


def _wrong_file(file: str) -> str:
    taken = _OWN_FILES | {one.file for one in FORMATS.values()}
    if not file or file in {".", ".."} or set(file) & set('/\\:*?"<>|') or not file.isprintable():
        return f"writes to {file!a:.60}, which is not the name of a file"
    return f"would write over {file}, which is e360's own" if file.casefold() in taken else ""
