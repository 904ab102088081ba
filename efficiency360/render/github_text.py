"""Text from outside in GitHub's Markdown, and in that of Hugging Face: as itself and nothing more."""

from __future__ import annotations

import re

from efficiency360.render import text

_LONGEST, _LONGEST_NAME = 500, 120
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ESCAPED = str.maketrans(_HTML | {char: f"\\{char}" for char in "\\`*_[]|~$!"} | {"@": "\N{FULLWIDTH COMMERCIAL AT}"})
_SPAN = str.maketrans({"`": "'", "|": "\N{BROKEN BAR}"})
_LINKS = (
    (re.compile(r":(?=//)"), "\N{FULLWIDTH COLON}"),
    (re.compile(r"(?i)(?<=www)\."), "\N{FULLWIDTH FULL STOP}"),
    (re.compile(r"#(?=\d)"), "\N{FULLWIDTH NUMBER SIGN}"),
    (re.compile(r"(?i)(?<=\bgh)-(?=\d)"), "\N{NON-BREAKING HYPHEN}"),
)
"""What GitHub makes links of after it has undone escapes, so that only another character helps."""
_STARTS = re.compile(r"^(\d*)([-+#=.)])(?=[\s=#-]|$)")
"""What would begin a list, a heading or a line under one."""


def sentence(value: str) -> str:
    """A sentence from outside, as itself and nothing more, on one line."""
    value = _STARTS.sub(r"\1\\\2", text.plain(text.cut(value, _LONGEST)).strip().translate(_ESCAPED))
    for pattern, instead in _LINKS:
        value = pattern.sub(instead, value)
    return value


def code(name: str) -> str:
    """A name from outside as a code span, in which GitHub obeys nothing."""
    return f"`{text.plain(text.cut(name, _LONGEST_NAME)).strip().translate(_SPAN) or '(no name)'}`"
