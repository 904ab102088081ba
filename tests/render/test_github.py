"""GitHub's workflow commands: one a line, no more than are shown, and none that a name slips in."""

from __future__ import annotations

import re
import unicodedata

import pytest

from efficiency360.records import Scorecard, Verdict
from efficiency360.render import github

COMMAND = re.compile(r"::(error|warning|notice) (?:(?:file|line|title)=[^\n,:]*,?)+::[^\n\r]*")
HOSTILE = [
    "\n::error::injected",
    "\r\n::set-output name=x::y",
    "a::b,line=1",
    "%0A::stop-commands::x",
    "\u2028::warning::x",
    "x" * 99_999,
    "##[error]x",
]


def with_verdict(card: Scorecard, **changed) -> Scorecard:
    verdict = Verdict.model_validate({**dict(card.verdict), **changed})
    return card.model_copy(update={"verdict": verdict})


def commands(card: Scorecard, lines: dict[str, int] | None = None) -> list[str]:
    said = github.render(card, lines)
    assert said.endswith("\n")
    return said[:-1].split("\n")


def command_of(card: Scorecard, rule: str, lines: dict[str, int] | None = None) -> str:
    return next(line for line in commands(card, lines) if f"title={rule}%3A" in line)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("per-class", "error"),
        ("waived-once", "error"),
        ("no-drop", "warning"),
        ("warned", "warning"),
        ("waived-floor", "notice"),
        ("told", "notice"),
    ],
)
def test_the_kind_says_whether_it_stops_the_release(ruled, rule, kind):
    assert command_of(ruled, rule).startswith(f"::{kind} ")


@pytest.mark.parametrize(("outcome", "kind"), [("pass", "notice"), ("fail", "error"), ("inconclusive", "error")])
def test_the_verdict_comes_with_its_reasons(ruled, outcome, kind):
    card = with_verdict(ruled, outcome=outcome, reasons=("the required axis cost failed", "100 %"))
    line = next(line for line in commands(card) if "title=e360%3A" in line)
    assert line.startswith(f"::{kind} title=e360%3A {outcome}::")
    assert line.endswith("%0Athe required axis cost failed%0A100 %25")


def test_what_holds_is_not_annotated(ruled):
    assert "accuracy-floor" not in github.render(ruled)


def test_an_annotation_stands_at_the_line_of_its_rule(ruled):
    assert command_of(ruled, "per-class", {"per-class": 9}).startswith("::error file=audits/release.toml,line=9,title=")


def test_without_a_line_no_file_is_named(ruled):
    assert "file=" not in github.render(ruled)


def test_a_waiver_is_told_on_a_line_of_its_own(ruled):
    line = command_of(ruled, "waived-floor")
    assert line.endswith("90 %25%0Awaived until 2027-03-31 by Jane Doe: new data come in March")


@pytest.mark.parametrize("number", [9, 10, 30])
def test_of_a_kind_ten_are_said_and_the_last_says_how_many_more(ruled, result_of, number):
    rules = tuple(result_of(f"rule-{index}") for index in range(number))
    errors = [line for line in commands(with_verdict(ruled, rules=rules)) if line.startswith("::error ")]
    assert len(errors) == min(number + 1, 10)
    named = sum("title=rule-" in line for line in errors)
    if number + 1 > 10:
        assert f"::{number - named} more of this kind" in errors[-1]
    else:
        assert named == number


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_neither_begins_a_command_nor_adds_a_property(ruled, result_of, name):
    rules = (result_of(name, reason=name), result_of("r", outcome="inconclusive", reason=name))
    card = with_verdict(ruled, rules=rules, reasons=(name,))
    card = card.model_copy(
        update={
            "subject": card.subject.model_copy(update={"name": name}),
            "audit": card.audit.model_copy(update={"file": f"{name}.toml"}),
        }
    )
    found = commands(card, {name: 3})
    assert len(found) == 3
    for line in found:
        assert COMMAND.fullmatch(line), line[:200]
        assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Zl", "Zp"}
        assert len(line) < 10_000


def test_a_rule_with_many_results_has_one_annotation_for_the_worst_and_a_count(ruled, result_of):
    kinds = ["inconclusive"] * 9 + ["fail"]
    rules = tuple(
        result_of("many", params={"class": n}, outcome=kind, reason=f"class {n}") for n, kind in enumerate(kinds)
    )
    verdict, worst = commands(with_verdict(ruled, rules=rules, reasons=("x",)))
    assert "title=e360%3A" in verdict
    assert worst.startswith("::error title=many%3A fail::")
    assert worst.endswith("::1 of 10 fails; 9 undecided%0Aclass 9")


def test_the_same_scorecard_gives_the_same_text(ruled):
    assert github.render(ruled) == github.render(Scorecard.model_validate_json(ruled.model_dump_json()))
