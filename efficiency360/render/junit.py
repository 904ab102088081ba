"""The verdict as JUnit XML, for whatever shows test results: a case for each result of a rule, one for the verdict.

Only what stops the release is a `failure`: a rule that warns or informs, is waived or could not be decided is `skipped`
with its reason, which is neither green nor red. So that a reader who knows nothing but JUnit never takes "could not
judge" for green, the last suite, `e360.verdict`, holds the verdict itself: an inconclusive one is an `error`.

Elements and attributes are those that the schemas of Ant and of Jenkins have in common.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from efficiency360.render import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from efficiency360.records import RuleResult, Scorecard

Case = tuple[str, str, ET.Element | None]
"""Class name, name, and what became of it: None where it passed."""
_LONGEST, _LONGEST_VERDICT = 2000, 1000
_LONGEST_NAME = 200
_NOT_XML = {0xFFFE: "\N{REPLACEMENT CHARACTER}", 0xFFFF: "\N{REPLACEMENT CHARACTER}"}
_EPOCH = "1970-01-01T00:00:00"


def render(card: Scorecard) -> str:
    """The verdict as a JUnit document; the same scorecard gives the same bytes.

    The rules on an axis are a suite, whose `time` is what the axis took; the test cases themselves take none.
    """
    root = ET.Element("testsuites")
    names = case_names(card.verdict.rules)
    cases: dict[str, list[Case]] = {}
    for result, name in zip(card.verdict.rules, names, strict=True):
        axis = result.measurement.partition(".")[0]
        cases.setdefault(axis, []).append((f"e360.{axis}", name, _fate(result)))
    seconds = {axis.id: axis.seconds or 0.0 for axis in card.axes}
    for axis, found in cases.items():
        _suite(root, card, f"e360.{axis}", found, seconds.get(axis, 0.0))
    _verdict_suite(root, card)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def case_names(results: Sequence[RuleResult]) -> list[str]:
    """A name for each result that no other has: the rule's id, with the params where the rule has several results."""
    many = Counter(result.rule for result in results)
    names: dict[str, None] = {}
    for result in results:
        several = many[result.rule] > 1 and result.params
        name = _plain(f"{result.rule} {{{text.joined(result.params)}}}" if several else result.rule, _LONGEST_NAME)
        numbered = (f"{name} ({number})" for number in count(2))
        names[name if name not in names else next(one for one in numbered if one not in names)] = None
    return list(names)


def _fate(result: RuleResult) -> ET.Element | None:
    """What became of a rule; None where it passed."""
    if result.outcome == "pass":
        return None
    if result.outcome == "fail" and result.stands_in_the_way:
        return _element("failure", result.reason, "RuleFailed", _told(result))
    return _element("skipped", _why_skipped(result), "", _told(result))


def _why_skipped(result: RuleResult) -> str:
    what = "fails" if result.outcome == "fail" else "could not be decided"
    only = f", but {text.SEVERITIES[result.severity]}" if result.severity != "block" else ""
    return f"{what}{only}: {text.clauses(result.reason, text.waiver(result))}"


def _told(result: RuleResult) -> Iterator[str]:
    yield result.reason
    if result.waiver is not None:
        yield text.waiver(result)
    yield f"Why this rule: {result.rationale}"


def _element(tag: str, message: str, kind: str, lines: Iterable[str]) -> ET.Element:
    attributes = {"message": _plain(message), **({"type": kind} if kind else {})}
    element = ET.Element(tag, attributes)
    element.text = _lines(lines)
    return element


def _suite(root: ET.Element, card: Scorecard, name: str, cases: Sequence[Case], seconds: float) -> ET.Element:
    fates = [fate.tag for _, _, fate in cases if fate is not None]
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": name,
            "package": "e360",
            "id": str(len(root)),
            "timestamp": _moment(card.environment.started_at),
            "hostname": card.environment.host[:12],
            "tests": str(len(cases)),
            "failures": str(fates.count("failure")),
            "errors": str(fates.count("error")),
            "skipped": str(fates.count("skipped")),
            "time": f"{seconds:.3f}",
        },
    )
    _properties(suite, card)
    for classname, case, fate in cases:
        element = ET.SubElement(suite, "testcase", {"classname": classname, "name": case, "time": "0"})
        if fate is not None:
            element.append(fate)
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")
    return suite


def _verdict_suite(root: ET.Element, card: Scorecard) -> None:
    """The verdict; what it says beside it, and what a reader must know, stands in `system-out`."""
    verdict = card.verdict
    fate = None
    if verdict.outcome != "pass":
        tag, kind = ("failure", "VerdictFailed") if verdict.outcome == "fail" else ("error", "Undecided")
        fate = _element(
            tag, f"{verdict.outcome}: {text.capped(verdict.reasons, _LONGEST_VERDICT)}", kind, verdict.reasons
        )
    suite = _suite(root, card, "e360.verdict", [("e360.verdict", "verdict", fate)], 0.0)
    suite[-2].text = _lines(_beside(card))


def _beside(card: Scorecard) -> Iterator[str]:
    yield f"{card.verdict.outcome}: {card.subject.name}"
    yield from card.verdict.reasons
    if card.verdict.baseline is not None:
        yield text.baseline(card.verdict.baseline)
    for axis in card.axes:
        yield from (f"{axis.id}: {caveat.text}" for caveat in axis.caveats if caveat.severity == "critical")
        if axis.status != "measured":
            yield f"{axis.id} {axis.status}: {axis.reason}"


def _properties(suite: ET.Element, card: Scorecard) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(card).items():
        ET.SubElement(properties, "property", {"name": name, "value": _plain(value)})


def _facts(card: Scorecard) -> Mapping[str, str]:
    baseline = card.verdict.baseline
    return {
        "model": card.subject.name,
        "model.sha256": card.subject.fingerprint or "",
        "data": card.dataset.name if card.dataset else "",
        "audit": card.audit.title,
        "audit.file": card.audit.file,
        **({"baseline": text.baseline(baseline)} if baseline else {}),
    }


def _moment(iso: str) -> str:
    """A time as Ant wants it: to the second and without its zone, here UTC."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return _EPOCH
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return utc.replace(tzinfo=None).isoformat(timespec="seconds")


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(map(_plain, lines))


def _plain(value: str, longest: int = _LONGEST) -> str:
    """Text from outside on one line, without what XML 1.0 forbids (its section 2.2)."""
    return text.plain(text.cut(value, longest)).translate(_NOT_XML)
