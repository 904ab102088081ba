"""The explanation of a rule: what it says, what was found, how the two compare at both ends, and what to do."""

from __future__ import annotations

import re
import unicodedata

import pytest

from efficiency360.errors import InputError
from efficiency360.records import Comparison, Interval, RuleResult, Scorecard, Verdict
from efficiency360.render.explain import explain
from efficiency360.spec import AuditSpec, parse_audit

HOSTILE = "[x]\x1b[31m\n\u202e" + "w" * 300


def spec_of(card: Scorecard, **fields) -> AuditSpec:
    """The audit file that the rules of a scorecard may have come from."""
    rules = {}
    for rule in card.verdict.rules:
        margin = rule.bound == "no_worse_than_baseline"
        bound = {rule.bound: True, "margin": rule.limit} if margin else {rule.bound: rule.limit}
        about = {"id": rule.rule, "measurement": rule.measurement, "severity": rule.severity}
        rules[rule.rule] = {**about, **bound, "rationale": rule.rationale}
    audit = {"title": "Gate", "axes": {"accuracy": {}}, "rules": list(rules.values()), **fields}
    return parse_audit(audit, "audits/gate.toml")


def told(card: Scorecard | Verdict, rule: str, spec: AuditSpec) -> str:
    """The explanation on one line."""
    return " ".join(explain(card, spec, rule).split())


def with_rules(card: Scorecard, *rules: RuleResult) -> Scorecard:
    verdict = card.verdict.model_copy(update={"rules": rules})
    return card.model_copy(update={"verdict": verdict})


@pytest.fixture(scope="module")
def spec(ruled):
    return spec_of(ruled)


def test_a_limit_is_compared_with_both_ends_of_the_interval(ruled, spec):
    said = told(ruled, "accuracy-floor", spec)
    assert said.startswith(
        "Rule accuracy-floor: PASS What it says Top-1 accuracy (accuracy.top1) must be at least 60.0 %"
    )
    assert "Why the reason for accuracy-floor" in said
    assert "It is 66.7 % on 120 images." in said
    assert "The 95 % interval is 57.8 to 74.5 %, by Wilson's score interval of a proportion (Wilson 1927)" in said
    assert "Its pessimistic end, 57.8 %, breaks 'at least 60.0 %'; its optimistic end, 74.5 %, keeps it." in said
    assert "What to do next Nothing: the rule holds. The release as a whole: FAIL, 2 blocking rules fail" in said


@pytest.mark.parametrize(
    ("limit", "ends"),
    [
        (0.7, "Its pessimistic end, 74.5 %, breaks 'at most 70.0 %'; its optimistic end, 57.8 %, keeps it."),
        (0.8, "Its pessimistic end, 74.5 %, keeps 'at most 80.0 %'; its optimistic end, 57.8 %, also keeps it."),
        (0.5, "Its pessimistic end, 74.5 %, breaks 'at most 50.0 %'; its optimistic end, 57.8 %, also breaks it."),
    ],
)
def test_the_pessimistic_end_of_a_ceiling_is_the_upper_one(ruled, result_of, limit, ends):
    card = with_rules(ruled, result_of("ceiling", bound="at_most", limit=limit))
    assert ends in told(card, "ceiling", spec_of(card))


def test_a_comparison_tells_drop_method_margin_and_images_needed(ruled, spec):
    said = told(ruled, "no-drop", spec)
    assert "must be at most 1 point worse than the baseline" in said
    assert "It is 1.2 points worse than the baseline's 67.9 % (0.3 to 2.1 points worse)." in said
    assert "Tango's score interval of a difference on the same images (Tango 1998)" in said
    assert "Its pessimistic end, 2.1 points worse, breaks 'at most 1 point worse than the baseline'" in said
    assert "its optimistic end, 0.3 points worse, keeps it." in said
    assert "About 2,400 images in all would decide it" in said
    assert said.count("About 2,400 images") == 1
    assert "Audit the model on 2,400 images or more. Until then the rule is undecided" in said


def test_images_needed_are_not_told_twice_where_the_reason_tells_them(ruled, result_of):
    rule = result_of("r", outcome="inconclusive", limit=0.7, needed=2400, reason="about 2,400 images would decide it")
    card = with_rules(ruled, rule)
    assert told(card, "r", spec_of(card)).count("bout 2,400 images") == 1


def test_a_failure_that_holms_correction_undid_is_explained(ruled, result_of):
    drop = Interval(low=0.012, high=0.05, level=0.95, method="tango")
    worse = Comparison(baseline=0.7, worse_by=0.03, interval=drop, relative=False)
    margin = {"bound": "no_worse_than_baseline", "limit": 0.01, "comparison": worse}
    for outcome, expected in (("inconclusive", True), ("fail", False)):
        card = with_rules(ruled, result_of("many", outcome=outcome, **margin))
        assert ("Holm's correction (Holm 1979)" in told(card, "many", spec_of(card))) is expected


def test_a_waiver_that_holds_and_one_that_expired_are_told_apart(ruled, spec):
    holds, expired = told(ruled, "waived-floor", spec), told(ruled, "waived-once", spec)
    assert holds.startswith("Rule waived-floor: FAIL, WAIVED")
    assert "Waiver Waived until 2027-03-31 by Jane Doe: new data come in March." in holds
    assert "The rule stops nothing until 2027-03-31; after that day it does again." in holds
    assert expired.startswith("Rule waived-once: FAIL What")
    assert "The waiver by Jane Doe expired on 2026-01-31" in expired
    assert "stops nothing" not in expired


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("private", "Measure it: audit the model with the axis privacy."),
        ("no-slower", "More images, or more and longer runs, narrow the interval"),
        ("per-class", "add to audits/gate.toml: [[waivers]] with rule, owner, reason and expires"),
        ("warned", "Mend the model; or, if the limit asks too much, change it in audits/gate.toml and say why."),
    ],
)
def test_the_next_step_is_named(ruled, spec, rule, hint):
    assert hint in told(ruled, rule, spec)


def test_what_only_warns_asks_for_no_waiver(ruled, spec):
    assert "It only warns." in told(ruled, "warned", spec)
    assert "[[waivers]]" not in told(ruled, "warned", spec)


def test_a_rule_that_could_not_be_compared_says_what_to_compare_with(ruled, result_of):
    rule = result_of("r", outcome="inconclusive", bound="no_worse_than_baseline", limit=0.01, reason="other data")
    card = with_rules(ruled, rule)
    said = told(card, "r", spec_of(card))
    assert "Other data. So the outcome is inconclusive." in said
    assert "Compare with an audit of the same data, settings and kind of machine: --baseline DIR." in said
    assert "pessimistic" not in said


def test_a_number_that_was_not_sampled_is_compared_as_it_is(ruled, result_of):
    card = with_rules(ruled, result_of("size", measurement="cost.params", measured=5e6, interval=None, limit=6e6))
    assert "It was not sampled, so no interval has to be allowed for: 'at least 6 M' is broken." in told(
        card, "size", spec_of(card)
    )


def test_of_many_results_the_worst_are_told_in_full_and_each_other_on_a_line(ruled, result_of):
    kinds = ["pass"] * 5 + ["inconclusive"] * 2 + ["fail"] * 2
    rules = [
        result_of("many", params={"class": f"c{index}"}, outcome=kind, limit=0.7) for index, kind in enumerate(kinds)
    ]
    card = with_rules(ruled, *rules)
    said = told(card, "many", spec_of(card))
    assert said.startswith("Rule many: FAIL")
    assert "Each of 9 results of Top-1 accuracy" in said
    assert re.findall(r"found for class=(c\d)", said) == ["c7", "c8", "c5"]
    assert "And 6 more: 1 undecided, 5 pass." in said
    assert "c6: inconclusive, 66.7 % (57.8 to 74.5 %)." in said
    for index in range(5):
        assert f"class=c{index}: pass, 66.7 %" in said


def test_it_ends_with_what_becomes_of_the_release(ruled, spec):
    said = told(ruled, "no-drop", spec)
    assert said.endswith("The release as a whole: FAIL, 2 blocking rules fail, 3 are undecided, 1 is waived, 1 holds.")


def test_a_missing_axis_is_part_of_the_whole(ruled, result_of):
    verdict = Verdict(
        outcome="inconclusive",
        reasons=("the required axis speed failed: no timer",),
        rules=(result_of("r", outcome="pass", limit=0.5),),
    )
    card = ruled.model_copy(update={"verdict": verdict})
    assert told(card, "r", spec_of(card)).endswith(
        "INCONCLUSIVE, 1 blocking rule holds; the required axis speed failed: no timer."
    )


def test_without_a_baseline_it_says_how_to_make_one(ruled, result_of):
    rule = result_of(
        "r", outcome="inconclusive", bound="no_worse_than_baseline", limit=0.01, measured=None, reason="no baseline"
    )
    card = with_rules(ruled, rule)
    card = card.model_copy(update={"verdict": card.verdict.model_copy(update={"baseline": None})})
    said = told(card, "r", spec_of(card))
    assert "e360 baseline accept SCORECARD --why REASON" in said
    assert "Compare with an audit" not in said


def test_a_number_in_doubt_says_so_and_nothing_twice(ruled, result_of):
    reason = "accuracy.top1 is 66.7 % and keeps the limit, at least 50.0 %, but is in doubt: the labels leak"
    card = with_rules(ruled, result_of("r", outcome="inconclusive", limit=0.5, reason=reason))
    said = told(card, "r", spec_of(card))
    assert "It is in doubt: the labels leak. So the outcome is inconclusive." in said
    assert said.count("66.7 %") == 1


def test_an_audit_file_that_lets_undecided_rules_pass_is_taken_at_its_word(ruled):
    assert "not a pass" not in told(ruled, "no-drop", spec_of(ruled, inconclusive="pass"))


def test_a_verdict_alone_is_explained_without_units(ruled, spec):
    assert "It is 0.667." in told(ruled.verdict, "accuracy-floor", spec)


def test_an_unknown_rule_is_refused_with_the_nearest(ruled, spec):
    with pytest.raises(InputError, match=r"the audit 'Gate' has no rule 'no-dorp'; did you mean 'no-drop'\?"):
        explain(ruled, spec, "no-dorp")


def test_a_rule_that_the_verdict_lacks_is_refused(ruled, spec):
    with pytest.raises(InputError, match="rule 'no-drop' is not in the verdict; judge again"):
        explain(with_rules(ruled), spec, "no-drop")


def test_no_line_is_longer_than_80_columns_and_no_name_is_obeyed(ruled, result_of):
    rule = result_of(HOSTILE, reason=HOSTILE * 20, rationale=HOSTILE, params={"class": HOSTILE})
    interval = Interval(low=0.1, high=0.9, level=0.9, method=HOSTILE)
    card = with_rules(ruled, rule.model_copy(update={"interval": interval}))
    said = explain(card, spec_of(card), HOSTILE)
    assert max(map(len, said.splitlines())) <= 80
    assert {char for char in said if unicodedata.category(char) in {"Cc", "Cf"}} == {"\n"}
    with pytest.raises(InputError) as complaint:
        explain(card, spec_of(card), HOSTILE * 10)
    assert "\n" not in str(complaint.value)
    assert "\x1b" not in str(complaint.value)
