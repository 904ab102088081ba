"""The drawings of a page made self-contained: colours and strokes as attributes, and what they point at inside them."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement

from efficiency360.render.pdf.cascade import filled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SVG = "{http://www.w3.org/2000/svg}"
_LINKS = ("href", "{http://www.w3.org/1999/xlink}href")
_URL = re.compile(r"""url\(\s*["']?#([^)"']+)["']?\s*\)""")
_PAINTS = ("fill", "stroke", "stop-color")
_KEPT = frozenset(
    (
        *_PAINTS,
        "color",
        *("fill-opacity", "stroke-opacity", "opacity", "stop-opacity", "fill-rule", "display", "visibility"),
        *("stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-dashoffset"),
        *("font-size", "font-weight", "font-family", "font-style", "text-anchor", "dominant-baseline"),
        *("letter-spacing", "paint-order", "vector-effect", "transform"),
    )
)


def styled(element: Element, declared: Mapping[str, str], variables: Mapping[str, str], color: str) -> None:
    """Write what the style sheets declare for an element of a drawing into its `style`, in values that stand alone.

    `color` is what the drawing inherits; it is stated at its root, so that `currentColor` in a symbol takes the colour
    of the place where it is used.
    """
    for name, value in element.attrib.items():
        if "var(" in value:
            element.set(name, filled(value, variables))
    found = {name: filled(value, variables) for name, value in declared.items() if name in _KEPT}
    for name in _PAINTS:
        if found.get(name, element.get(name, "")).lower() == "currentcolor":
            found[name] = "currentColor"  # in the one way of writing it that WeasyPrint knows
    if element.tag == f"{SVG}svg":
        found["color"] = color
    element.set("style", ";".join(f"{name}:{value}" for name, value in found.items() if value))


def complete(drawings: Iterable[Element]) -> None:
    """Copy into each drawing what it uses of others, such as the symbol of a mark or a pattern of hatching."""
    all_of_them = list(drawings)
    defined = {one.get("id"): one for drawing in all_of_them for one in drawing.iter() if one.get("id")}
    originals = {name: deepcopy(one) for name, one in defined.items() if name}
    for drawing in all_of_them:
        _fit(drawing, originals)
        own = {one.get("id") for one in drawing.iter()}
        missing = _needed(drawing, originals, own)
        if missing:
            definitions = SubElement(drawing, f"{SVG}defs")
            definitions.extend(deepcopy(originals[name]) for name in missing)


def _fit(drawing: Element, originals: Mapping[str, Element]) -> None:
    """Give a drawing that only shows a symbol the symbol's own frame, so that it is scaled to its place."""
    shown = [originals.get(one.get("href", "")[1:]) for one in drawing if one.tag == f"{SVG}use"]
    frames = [one.get("viewBox") for one in shown if one is not None]
    if drawing.get("viewBox") is None and len(drawing) == len(frames) == 1 and frames[0]:
        drawing.set("viewBox", frames[0])


def _needed(drawing: Element, originals: Mapping[str, Element], own: Iterable[str | None]) -> list[str]:
    """The names of what a drawing points at outside of itself, and of what that points at in turn."""
    known, found = set(own), list[str]()
    waiting = list(_pointed_at(drawing))
    while waiting:
        name = waiting.pop(0)
        if name not in known and name in originals:
            known.add(name)
            found.append(name)
            waiting.extend(_pointed_at(originals[name]))
    return found


def _pointed_at(element: Element) -> Iterator[str]:
    for one in element.iter():
        for name, value in one.attrib.items():
            if name in _LINKS and value.startswith("#"):
                yield value[1:]
            yield from _URL.findall(value)
