"""Where in an audit file a rule stands, for outputs that point at it."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePath

_TOKEN = re.compile(
    r"""(?xms)
    ^[ \t]*\[\[?[ \t]*(?P<table>[^\]\n]+?)[ \t]*\]
    | (?<![\w.-])(?:id|"id"|'id')[ \t]*=[ \t]*(?P<id>"(?:\\.|[^"\\\n])*+"|'[^'\n]*')(?!["'])
    | \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*+" | '[^'\n]*' | \#[^\n]*
    """
)
"""Headings, ids, and the strings and comments in which neither is one."""


def rule_lines(content: str) -> dict[str, int]:
    """At which line of an audit file, from 1, each rule's id stands; empty where the text is not TOML."""
    try:
        tomllib.loads(content)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, int] = {}
    table = "rules"  # an array of inline tables stands above any heading
    for token in _TOKEN.finditer(content):
        table = token["table"] or table
        if token["id"] and table.strip("\"'") == "rules":
            rule_id = tomllib.loads(f"id = {token['id']}")["id"]
            found.setdefault(rule_id, content.count("\n", 0, token.start("id")) + 1)
    return found


def audit_path(file: str) -> str:
    """Where an audit file is, seen from the repository: those that e360 ships lie in `audits/` there."""
    if not file:
        return ""
    return file if PurePath(file).suffix else f"audits/{file}.toml"
