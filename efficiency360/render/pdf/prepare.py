"""A page of ours made ready for WeasyPrint: folds open, long tables cut, large columns set one after another."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cssselect2

from efficiency360.render.pdf import cascade, drawings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element

_UNSEEN = frozenset({"sr", "skip"})
_DROPPED = frozenset({"nav", "button", "input", "script", "template", "dialog"})
_ROWS = 12
"""Rows of a folded table that are printed; the rest is in the HTML page and in the spreadsheet."""
_COLUMNS = frozenset({"grid", "inline-grid", "flex", "inline-flex"})
_SMALL_ELEMENTS, _SMALL_TEXT = 60, 1500
_CAPTION = 240
_FEW = 4


@dataclass(frozen=True)
class _State:
    """What an element inherits that matters to drawings."""

    variables: Mapping[str, str] = field(default_factory=dict)
    color: str = "#000"


def prepare(root: Element, words: Mapping[str, Any], *, plainly: bool = False) -> cssselect2.ElementWrapper:
    """Change a parsed page in place; returns it wrapped for WeasyPrint.

    Args:
        root: the element `html`.
        words: of the section `pdf`.
        plainly: without any columns, for a page that is too much for WeasyPrint otherwise.
    """
    _drop(root)
    for fold in root.iter("details"):
        _unfold(fold, words)
    rules = cascade.read(root)
    _walk(cssselect2.ElementWrapper.from_html_root(root, content_language=None), rules, _State(), plainly=plainly)
    drawings.complete(list(root.iter(f"{drawings.SVG}svg")))
    return cssselect2.ElementWrapper.from_html_root(root, content_language=None)


def _drop(parent: Element) -> None:
    """Remove what is for screens or for being read aloud only."""
    for child in list(parent):
        classes = set((child.get("class") or "").split())
        if child.tag in _DROPPED or classes & _UNSEEN or child.get("hidden") is not None:
            _remove(parent, child)
        elif not (isinstance(child.tag, str) and child.tag.startswith(drawings.SVG)):
            _drop(child)


def _remove(parent: Element, child: Element) -> None:
    """Remove an element, but not the text that follows it."""
    before = list(parent).index(child) - 1
    if child.tail and before >= 0:
        parent[before].tail = (parent[before].tail or "") + child.tail
    elif child.tail:
        parent.text = (parent.text or "") + child.tail
    parent.remove(child)


def _unfold(fold: Element, words: Mapping[str, Any]) -> None:
    """Show what is folded away, of a long table the beginning and how much more there is."""
    for table in fold.iter("table"):
        for body in table.iter("tbody"):
            rows = list(body)
            left = len(rows) - _ROWS
            if left <= _ROWS // 2:
                continue
            for row in rows[_ROWS:]:
                body.remove(row)
            more = body.makeelement("tr", {"class": "more"})
            cell = more.makeelement("td", {"colspan": str(_width(rows[0]))})
            cell.text = str(words["more_rows"]).format(n=f"{left:,}")
            more.append(cell)
            body.append(more)


def _width(row: Element) -> int:
    return sum(int(span) if (span := cell.get("colspan", "1")).isdigit() else 1 for cell in row)


def _walk(element: cssselect2.ElementWrapper, rules: cascade.Cascade, state: _State, *, plainly: bool) -> None:
    """Set columns in rows where they might break a page, and give drawings their own style."""
    node: Element = element.etree_element
    declared = rules.declared(element)
    own = {name: cascade.filled(value, state.variables) for name, value in declared.items() if name.startswith("--")}
    if own:
        state = replace(state, variables={**state.variables, **own})
    color = cascade.filled(declared.get("color", "inherit"), state.variables)
    if color.lower() not in {"inherit", "currentcolor", ""}:
        state = replace(state, color=color)
    if isinstance(node.tag, str) and node.tag.startswith(drawings.SVG):
        drawings.styled(node, declared, state.variables, state.color)
    elif declared.get("display") in _COLUMNS:
        _set_in_rows(node, plainly=plainly)
    for child in element.iter_children():
        _walk(child, rules, state, plainly=plainly)


def _set_in_rows(node: Element, *, plainly: bool) -> None:
    """Columns that are small stay, on one page; pictures stand side by side; all else follows one after another."""
    if not plainly and _is_small(node):
        _style(node, "break-inside: avoid")
        return
    _style(node, "display: block")
    pictured = [child for child in node if _is_picture(child)]
    if len(pictured) > 1 and len(pictured) == len(node):
        width = f"; width: {100 // len(node) - 2}%" if len(node) <= _FEW else ""
        for child in pictured:
            _style(child, f"display: inline-block; vertical-align: top; margin-right: 1%; max-width: 100%{width}")


def _is_small(node: Element) -> bool:
    return sum(1 for _ in node.iter()) <= _SMALL_ELEMENTS and len("".join(node.itertext())) <= _SMALL_TEXT


def _is_picture(node: Element) -> bool:
    pictures = any(one.tag in {"img", f"{drawings.SVG}svg"} for one in node.iter())
    return pictures and len("".join(_html_text(node))) <= _CAPTION


def _html_text(node: Element) -> Iterator[str]:
    """The text of an element but for that in drawings."""
    if isinstance(node.tag, str) and node.tag.startswith(drawings.SVG):
        return
    yield node.text or ""
    for child in node:
        yield from _html_text(child)
        yield child.tail or ""


def _style(node: Element, more: str) -> None:
    node.set("style", f"{node.get('style', '')};{more}".strip(";"))
