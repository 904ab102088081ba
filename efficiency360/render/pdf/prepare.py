"""A page of ours made ready for WeasyPrint: folds open, long tables cut, columns set anew."""

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
_LONG, _ROWS = 10, 3
"""From how many rows on a folded table is cut, and to how many; the rest is in the HTML page and in the spreadsheet."""
_COLUMNS = frozenset({"grid", "inline-grid", "flex", "inline-flex"})
_CAPTION = 240
_FEW = 4
_INLINE = frozenset({"a", "span", "b", "strong", "small"})
_BLOCKS = frozenset({"div", "section", "ul", "ol", "dl", "table", "figure", "h3", "h4"})


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
        plainly: without any tables of ours, for a page that is too much for WeasyPrint otherwise.
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
            if len(rows) <= _LONG:
                continue
            for row in rows[_ROWS:]:
                body.remove(row)
            more = body.makeelement("tr", {"class": "more"})
            cell = more.makeelement("td", {"colspan": str(_width(rows[0]))})
            cell.text = str(words["more_rows"]).format(n=f"{len(rows) - _ROWS:,}")
            more.append(cell)
            body.append(more)


def _width(row: Element) -> int:
    return sum(int(span) if (span := cell.get("colspan", "1")).isdigit() else 1 for cell in row)


def _walk(element: cssselect2.ElementWrapper, rules: cascade.Cascade, state: _State, *, plainly: bool) -> None:
    """Set columns anew, and give drawings their own style."""
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
        _set(node, declared, plainly=plainly)
    for child in element.iter_children():
        _walk(child, rules, state, plainly=plainly)


def _set(node: Element, declared: Mapping[str, str], *, plainly: bool) -> None:
    """Set columns as WeasyPrint sets them well, also over the end of a page.

    A mark and its sentence are a line of text; a mark and more than that, and what stands at both ends of a line, are a
    table of one row; small pictures stand side by side; all else follows one after another.
    """
    children = list(node)
    flexible = declared["display"].endswith("flex") and "column" not in declared.get("flex-direction", "")
    marked = flexible and bool(children) and _is_mark(children[0]) and not (node.text or "").strip()
    apart = flexible and declared.get("justify-content") == "space-between" and 1 < len(children) <= _FEW + 1
    if marked and not any(child.tag in _BLOCKS for child in children[1:]):
        _style(node, f"display: {'inline-block' if node.tag in _INLINE else 'block'}")
    elif (marked or apart) and not plainly:
        _as_table(node, children, marked=marked)
    else:
        _style(node, "display: block")
        _side_by_side(node)


def _as_table(node: Element, children: list[Element], *, marked: bool) -> None:
    _style(node, "display: table; width: 100%; break-inside: avoid !important")
    last = len(children) - 1
    for index, child in enumerate(children):
        side = "right" if index == last and not marked else "left" if index == 0 or marked else "center"
        width = "; width: 97%" if marked and index == last else ""
        _style(child, f"display: table-cell; vertical-align: top; text-align: {side}{width}")


def _side_by_side(node: Element) -> None:
    pictured = [child for child in node if _is_picture(child)]
    if len(pictured) > 1 and len(pictured) == len(node):
        width = f"; width: {100 // len(node) - 4}%" if len(node) <= _FEW else ""
        for child in pictured:
            _style(child, f"display: inline-block; vertical-align: top; margin-right: 1%; max-width: 100%{width}")


def _is_mark(node: Element) -> bool:
    return node.tag == f"{drawings.SVG}svg" and "mark" in (node.get("class") or "").split()


def _is_picture(node: Element) -> bool:
    pictures = any(one.tag in {"img", f"{drawings.SVG}svg"} and not _is_mark(one) for one in node.iter())
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
