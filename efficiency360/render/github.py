"""The findings as GitHub's workflow commands, which become annotations of the run and of the audit file.

What stops the release is an error, or a warning where it could not be decided; what only warns is a warning; the rest
is a notice. A rule with many results has one annotation, for the worst. The verdict comes first: it also stands for
required axes that are missing, of which no rule speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.render import text
from efficiency360.render.lines import audit_path
from efficiency360.render.results import rule_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from efficiency360.records import RuleResult, Scorecard
    from efficiency360.render.results import RuleGroup

_KINDS = ("error", "warning", "notice")
_SHOWN = 10
"""GitHub shows no more of a kind in a step, and drops the rest without a word."""
_LONGEST = 1000
_LONGEST_MESSAGE = 4000
_LONGEST_TITLE = 120
_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def render(card: Scorecard, lines: Mapping[str, int] | None = None) -> str:
    """Workflow commands, one a line, each line ended; the same scorecard gives the same text.

    Args:
        card: the scorecard.
        lines: at which line of the audit file each rule is (`lines.rule_lines`).
    """
    found: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    kind = "notice" if card.verdict.outcome == "pass" else "error"
    said = [f"{card.subject.name}: {card.verdict.outcome}", *card.verdict.reasons]
    found[kind].append(_command(kind, said, {"title": f"e360: {card.verdict.outcome}"}))
    for group in rule_groups(card, 1):
        result = group.worst.result
        if result.outcome != "pass":
            kind = _kind(result)
            found[kind].append(_command(kind, _told(group), _place(card, result, lines or {})))
    return "".join(f"{command}\n" for kind in _KINDS for command in _shown(kind, found[kind]))


def _kind(result: RuleResult) -> str:
    if result.stands_in_the_way:
        return "error" if result.outcome == "fail" else "warning"
    return "warning" if result.severity == "warn" and result.outcome == "fail" and not _waived(result) else "notice"


def _waived(result: RuleResult) -> bool:
    return result.waiver is not None and result.waiver.active


def _told(group: RuleGroup) -> list[str]:
    return [line for line in (group.tally, group.shown[0].reason, text.waiver(group.worst.result)) if line]


def _place(card: Scorecard, result: RuleResult, lines: Mapping[str, int]) -> dict[str, str]:
    """The audit file is named where the line is known, so that a file that is not in the repository is not."""
    title = {"title": f"{text.cut(result.rule, _LONGEST_TITLE)}: {text.outcome(result)}"}
    if result.rule not in lines:
        return title
    return {"file": audit_path(card.audit.file), "line": str(lines[result.rule]), **title}


def _shown(kind: str, commands: list[str]) -> Iterable[str]:
    if len(commands) <= _SHOWN:
        return commands
    left = len(commands) - _SHOWN + 1
    more = f"{left:,} more of this kind are not shown here; the report and scorecard.json list them all"
    return [*commands[: _SHOWN - 1], _command(kind, [more], {"title": "e360: more"})]


def _command(kind: str, message: Iterable[str], properties: Mapping[str, str]) -> str:
    """A workflow command on one line of the output, whatever the lines of its message hold."""
    said = text.cut("\n".join(text.plain(text.cut(line, _LONGEST)) for line in message), _LONGEST_MESSAGE)
    listed = (
        f"{key}={text.plain(text.cut(value, _LONGEST)).translate(_PROPERTY)}" for key, value in properties.items()
    )
    return f"::{kind} {','.join(listed)}::{said.translate(_MESSAGE)}"
