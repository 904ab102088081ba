"""SARIF output: valid by its schema, each finding at its line, stable over runs, and safe from its names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from efficiency360.records import Scorecard, Verdict
from efficiency360.render import sarif
from efficiency360.render.lines import rule_lines
from efficiency360.spec import bundled_audits, read_toml

SCHEMA = Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json"
HOSTILE = ["{0}", "[click](https://evil.example)", "\x1b[31m\x00", "a\nb", "\u202e", "../../etc/passwd", "x" * 99_999]


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)


def run_of(card: Scorecard, lines: dict[str, int] | None = None) -> dict:
    return json.loads(sarif.render(card, lines))["runs"][0]


def results(card: Scorecard, lines: dict[str, int] | None = None) -> dict[str, dict]:
    return {result["ruleId"]: result for result in run_of(card, lines)["results"]}


def with_verdict(card: Scorecard, **changed) -> Scorecard:
    verdict = Verdict.model_validate({**dict(card.verdict), **changed})
    return card.model_copy(update={"verdict": verdict})


def at(card: Scorecard, file: str) -> Scorecard:
    return card.model_copy(update={"audit": card.audit.model_copy(update={"file": file})})


@pytest.fixture(scope="module")
def hostile(ruled, result_of):
    rules = tuple(result_of(name, params={name: name}, reason=name, rationale=name) for name in HOSTILE)
    card = at(with_verdict(ruled, rules=rules, reasons=tuple(HOSTILE)), "".join(HOSTILE[:-1]) + " %.toml")
    subject = card.subject.model_copy(update={"name": "".join(HOSTILE)})
    environment = card.environment.model_copy(update={"started_at": "yesterday"})
    return card.model_copy(update={"subject": subject, "command": HOSTILE[2], "environment": environment})


class TestSchema:
    @pytest.mark.parametrize("lines", [None, {"per-class": 7}])
    def test_every_scorecard_is_valid(self, validator, sample_card, ruled, hostile, lines):
        for card in (sample_card, ruled, hostile, at(ruled, ""), with_verdict(ruled, rules=())):
            validator.validate(json.loads(sarif.render(card, lines)))

    def test_the_schema_would_notice_a_defect(self, validator, ruled):
        log = json.loads(sarif.render(ruled))
        log["runs"][0]["results"][0]["kind"] = "undecided"
        assert not validator.is_valid(log)


class TestFindings:
    @pytest.mark.parametrize(
        ("rule", "kind", "level"),
        [
            ("per-class", "fail", "error"),
            ("warned", "fail", "warning"),
            ("told", "fail", "note"),
            ("no-drop", "open", "none"),
            ("private", "open", "none"),
        ],
    )
    def test_kind_and_level_are_by_outcome_and_severity(self, ruled, rule, kind, level):
        found = results(ruled)[rule]
        assert (found["kind"], found["level"]) == (kind, level)

    def test_what_holds_is_no_finding_but_its_rule_is_listed_with_its_reason(self, ruled):
        rules = run_of(ruled)["tool"]["driver"]["rules"]
        assert "accuracy-floor" not in results(ruled)
        assert rules[0]["id"] == "accuracy-floor"
        assert rules[0]["fullDescription"]["text"] == "the reason for accuracy-floor"
        assert [rule["id"] for rule in rules].count("per-class") == 1

    def test_each_finding_points_at_its_rule(self, ruled):
        rules = run_of(ruled)["tool"]["driver"]["rules"]
        for result in run_of(ruled)["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]

    def test_a_waiver_that_holds_suppresses_with_its_words_and_an_expired_one_does_not(self, ruled):
        found = results(ruled)
        (suppression,) = found["waived-floor"]["suppressions"]
        assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
        assert suppression["justification"] == "waived until 2027-03-31 by Jane Doe: new data come in March"
        assert found["waived-once"]["suppressions"] == []
        assert "expired on 2026-01-31" in found["waived-once"]["message"]["text"]

    def test_the_notification_of_many_reasons_is_short_and_counts_the_rest(self, ruled):
        reasons = tuple(f"rule r{n}: {'word ' * 40}" for n in range(100))
        run = run_of(with_verdict(ruled, reasons=reasons))
        said = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
        assert len(said) < 1200
        assert re.search(r"; \.\.\. and 9\d more$", said)

    def test_the_message_is_the_reason(self, ruled):
        assert results(ruled)["no-drop"]["message"]["text"] == "reaches across"

    def test_the_measurement_is_the_logical_place(self, ruled):
        (place,) = results(ruled)["per-class"]["locations"][0]["logicalLocations"]
        assert place["fullyQualifiedName"] == "accuracy.per_class{class=owl}"

    @pytest.mark.parametrize(
        ("file", "uri"),
        [
            ("release", "audits/release.toml"),
            ("audits/my gate.toml", "audits/my%20gate.toml"),
            ("audits\\gate.toml", "audits/gate.toml"),
            ("/home/me/gate.toml", "file:///home/me/gate.toml"),
        ],
    )
    def test_the_audit_file_is_named_as_a_uri_with_the_line(self, ruled, file, uri):
        place = results(at(ruled, file), {"per-class": 12})["per-class"]["locations"][0]["physicalLocation"]
        assert place == {"artifactLocation": {"uri": uri}, "region": {"startLine": 12}}

    def test_without_lines_there_is_no_region(self, ruled):
        assert "region" not in results(ruled)["per-class"]["locations"][0]["physicalLocation"]

    def test_a_finding_keeps_its_fingerprint_when_the_numbers_change(self, ruled):
        changed = [rule.model_copy(update={"measured": 0.5, "reason": "other"}) for rule in ruled.verdict.rules]
        prints = [[result["partialFingerprints"] for result in run_of(card)["results"]] for card in (
            ruled, with_verdict(ruled, rules=tuple(changed))
        )]  # fmt: skip
        assert prints[0] == prints[1]
        assert len({one["e360/v1"] for one in prints[0]}) == len(prints[0])


class TestInvocation:
    def successful(self, card: Scorecard) -> bool:
        (invocation,) = run_of(card)["invocations"]
        return invocation["executionSuccessful"]

    def test_a_run_that_measured_all_is_successful_even_if_the_model_fails(self, ruled, sample_card):
        measured = tuple(rule for rule in ruled.verdict.rules if rule.measured is not None)
        assert self.successful(with_verdict(ruled, rules=measured))
        assert self.successful(sample_card)

    def test_a_rule_without_a_number_makes_it_unsuccessful(self, ruled):
        assert not self.successful(ruled)

    def test_so_does_a_verdict_that_no_finding_explains(self, sample_card):
        assert not self.successful(with_verdict(sample_card, outcome="inconclusive", reasons=("no blocking rule",)))

    def test_the_verdict_and_a_failed_axis_are_told_as_notices(self, ruled):
        axis = ruled.axes[0].model_copy(update={"status": "failed", "reason": "it broke", "measurements": ()})
        card = ruled.model_copy(update={"axes": (axis,)})
        (invocation,) = run_of(card)["invocations"]
        said = [notice["message"]["text"] for notice in invocation["toolExecutionNotifications"]]
        assert said[0].startswith("fail: rule per-class")
        assert "cost failed: it broke" in said


class TestText:
    def test_no_message_holds_a_placeholder_a_link_or_a_control_character(self, hostile):
        def texts(value):
            if isinstance(value, dict):
                yield from ([value["text"]] if isinstance(value.get("text"), str) else [])
                value = list(value.values())
            for item in value if isinstance(value, list) else []:
                yield from texts(item)

        found = list(texts(run_of(hostile)))
        assert "(0)" in found
        assert not any(set("{}[]\n\x1b\x00\u202e") & set(said) for said in found)
        assert len(sarif.render(hostile)) < 100_000

    def test_the_same_scorecard_gives_the_same_bytes(self, ruled):
        assert sarif.render(ruled) == sarif.render(Scorecard.model_validate_json(ruled.model_dump_json()))


class TestLines:
    @pytest.mark.parametrize("path", sorted(bundled_audits().glob("*.toml")), ids=lambda path: path.stem)
    def test_every_rule_of_a_shipped_audit_is_found_where_it_is(self, path):
        content = path.read_text(encoding="utf-8")
        lines = rule_lines(content)
        assert list(lines) == [rule["id"] for rule in read_toml(path).get("rules", [])]
        for rule_id, line in lines.items():
            assert content.splitlines()[line - 1] == f'id = "{rule_id}"'

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ('rules = [\n  { id = "a" },\n  { measurement = "x", id = \'b\' },\n]', {"a": 2, "b": 3}),
            ('[[rules]]\nwhy = """\nid = "no"\n"""\n"id"="yes" # id = "no"', {"yes": 5}),
            ("[[rules]]\nwhy = '''\n[axes.x]\n'''\nid = 'yes'", {"yes": 5}),
            ('[[ rules ]]\nid = "quo\\"te \\u00e9"', {'quo"te é': 2}),
            ('[axes.a]\nid = "setting"\n[[rules]]\nid = "r"', {"r": 4}),
            ('[[rules]]\n# id = "no"\nvalid = "id = no"\nid = "r"\n[[rules]]\nid = "s"', {"r": 4, "s": 6}),
            ('[[rules]]\nid = "cut off', {}),
            ("", {}),
        ],
    )
    def test_ids_in_strings_comments_and_other_tables_are_not_taken_for_rules(self, content, expected):
        assert rule_lines(content) == expected
