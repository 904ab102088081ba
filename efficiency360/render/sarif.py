"""What does not hold as SARIF 2.1.0, for code scanning: each finding stands at its rule's line of the audit file.

A failed rule is a `fail` at the level of its severity, an undecided one is `open`, a waived one is suppressed with the
waiver as its justification. Rules that hold are listed with the tool, and have no result.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from efficiency360.files import sha256_json
from efficiency360.render import text
from efficiency360.render.lines import audit_path
from efficiency360.render.results import rule_views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.records import AxisRecord, RuleResult, Scorecard
    from efficiency360.render.results import RuleView

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"block": "error", "warn": "warning", "info": "note"}
_LONGEST, _LONGEST_VERDICT = 4000, 1000
_SYNTAX = str.maketrans("{}[]", "()()")
"""A message's placeholders and links; round brackets are neither (SARIF 2.1.0, sections 3.11.5 and 3.11.6)."""


def render(card: Scorecard, lines: Mapping[str, int] | None = None) -> str:
    """The findings as a SARIF log; the same scorecard gives the same bytes.

    Args:
        card: the scorecard.
        lines: at which line of the audit file each rule is (`lines.rule_lines`); without it findings name no line.
    """
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(card, lines or {})]}, indent=2) + "\n"


def _run(card: Scorecard, lines: Mapping[str, int]) -> dict[str, Any]:
    version = card.environment.versions.get("efficiency360")
    rules = _rules(card)
    ids = [rule["id"] for rule in rules]
    return {
        "tool": {"driver": {"name": "e360", **({"version": _plain(version)} if version else {}), "rules": rules}},
        "automationDetails": {"id": _automation_id(card)},
        "invocations": [_invocation(card)],
        "results": [
            _result(view, ids.index(_plain(view.result.rule)), _location(card, view, lines))
            for view in rule_views(card)
            if view.result.outcome != "pass"
        ],
        "columnKind": "unicodeCodePoints",
        "properties": _properties(card),
    }


def _rules(card: Scorecard) -> list[dict[str, Any]]:
    views = {_plain(view.result.rule): view for view in reversed(rule_views(card))}
    return [_rule(views[rule_id], rule_id) for rule_id in reversed(views)]


def _rule(view: RuleView, rule_id: str) -> dict[str, Any]:
    result = view.result
    says = f"{text.title(result.measurement)} ({result.measurement}) {text.limit(result, view.unit)}"
    return {
        "id": rule_id,
        "shortDescription": {"text": _message(says)},
        "fullDescription": {"text": _message(result.rationale)},
        "defaultConfiguration": {"level": _LEVELS[result.severity]},
    }


def _result(view: RuleView, index: int, location: dict[str, Any]) -> dict[str, Any]:
    result = view.result
    failed = result.outcome == "fail"
    return {
        "ruleId": _plain(result.rule),
        "ruleIndex": index,
        "kind": "fail" if failed else "open",
        "level": _LEVELS[result.severity] if failed else "none",
        "message": {"text": _message(text.clauses(result.reason, text.waiver(result)))},
        "locations": [location],
        "partialFingerprints": _fingerprints(result),
        "suppressions": _suppressions(result),
    }


def _location(card: Scorecard, view: RuleView, lines: Mapping[str, int]) -> dict[str, Any]:
    result = view.result
    params = f"{{{text.joined(result.params)}}}" if result.params else ""
    logical = {"name": _plain(result.measurement), "fullyQualifiedName": _plain(f"{result.measurement}{params}")}
    location: dict[str, Any] = {"logicalLocations": [logical]}
    if file := audit_path(card.audit.file):
        region = {"region": {"startLine": lines[result.rule]}} if result.rule in lines else {}
        location["physicalLocation"] = {"artifactLocation": {"uri": _uri(file)}, **region}
    return location


def _uri(file: str) -> str:
    """A path as a URI; one that is not absolute is seen from the root of the repository."""
    path = quote(text.cut(file, _LONGEST).replace("\\", "/").encode(errors="replace"), safe="/")
    return f"file://{path}" if path.startswith("/") else path


def _fingerprints(result: RuleResult) -> dict[str, str]:
    """What stays the same from run to run: which rule speaks of which measurement, not what came of it.

    The first is the one by which GitHub tells findings on one line apart.
    """
    found = sha256_json([result.rule, result.measurement, dict(sorted(result.params.items()))])
    return {"primaryLocationLineHash": f"{found[:16]}:1", "e360/v1": found}


def _suppressions(result: RuleResult) -> list[dict[str, Any]]:
    """A waiver that holds; one that has expired suppresses nothing."""
    if result.waiver is None or not result.waiver.active:
        return []
    return [{"kind": "external", "status": "accepted", "justification": _message(text.waiver(result))}]


def _invocation(card: Scorecard) -> dict[str, Any]:
    started = _utc(card.environment.started_at)
    return {
        "executionSuccessful": not _something_missing(card),
        "commandLine": _plain(card.command),
        **({"startTimeUtc": started} if started else {}),
        "toolExecutionNotifications": list(_notifications(card)),
    }


def _something_missing(card: Scorecard) -> bool:
    """Whether findings that are not there prove nothing, because something that the verdict needs was not measured."""
    rules, undecided = card.verdict.rules, card.verdict.outcome == "inconclusive"
    unmatched = any(rule.stands_in_the_way and rule.measured is None for rule in rules)
    missing = any(axis.status != "measured" for axis in card.axes)
    listed = any(rule.stands_in_the_way for rule in rules)
    return unmatched or any(axis.status == "failed" for axis in card.axes) or (undecided and (missing or not listed))


def _notifications(card: Scorecard) -> Iterator[dict[str, Any]]:
    level = {"pass": "note", "fail": "error", "inconclusive": "error"}[card.verdict.outcome]
    verdict = f"{card.verdict.outcome}: {text.capped(card.verdict.reasons, _LONGEST_VERDICT)}"
    yield {"level": level, "message": {"text": _message(verdict)}}
    for axis in card.axes:
        yield from _notices(axis)


def _notices(axis: AxisRecord) -> Iterator[dict[str, Any]]:
    if axis.status != "measured":
        level = "error" if axis.status == "failed" else "note"
        yield {"level": level, "message": {"text": _message(f"{axis.id} {axis.status}: {axis.reason}")}}
    for caveat in axis.caveats:
        if caveat.severity == "critical":
            yield {"level": "warning", "message": {"text": _message(f"{axis.id}: {caveat.text}")}}


def _automation_id(card: Scorecard) -> str:
    """One series of runs for each audit file and model; the last part names the run (section 3.17.3)."""
    parts = ("e360", card.audit.title, card.subject.name, card.environment.started_at)
    return "/".join(_plain(part).replace("/", "_") for part in parts)


def _properties(card: Scorecard) -> dict[str, Any]:
    baseline = card.verdict.baseline
    return {
        "verdict": card.verdict.outcome,
        "model": _plain(card.subject.name),
        "modelSha256": card.subject.fingerprint,
        "data": _plain(card.dataset.name) if card.dataset else None,
        "baseline": _plain(text.baseline(baseline)) if baseline else None,
    }


def _utc(iso: str) -> str | None:
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return None
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _message(value: str) -> str:
    """Text from outside without what a message would obey."""
    return _plain(value).translate(_SYNTAX)


def _plain(value: str) -> str:
    return text.plain(text.cut(value, _LONGEST))
