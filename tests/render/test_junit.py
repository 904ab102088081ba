"""JUnit output: valid by the schemas that readers use, never green for what is not, and safe from its names."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
from lxml import etree

from efficiency360.records import RuleResult, Scorecard, Verdict
from efficiency360.render import junit

SCHEMAS = Path(__file__).parent / "schemas"
HOSTILE = [
    "<failure/>]]><!--",
    '"><testcase name="x"/>',
    "&amp;&#0;",
    "a\x00b\x0b\x1b[31m",
    "two\nlines\r\n",
    "\ufffe\uffff",
    "\u202egpj",
    "x" * 10_000,
    "",
    "犬",
]


ANT = """
<grammar xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <start><element name="testsuites"><zeroOrMore><ref name="suite"/></zeroOrMore></element></start>
  <define name="suite"><element name="testsuite">
    <attribute name="package"><data type="token"/></attribute>
    <attribute name="id"><data type="int"/></attribute>
    <attribute name="name"><data type="token"><param name="minLength">1</param></data></attribute>
    <attribute name="timestamp"><data type="dateTime">
      <param name="pattern">[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}</param>
    </data></attribute>
    <attribute name="hostname"><data type="token"><param name="minLength">1</param></data></attribute>
    <attribute name="tests"><data type="int"/></attribute>
    <attribute name="failures"><data type="int"/></attribute>
    <attribute name="errors"><data type="int"/></attribute>
    <optional><attribute name="skipped"><data type="int"/></attribute></optional>
    <attribute name="time"><data type="decimal"/></attribute>
    <element name="properties"><zeroOrMore><element name="property">
      <attribute name="name"><data type="token"><param name="minLength">1</param></data></attribute>
      <attribute name="value"/>
    </element></zeroOrMore></element>
    <zeroOrMore><element name="testcase">
      <attribute name="name"/><attribute name="classname"/>
      <attribute name="time"><data type="decimal"/></attribute>
      <optional><choice><ref name="skipped"/><ref name="ended"/></choice></optional>
    </element></zeroOrMore>
    <element name="system-out"><text/></element>
    <element name="system-err"><text/></element>
  </element></define>
  <define name="skipped"><element name="skipped">
    <optional><attribute name="message"/></optional><text/>
  </element></define>
  <define name="ended"><element><choice><name>error</name><name>failure</name></choice>
    <optional><attribute name="message"/></optional><attribute name="type"/><text/>
  </element></define>
</grammar>
"""
"""What readers of Ant's reports ask for: which elements and attributes, in which order, of which types."""


@pytest.fixture(scope="module")
def schemas():
    return {"ant": etree.RelaxNG(etree.fromstring(ANT)), "jenkins": etree.XMLSchema(file=SCHEMAS / "junit-10.xsd")}


def parsed(card: Scorecard) -> etree._Element:
    return etree.fromstring(junit.render(card).encode())


def fate(card: Scorecard, name: str) -> etree._Element | None:
    case = next(case for case in parsed(card).iter("testcase") if case.get("name") == name)
    return case[0] if len(case) else None


def with_verdict(card: Scorecard, **changed) -> Scorecard:
    verdict = Verdict.model_validate({**dict(card.verdict), **changed})
    return card.model_copy(update={"verdict": verdict})


@pytest.fixture(params=["sample_card", "ruled", "hostile", "no rules"])
def any_card(request, sample_card, ruled, hostile):
    nothing = with_verdict(sample_card, rules=(), reasons=("nothing to pass",), outcome="inconclusive")
    return {"sample_card": sample_card, "ruled": ruled, "hostile": hostile, "no rules": nothing}[request.param]


@pytest.fixture(scope="module")
def hostile(ruled, result_of):
    results = [
        result_of(name or "empty", params={name: name}, reason=name, rationale=name, **kind)
        for name in HOSTILE
        for kind in ({}, {"outcome": "inconclusive"}, {"severity": "warn"})
    ]
    card = with_verdict(ruled, rules=tuple(results), reasons=tuple(HOSTILE))
    subject = card.subject.model_copy(update={"name": "".join(HOSTILE)})
    environment = card.environment.model_copy(update={"started_at": HOSTILE[3]})
    return card.model_copy(update={"subject": subject, "environment": environment})


class TestSchemas:
    @pytest.mark.parametrize("missing", ["hostname", "system-out", "classname"])
    def test_what_readers_ask_for_is_asked_for(self, schemas, sample_card, missing):
        root = parsed(sample_card)
        for found in [*root.iter(missing)]:
            found.getparent().remove(found)
        for found in root.xpath(f"//*[@{missing}]"):
            del found.attrib[missing]
        assert not schemas["ant"].validate(root)

    @pytest.mark.parametrize("name", ["ant", "jenkins"])
    def test_every_scorecard_is_valid(self, schemas, any_card, name):
        schemas[name].assertValid(parsed(any_card))

    @pytest.mark.parametrize("name", ["ant", "jenkins"])
    def test_the_schemas_would_notice_a_defect(self, schemas, ruled, name):
        document = copy.deepcopy(parsed(ruled))
        etree.SubElement(document[0], "verdict")
        assert not schemas[name].validate(document)

    def test_counts_are_those_of_the_elements(self, any_card):
        for suite in parsed(any_card):
            assert int(suite.get("tests")) == len(suite.findall("testcase"))
            for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(suite.get(count)) == len(suite.findall(f"testcase/{tag}"))


class TestOutcomes:
    def test_every_result_is_a_case_of_its_axis_with_a_name_of_its_own(self, any_card):
        cases = [case for case in parsed(any_card).iter("testcase") if case.get("classname") != "e360.verdict"]
        assert len(cases) == len(any_card.verdict.rules)
        assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
        assert {case.get("classname") for case in cases} == {
            f"e360.{rule.measurement.split('.')[0]}" for rule in any_card.verdict.rules
        }

    def test_several_results_of_a_rule_are_told_apart_by_their_params(self, ruled):
        names = [case.get("name") for case in parsed(ruled).iter("testcase")]
        assert "per-class {class=owl}" in names
        assert "accuracy-floor" in names

    def test_names_that_look_alike_are_numbered(self, result_of):
        results = [result_of("a\x00"), result_of("a\x01"), result_of("a\N{REPLACEMENT CHARACTER} (2)")]
        names = junit.case_names(results)
        assert len(set(names)) == 3

    def test_a_rule_that_holds_has_nothing_inside(self, ruled):
        assert fate(ruled, "accuracy-floor") is None

    def test_a_blocking_failure_is_a_failure_with_its_reason(self, ruled):
        found = fate(ruled, "per-class {class=owl}")
        assert (found.tag, found.get("message")) == ("failure", "breaks the limit")
        assert "the reason for per-class" in found.text

    def test_an_expired_waiver_leaves_it_a_failure_and_is_named(self, ruled):
        found = fate(ruled, "waived-once")
        assert found.tag == "failure"
        assert "the waiver by Jane Doe expired on 2026-01-31" in found.text

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("waived-floor", "fails: breaks the limit of 90 %; waived until 2027-03-31 by Jane Doe: new data"),
            ("no-drop", "could not be decided: reaches across"),
            ("private", "could not be decided: "),
            ("warned", "fails, but only warns: breaks the wish"),
            ("told", "fails, but only informs: is below"),
        ],
    )
    def test_what_neither_holds_nor_stops_the_release_is_skipped_and_says_why(self, ruled, name, said):
        found = fate(ruled, name)
        assert found.tag == "skipped"
        assert found.get("message").startswith(said)

    def test_a_sentence_with_a_full_stop_is_not_followed_by_another_mark(self, ruled, result_of):
        waiver = next(rule.waiver for rule in ruled.verdict.rules if rule.waiver)
        waiver = waiver.model_copy(update={"reason": "Agreed with line 3."})
        rule = result_of("r", reason="it is in doubt: The labels leak.", waiver=waiver)
        said = fate(with_verdict(ruled, rules=(rule,)), "r").get("message")
        assert said.endswith("The labels leak; waived until 2027-03-31 by Jane Doe: Agreed with line 3.")
        assert not re.search(r"[.;,]{2}", said)

    def test_the_message_of_a_verdict_with_many_reasons_is_short_and_counts_the_rest(self, ruled):
        reasons = tuple(f"rule r{n}: {'word ' * 40}" for n in range(100))
        suite = parsed(with_verdict(ruled, reasons=reasons))[-1]
        (failure,) = suite.iter("failure")
        said = failure.get("message")
        assert len(said) < 1200
        shown = len(re.findall(r"rule r\d+", said))
        assert said.endswith(f"; ... and {100 - shown} more")
        assert failure.text.count("rule r") == 100

    @pytest.mark.parametrize(("outcome", "tag"), [("pass", None), ("fail", "failure"), ("inconclusive", "error")])
    def test_the_verdict_is_a_case_that_is_green_only_for_a_pass(self, ruled, outcome, tag):
        card = with_verdict(ruled, outcome=outcome, reasons=("one", "two"))
        suite = parsed(card)[-1]
        assert suite.get("name") == "e360.verdict"
        found = fate(card, "verdict")
        assert (found.tag if found is not None else None) == tag
        assert tag is None or "two" in found.text

    def test_a_verdict_says_what_it_was_compared_with(self, ruled):
        assert "accepted by Ada Lovelace on 2026-02-03: first release" in parsed(ruled)[-1].findtext("system-out")

    def test_a_critical_caveat_and_a_missing_axis_stand_beside_the_verdict(self, ruled):
        axis = ruled.axes[0]
        critical = axis.caveats[0].model_copy(update={"severity": "critical", "text": "not what it seems"})
        gone = axis.model_copy(
            update={"id": "speed", "status": "failed", "reason": "no timer", "measurements": (), "caveats": ()}
        )
        card = ruled.model_copy(update={"axes": (axis.model_copy(update={"caveats": (critical,)}), gone)})
        said = parsed(card)[-1].findtext("system-out")
        assert "cost: not what it seems" in said
        assert "speed failed: no timer" in said


class TestBytes:
    def test_the_same_scorecard_gives_the_same_bytes(self, ruled):
        assert junit.render(ruled) == junit.render(Scorecard.model_validate_json(ruled.model_dump_json()))

    def test_the_time_is_the_audits_own_in_utc(self, ruled):
        environment = ruled.environment.model_copy(update={"started_at": "2026-03-14T01:30:00.5+09:00"})
        card = ruled.model_copy(update={"environment": environment})
        assert {suite.get("timestamp") for suite in parsed(card)} == {"2026-03-13T16:30:00"}

    def test_a_suite_took_what_its_axis_took(self, ruled):
        assert {suite.get("name"): suite.get("time") for suite in parsed(ruled)}["e360.speed"] == "60.000"

    def test_no_name_makes_an_element(self, ruled, hostile):
        tags = {element.tag for element in parsed(hostile).iter()}
        assert tags <= {element.tag for element in parsed(ruled).iter()} | {"failure", "skipped", "error"}

    def test_a_name_without_an_end_is_cut(self, ruled, result_of):
        long = result_of("x" * 100_000, reason="y" * 100_000, rationale="z" * 100_000)
        assert isinstance(long, RuleResult)
        assert len(junit.render(with_verdict(ruled, rules=(long,)))) < 20_000
