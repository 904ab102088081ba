"""Which declarations of a page's style sheets apply to an element in print, with variables put in.

WeasyPrint applies the style sheets of a page to HTML only, not to the drawings in it, so the drawings need theirs as
attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cssselect2
import tinycss2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element

_VAR = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,\s*([^()]*))?\)")
_PRINT = {"", "all", "print", "screen, print", "print, screen"}
_DEEPEST = 8
Declared = dict[str, str]


@dataclass(frozen=True)
class Cascade:
    """The rules of a page that hold in print."""

    normal: cssselect2.Matcher = field(default_factory=cssselect2.Matcher)
    important: cssselect2.Matcher = field(default_factory=cssselect2.Matcher)

    def declared(self, element: cssselect2.ElementWrapper) -> Declared:
        """Properties and values of an element, those of its `style` among them, as they are written."""
        found: Declared = {}
        for matcher in (self.normal, None, self.important):
            if matcher is None:
                found |= dict(_declarations(element.etree_element.get("style", ""))[0])
                continue
            for *_, pseudo, declarations in matcher.match(element):
                if pseudo is None:
                    found |= declarations
        return found


def read(root: Element) -> Cascade:
    """The rules of the style sheets in a page; what cannot be parsed is left out, as browsers do."""
    cascade = Cascade()
    for sheet in root.iter("style"):
        _add(cascade, tinycss2.parse_stylesheet(sheet.text or "", skip_comments=True, skip_whitespace=True))
    return cascade


def filled(value: str, variables: Mapping[str, str]) -> str:
    """A value with its `var(...)` replaced; one without a value becomes its fallback, or nothing."""
    for _ in range(_DEEPEST):
        if "var(" not in value:
            return value
        value = _VAR.sub(lambda found: variables.get(found[1], found[2] or ""), value)
    return ""


def _add(cascade: Cascade, rules: list[tinycss2.ast.Node]) -> None:
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content is not None:
            if tinycss2.serialize(rule.prelude).strip().lower() in _PRINT:
                _add(cascade, tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True))
        elif rule.type == "qualified-rule":
            _add_rule(cascade, rule)


def _add_rule(cascade: Cascade, rule: tinycss2.ast.QualifiedRule) -> None:
    try:
        selectors = cssselect2.compile_selector_list(rule.prelude)
    except cssselect2.SelectorError:
        return
    normal, important = _declarations(rule.content)
    for selector in selectors:
        if normal:
            cascade.normal.add_selector(selector, dict(normal))
        if important:
            cascade.important.add_selector(selector, dict(important))


def _declarations(content: str | list[tinycss2.ast.Node]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    found: tuple[list[tuple[str, str]], list[tuple[str, str]]] = [], []
    for name, value, important in _parsed(content):
        found[important].append((name, value))
    return found


def _parsed(content: str | list[tinycss2.ast.Node]) -> Iterator[tuple[str, str, bool]]:
    for one in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True):
        if one.type == "declaration":
            name = one.name if one.name.startswith("--") else one.lower_name
            yield name, tinycss2.serialize(one.value).strip(), bool(one.important)
