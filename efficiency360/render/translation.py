"""Sentences of a scorecard in another language: each is looked up whole in a catalogue, never put together from words.

A catalogue is `templates/texts.<language>.toml`: `en` is a sentence of ours with blanks, `to` the same sentence in the
other language with the same blanks. What has no entry, such as a sentence of somebody else's axis, stays English.

| blank    | takes                                                                    |
|----------|--------------------------------------------------------------------------|
| `{x}`    | anything: a name, a file, an error message; carried over as it is         |
| `{x:n}`  | a number with its unit                                                    |
| `{x:s}`  | a share without a unit, `0.05`, said in percent                           |
| `{x?}`   | what has an entry itself, or an error message, or a name                  |
| `{x:p}`  | params, `class=cat, k=1`; keys and values that are ours have entries       |
| `{x!}`   | what has an entry itself, a number, or the name of a measurement          |
| `{x*}`   | a list, `a, b and c`, whose parts are translated where they have an entry |
| `{x~}`   | the name of a group; translated where it has an entry, such as `1.5 and up` |
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_BLANK = re.compile(r"\{(\w+)(:n|:s|:p|[!?*~]|)\}")
_NUMBER = re.compile(
    r"([-+\N{MINUS SIGN}]?[\d.,]+(?:e[+-]?\d+)?(?:/255)?)(?: ?(%|ms|s|MB|GB|kB|TB|B|k|M|G|T|images/s|J|nats|points?))?"
)
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(?:\{.*\})?", re.DOTALL)
_SHARE = re.compile(r"0?\.\d{1,6}")
_PARAMS = re.compile(r"\w+=(?:(?! is |[:;=]).)*(?:, \w+=(?:(?! is |[:;=]).)*)*", re.DOTALL)
_PARAM = re.compile(r", (?=\w+=)")
_OURS: Final = frozenset({"against", "attribute", "corruption", "of"})
"""Params whose values may be words of ours."""
_ERROR = re.compile(r"\w*(?:Error|Exception|Warning|Interrupt)\b.*", re.DOTALL)
_PROSE = re.compile(r"[a-z]+ [a-z]+ [a-z]+")
_END = re.compile(r"(?<=[.!?]) (?=\S)")
_AND = re.compile(r"(?:, and |, | and )(?![^()]*\))")
_LONGEST: Final = 2000
_CLAUSE = re.compile(r" (?:is|are|was|were|has|have|had|does|do|did) ")
_SHORT: Final = 24
"""Of an entry that says less, blanks for names take no clauses: the sentence is another one."""
_MOST: Final = 16
"""A longer text, or one of more sentences, is none of ours."""
_DEEPEST: Final = 8


@dataclass(frozen=True)
class Piece:
    """A part of a text; `foreign` where it stayed English."""

    text: str
    foreign: bool


@dataclass(frozen=True)
class _Entry:
    """A sentence: what stands between its blanks, the blanks with their kinds, and the translation in parts."""

    between: tuple[str, ...]
    blanks: tuple[tuple[str, str], ...]
    told: tuple[str, ...]

    @property
    def short(self) -> bool:
        """Whether its own words are too few to tell a sentence by."""
        return sum(map(len, self.between)) < _SHORT

    def values(self, text: str) -> Iterator[Mapping[str, str]]:
        """What the blanks hold where the text is this sentence: blanks as short as can be, then as long."""
        if text.startswith(self.between[0]) and text.endswith(self.between[-1]):
            low, high = len(self.between[0]), len(text) - len(self.between[-1])
            for cuts in (self._earliest(text, low, high), self._latest(text, low, high)):
                if cuts is not None:
                    starts, stops = [low, *(end for _, end in cuts)], [*(at for at, _ in cuts), high]
                    yield {name: text[a:b] for (name, _), a, b in zip(self.blanks, starts, stops, strict=True)}

    def _earliest(self, text: str, low: int, high: int) -> list[tuple[int, int]] | None:
        cuts: list[tuple[int, int]] = []
        for literal in self.between[1:-1]:
            at = text.find(literal, low + 1, high)
            if at < 0:
                return None
            low = at + len(literal)
            cuts.append((at, low))
        return cuts if low < high else None

    def _latest(self, text: str, low: int, high: int) -> list[tuple[int, int]] | None:
        cuts: list[tuple[int, int]] = []
        for literal in reversed(self.between[1:-1]):
            at = text.rfind(literal, low, max(low, high - 1))
            if at < 0:
                return None
            cuts.insert(0, (at, at + len(literal)))
            high = at
        return cuts if low < high else None


class Catalogue:
    """The sentences of one language."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        """Compile pairs of an English sentence and its translation, both with blanks."""
        self._whole: dict[str, str] = {}
        self._patterns: list[_Entry] = []
        self._known: dict[str, str | None] = {}
        for english, told in entries:
            if not _BLANK.search(english):
                self._whole[english] = told
            else:
                pieces, words = _BLANK.split(english), _BLANK.split(told)
                blanks = tuple(zip(pieces[1::3], pieces[2::3], strict=True))
                told_parts = tuple(part for index, part in enumerate(words) if index % 3 != 2)  # noqa: PLR2004
                self._patterns.append(_Entry(tuple(pieces[::3]), blanks, told_parts))
        self._patterns.sort(key=lambda entry: -sum(map(len, entry.between)))  # what says most first

    def pieces(self, text: str) -> tuple[Piece, ...]:
        """A text, sentence by sentence: translated where there is an entry, else as it is."""
        whole = text.strip()
        if not whole:
            return ()
        sentences = _END.split(whole)
        if len(whole) > _LONGEST or len(sentences) > _MOST:
            return (Piece(whole, foreign=True),)
        return tuple(self._sentences(sentences))

    def whole(self, text: str) -> str | None:
        """A text in the other language; None where a part of it has no entry."""
        found = self.pieces(text)
        return None if any(piece.foreign for piece in found) else "".join(piece.text for piece in found)

    def _sentences(self, sentences: Sequence[str]) -> Iterator[Piece]:
        """As many sentences at once as an entry takes."""
        start = 0
        while start < len(sentences):
            for stop in range(len(sentences), start, -1):
                if (told := self._phrase(" ".join(sentences[start:stop]), 0)) is not None:
                    yield Piece(told, foreign=False)
                    start = stop
                    break
            else:
                yield Piece(sentences[start], foreign=True)
                start += 1

    def _phrase(self, text: str, depth: int) -> str | None:
        """The translation of one sentence or phrase; None where there is none."""
        if text in self._whole:
            return self._whole[text]
        if depth > _DEEPEST or len(text) > _LONGEST:
            return None
        if _NUMBER.fullmatch(text):
            return self._number(text)
        if _PARAMS.fullmatch(text):
            return self._params(text)
        if text not in self._known:
            self._known[text] = next(self._told(text, depth), None)
        return self._known[text]

    def _told(self, text: str, depth: int) -> Iterator[str]:
        for entry in self._patterns:
            for values in entry.values(text):
                if entry.short and any(not kind and _CLAUSE.search(values[name]) for name, kind in entry.blanks):
                    continue
                filled = {name: self._filled(values[name], kind, depth) for name, kind in entry.blanks}
                if all(value is not None for value in filled.values()):
                    yield "".join(filled[part] or "" if odd % 2 else part for odd, part in enumerate(entry.told))

    def _filled(self, value: str, kind: str, depth: int) -> str | None:  # noqa: PLR0911 - one a kind of blank
        if kind == ":n":
            return self._number(value) if _NUMBER.fullmatch(value) else None
        if kind == ":s":
            return f"{100 * float(value):g} %" if _SHARE.fullmatch(value) else None
        if kind == ":p":
            return self._params(value) if _PARAMS.fullmatch(value) else None
        if kind == "!":
            return self._nested(value, depth + 1)
        if kind == "?":
            named = _ERROR.fullmatch(value) or not _PROSE.search(value)
            return self._nested(value, depth + 1) or (value if named else None)
        if kind == "*":
            return "、".join(self._phrase(one, depth + 1) or one for one in _AND.split(value))
        return self._group(value, depth + 1) if kind == "~" else value

    def _group(self, text: str, depth: int) -> str:
        """The name of a group, or of several properties such as `image contrast=0.25 and up, sex=f`; theirs stay."""
        if "=" not in text:
            return self._phrase(text, depth) or text
        pairs = (pair.split("=", maxsplit=1) for pair in text.split(", "))
        return "、".join("=".join(self._phrase(one, depth) or one for one in pair) for pair in pairs)

    def _number(self, text: str) -> str:
        """A number with a blank before its unit; `1 s` in the catalogue says how the unit is called."""
        found = _NUMBER.fullmatch(text)
        if found is None or not found[2]:
            return text
        one = f"1 {found[2]}"
        return f"{found[1]} {self._whole.get(one, one).removeprefix('1 ')}"

    def _params(self, text: str) -> str:
        """Params in the other language; `stat=` and `stat=p95` in the catalogue say how they are called."""
        return "、".join(map(self._param, _PARAM.split(text)))

    def _param(self, text: str) -> str:
        key, _, value = text.partition("=")
        said = self._whole.get(value, value) if key in _OURS else value
        return self._whole.get(text) or f"{self._whole.get(f'{key}=', f'{key}=')}{said}"

    def _nested(self, text: str, depth: int) -> str | None:
        """A phrase within a sentence: one that needs no translation, one with an entry, or sentences with entries."""
        if _NAME.fullmatch(text):
            return text
        found = self._phrase(text, depth)
        if found is None and depth <= _DEEPEST and (sentences := _END.split(text))[1:] and len(sentences) <= _MOST:
            told = [self._phrase(one, depth) for one in sentences]
            return None if None in told else "".join(filter(None, told))
        return found


@cache
def catalogue(language: str, name: str = "texts") -> Catalogue | None:
    """The catalogue of a language, of scorecards or by its name; None for English, which needs none."""
    if language == "en":
        return None
    return Catalogue((one["en"], one["to"]) for one in entries(language, name))


def entries(language: str, name: str = "texts") -> list[dict[str, str]]:
    """The entries of a language's catalogue: `en` and `to`."""
    source = files("efficiency360.render").joinpath("templates", f"{name}.{language}.toml").read_text(encoding="utf-8")
    found: list[dict[str, str]] = tomllib.loads(source)["text"]
    return found
