"""A chart's spec as SVG in the page: Vega-Lite draws it, and only what a chart needs is taken over.

No text reaches the engine: it draws marks in place of texts, which are put in afterwards. A name could not even be
tried as an expression, and no character makes the engine stop (some do: it ends the whole process). Two languages of a
chart are drawn once.

What Vega-Lite writes is not put into the page as it is. Its marks are read and written anew from a short list of
elements and attributes: no ids, links, scripts or styles can come through, several charts never clash, and most of the
bytes fall away. Colours become classes, so the page's own apply, in light, dark and print; the literal ones stay
beside them for readers without style sheets.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

from efficiency360.render import text
from efficiency360.render.charts.theme import COLOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SVG: Final = "{http://www.w3.org/2000/svg}"
_SHAPES: Final = frozenset({"path", "line", "text"})
_KEPT: Final = (
    "transform", "d", "x2", "y2", "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity",
    "fill-opacity", "stroke-opacity", "text-anchor", "font-size", "font-weight",
)  # fmt: skip
_PLACES: Final = frozenset({"transform", "d", "x2", "y2"})
_PAINTS: Final = {literal: role for role, literal in COLOURS.items()}
_USUAL: Final = {"opacity": "1", "fill": "none", "stroke": "none"}
_COMPUTES: Final = frozenset({"expr", "signal", "transform", "params", "labelExpr", "url", "href", "test", "datasets"})
_CLASS: Final = re.compile(r"mark-\w+ role-(?:mark (?P<layer>[a-z]+)_\d+_marks|axis-(?P<part>[a-z]+))")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_MOVE: Final = re.compile(r"translate\((-?[\d.e-]+),(-?[\d.e-]+)\)")
_MASK: Final = re.compile(r">@(\d+)<")
_TEXTS: Final = frozenset({"values", "title"})
_LONGEST: Final = 200
_ADDRESSES, _DATA = 72 * 10**9, 10**9
"""Bytes that the engine reserves at its start, most of which it never uses."""
Move = tuple[float, float]


class CannotDrawError(Exception):
    """Charts cannot be drawn on this machine, or under its limits; the page says so in their place."""


def draw(spec: Mapping[str, Any], kind: str, name: str, description: str, told: Callable[[str], str] = str) -> Markup:
    """A chart as an `svg` element with the class `chart` and a name and description for those who cannot see it.

    Args:
        spec: a Vega-Lite spec that computes nothing.
        kind: a further class.
        name: what it is, in a few words.
        description: what it says.
        told: says a text of the data in the language of the page.

    Raises:
        ValueError: the spec computes, refers to something outside, or has a place or colour that is none.
        CannotDrawError: the engine does not run here.
    """
    if found := sorted(_computing(spec)):
        raise ValueError(f"a chart must not compute or refer to anything: {', '.join(found)}")
    texts: list[str] = []
    width, height, marks = _drawn(json.dumps(_masked(spec, texts), allow_nan=False))
    said = _MASK.sub(lambda match: f">{_plain(told(texts[int(match[1])]))}<", marks)
    return Markup(  # noqa: S704 - all that is not ours is escaped
        f'<svg class="chart {kind}" viewBox="0 0 {width} {height}" fill="none" role="img" aria-label="{_plain(name)}">'
        f"<desc>{escape(text.plain(description))}</desc>{said}</svg>"
    )


def _plain(said: str) -> str:
    return escape(text.plain(text.cut(said, _LONGEST)))


def _masked(part: Any, texts: list[str], *, free: bool = False) -> Any:
    """The spec with `@0`, `@1` and so on in place of texts, which go to `texts`: all of the data, and titles."""
    if isinstance(part, dict):
        return {key: _masked(value, texts, free=free or key in _TEXTS) for key, value in part.items()}
    if isinstance(part, list):
        return [_masked(one, texts, free=free) for one in part]
    if not (free and isinstance(part, str)):
        return part
    texts.append(part)
    return f"@{len(texts) - 1}"


@lru_cache(maxsize=128)
def _drawn(spec: str) -> tuple[str, str, str]:
    """Width, height and the marks as SVG; the same spec is drawn once."""
    root = ET.fromstring(_converted(spec))  # noqa: S314 - of our own spec
    marks = "".join(_groups(root, (0.0, 0.0)))
    if "NaN" in marks or "Infinity" in marks:
        raise ValueError("a chart has a place that is no number")
    return root.attrib["width"], root.attrib["height"], marks


def _converted(spec: str) -> str:
    """What Vega-Lite makes of a spec, in full."""
    if not _has_room():
        raise CannotDrawError("the limits on memory (ulimit -v, -d) leave no room for the engine")
    import vl_convert  # noqa: PLC0415 - brings a JavaScript engine, which only pages with charts need

    try:
        drawn: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    except ValueError as error:
        raise CannotDrawError(str(error)) from error
    return drawn


def _has_room() -> bool:
    """Whether the process may reserve the addresses that the engine begins with; else it would end the process."""
    try:
        import resource  # noqa: PLC0415 - not on Windows, which has no such limits
    except ImportError:
        return True
    needs = ((resource.RLIMIT_AS, _ADDRESSES), (resource.RLIMIT_DATA, _DATA))
    limits = ((resource.getrlimit(kind)[0], need) for kind, need in needs)
    return all(limit == resource.RLIM_INFINITY or limit >= need for limit, need in limits)


def _computing(part: object) -> set[str]:
    """The keys of a spec with which Vega would evaluate an expression or fetch something; data are only values."""
    if isinstance(part, list):
        return set().union(*map(_computing, part))
    if not isinstance(part, dict):
        return set()
    inside = (_computing(value) for key, value in part.items() if key != "values")
    return set().union(_COMPUTES & part.keys(), *inside)


def _groups(element: ET.Element, moved: Move) -> Iterator[str]:
    """The groups of marks below an element, each moved to where it belongs."""
    found = _MOVE.search(element.get("transform", ""))
    if found:
        moved = moved[0] + float(found[1]), moved[1] + float(found[2])
    kind = _CLASS.match(element.get("class", ""))
    if kind:
        yield _group(kind["layer"] or kind["part"], element, moved)
        return
    for child in element:
        yield from _groups(child, moved)


def _group(name: str, element: ET.Element, moved: Move) -> str:
    """A group of marks; what all of them have in common is said once."""
    shapes = [(child.tag.removeprefix(_SVG), _attributes(child), child.text or "") for child in element]
    shapes = [shape for shape in shapes if shape[0] in _SHAPES]
    if not shapes:
        return ""
    first = shapes[0][1]
    shared = {
        key: value
        for key, value in first.items()
        if key not in _PLACES and all(found.get(key) == value for _, found, _ in shapes)
    }
    inside = "".join(_shape(tag, {k: v for k, v in own.items() if k not in shared}, said) for tag, own, said in shapes)
    place = f' transform="translate({_short(moved[0])} {_short(moved[1])})"' if moved != (0.0, 0.0) else ""
    return f"<g{_written(shared, name)}{place}>{inside}</g>"


def _attributes(element: ET.Element) -> dict[str, str]:
    """What is kept of a mark's attributes, in a fixed order."""
    found = {key: element.get(key) for key in _KEPT}
    return {
        key: _NUMBER.sub(lambda match: _short(float(match[0])), value) if key in _PLACES else value
        for key, value in found.items()
        if value is not None and _USUAL.get(key) != value
    }


def _shape(tag: str, attributes: Mapping[str, str], said: str) -> str:
    inside = escape(said, quote=False) if tag == "text" else ""
    return f"<{tag}{_written(attributes)}>{inside}</{tag}>" if inside else f"<{tag}{_written(attributes)}/>"


def _written(attributes: Mapping[str, str], name: str = "") -> str:
    """Attributes in markup, with a class for each colour."""
    paints = [f"{key}-{_role(value)}" for key, value in attributes.items() if key in {"fill", "stroke"}]
    classes = " ".join([*([name] if name else []), *paints])
    said = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return (f' class="{classes}"' if classes else "") + said


def _role(literal: str) -> str:
    if literal not in _PAINTS:
        raise ValueError(f"a chart has a colour that is none of the page's: {literal}")
    return _PAINTS[literal]


def _short(number: float) -> str:
    """Two decimals, without trailing zeros and without a negative zero."""
    return f"{round(number, 2) + 0.0:g}" if abs(number) < 1e4 else f"{number:.6g}"  # noqa: PLR2004 - of a page
