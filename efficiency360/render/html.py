"""The report for people: one HTML page that stands alone, offline and without scripts, in English and Japanese.

All prose is in `templates/report.<language>.toml`, all markup in `templates/report.html.j2`, all looks in
`templates/report.css`; `view` decides what is shown and in which order, `editions` puts the languages on one page.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from efficiency360.radii import EPS, levels, told
from efficiency360.render import editions, text
from efficiency360.render.axis_views import sort_caveats
from efficiency360.render.brief import Speech
from efficiency360.render.business import business
from efficiency360.render.charts.heat import STEPS
from efficiency360.render.charts.kinds import chart
from efficiency360.render.compiled import Compiled
from efficiency360.render.governance import governance
from efficiency360.render.language import speech, translated, visible, words
from efficiency360.render.naming import middle
from efficiency360.render.view import page
from efficiency360.render.wheel import HUB, RIM, radius
from efficiency360.render.wording import words as section
from efficiency360.units import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from efficiency360.records import Cell, Scorecard, Series
    from efficiency360.render.figures import Figures
    from efficiency360.render.wording import Language

_OURS = frozenset({"what", "how", "rate", "gap", "under", "adjacency", "attribute", "corruption"})
"""Columns of tables and params whose cells are words of ours."""
_LOADER = PackageLoader("efficiency360.render")
_COMPILED = Compiled()
_EXACT_FROM = 1000
_SERIES_SHOWN = 12
_SERIES_ROWS = 500


def render(
    card: Scorecard,
    figures: Figures | None = None,
    *,
    language: Language = "en",
    languages: Sequence[Language] = (),
) -> str:
    """The report as a whole HTML document; the same scorecard and figures give the same bytes.

    Everything in the scorecard is taken to be hostile: it is escaped, and its control characters are made visible.

    Args:
        card: the scorecard.
        figures: what `figures.read` took from the evidence beside it; without, the report says what is missing.
        language: the one that the page opens in.
        languages: all that the page holds, between which it switches (default: the one).
    """
    held = tuple(languages) or (language,)
    told = {one: Markup(_edition(card, figures, one)) for one in held}  # noqa: S704 - made by our templates
    bodies, pictures = editions.joined(told)
    return fill("report.html.j2", language, card=card, editions=bodies, pictures=pictures, all_words=_all_words(held))


def fill(template: str, language: Language = "en", **content: object) -> str:
    """A page from this folder's templates, with the prose of the language as `w`; `content` is taken to be hostile."""
    return _environment(language).get_template(template).render(content, w=words(language))


def _edition(card: Scorecard, figures: Figures | None, language: Language) -> str:
    """What the page says in one language."""
    catalogued = translated(card, language)
    told = speech(language)
    view = page(catalogued, words(language), figures, Speech(words(language), told["title"], told["told"]))
    view = replace(view, business=business(catalogued, section("business", language)))
    return fill("edition.html.j2", language, card=catalogued, page=view, frameworks=governance(card))


def _all_words(languages: Iterable[Language]) -> dict[Language, dict[str, Any]]:
    return {language: words(language) for language in languages}


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_COMPILED,
    )
    environment.filters |= {
        "scored": text.scored,
        "columns": _columns,
        "height": _height,
        "exact": _exact,
        "points": _points,
        "moment": _moment,
        "cell": partial(_cell, speech(language)["told"]),
        "heading": _heading,
        "setting": _setting,
        "shorten": _shorten,
        "middle": middle,
        "cut": text.cut,
        "caveats": sort_caveats,
        "radius": radius,
        "levels": levels,
        "percent": _percent,
        "unit": shown,
        **speech(language),
    }
    environment.globals |= {
        "chart": partial(chart, told=speech(language)["told"]),
        "HUB": HUB,
        "RIM": RIM,
        "heat_steps": STEPS,
        "series_rows": _SERIES_ROWS,
        "series_shown": _SERIES_SHOWN,
    }
    return environment


def _visible(value: object) -> object:
    """What the template may print: never None, no control or direction-changing characters, nothing without an end."""
    if value is None:
        raise TypeError("the report would print None; the template must say what is missing")
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _exact(value: float) -> str:
    """A large count in full, `4,652,008`; empty for anything that is shown in full already."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= _EXACT_FROM else ""


def _percent(share: float) -> str:
    """A proportion in percent without the sign, for tables whose head has it."""
    return text.quantity(share, "proportion").removesuffix(" %")


def _points(score: float) -> str:
    """A score with at most one decimal."""
    return f"{round(score, 1):g}"


def _moment(iso: str) -> str:
    """A time as a reader wants it, to the minute; as it is where it is not ISO 8601."""
    try:
        return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return iso


def _cell(told_in: Callable[[str], str], value: Cell, words: dict[str, str], column: str = "") -> str:
    """A cell of a series, or a param, in a column of this name; words of ours in the language."""
    if column == EPS and value:
        return told(value)
    if value is None:
        return words["dash"]
    if isinstance(value, bool):
        return words["yes" if value else "no"]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return told_in(value) if column in _OURS else value


def _columns(series: Series) -> list[tuple[str, list[Cell], bool]]:
    """The columns of a series: name, cells, and whether they are set as numbers."""
    return [(name, cells, any(map(_is_number, cells))) for name, cells in series.columns.items()]


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _height(series: Series) -> int:
    """How many rows a series has."""
    return len(next(iter(series.columns.values()), []))


def _heading(column: str, words: dict[str, dict[str, str]]) -> str:
    """The head of a series' column: its name in words."""
    return words["columns"].get(column, column.replace("_", " ").capitalize())


def _setting(value: object) -> str:
    """A setting as it would stand in JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _shorten(name: str, length: int = 15) -> str:
    """A name cut to `length` characters, for where it cannot wrap."""
    return text.cut(name, length)
