"""Pass only what is proven to pass, fail only what is proven to fail, and never for measuring less."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficiency360.judge.verdict import apply_rule, decide
from efficiency360.records import Caveat

FLOOR = {"id": "floor", "measurement": "accuracy.top1", "at_least": 0.8}
CEILING = {"id": "ceiling", "measurement": "cost.macs", "at_most": 100.0}
TOP5 = {"id": "top5", "measurement": "accuracy.top5", "at_least": 0.9}
GOOD = ("accuracy.top1", 0.9, 0.85, 0.95)
UNSURE = ("accuracy.top1", 0.8, 0.75, 0.85)
BAD = ("accuracy.top1", 0.7, 0.65, 0.75)
ends = st.tuples(st.floats(-10, 10), st.floats(-10, 10)).map(sorted)


class TestOneRule:
    @pytest.mark.parametrize(
        ("low", "high", "outcome"),
        [
            (0.81, 0.9, "pass"),
            (0.8, 0.9, "pass"),
            (0.79, 0.9, "inconclusive"),
            (0.7, 0.8, "inconclusive"),
            (0.7, 0.79, "fail"),
            (0.8, 0.8, "pass"),
        ],
    )
    def test_a_floor_needs_the_low_end_above_it_and_fails_with_the_high_end_below(self, make, low, high, outcome):
        rules = make.spec(rules=[FLOOR]).rules
        (result,) = apply_rule(rules[0], [make.axis(make.number("accuracy.top1", (low + high) / 2, low, high))])
        assert result.outcome == outcome

    @pytest.mark.parametrize(
        ("low", "high", "outcome"),
        [
            (50, 99, "pass"),
            (50, 100, "pass"),
            (50, 101, "inconclusive"),
            (100, 110, "inconclusive"),
            (101, 110, "fail"),
        ],
    )
    def test_a_ceiling_needs_the_high_end_below_it_and_fails_with_the_low_end_above(self, make, low, high, outcome):
        rules = make.spec("cost", rules=[CEILING]).rules
        (result,) = apply_rule(rules[0], [make.axis(make.number("cost.macs", (low + high) / 2, low, high))])
        assert result.outcome == outcome

    @pytest.mark.parametrize(("value", "outcome"), [(0.8, "pass"), (0.81, "pass"), (0.79, "fail")])
    def test_a_number_without_an_interval_is_never_inconclusive(self, make, value, outcome):
        (result,) = apply_rule(make.spec(rules=[FLOOR]).rules[0], [make.axis(make.number("accuracy.top1", value))])
        assert result.outcome == outcome

    @settings(derandomize=True, deadline=None)
    @given(ends, st.floats(-10, 10))
    def test_a_narrower_interval_settles_but_never_reverses(self, make, both, limit):
        low, high = both
        value = low + (high - low) / 2
        for bound in ("at_least", "at_most"):
            rule = make.spec("x", rules=[{"id": "r", "measurement": "x.y", bound: limit}]).rules[0]
            (wide,) = apply_rule(rule, [make.axis(make.number("x.y", value, low, high))])
            (exact,) = apply_rule(rule, [make.axis(make.number("x.y", value))])
            assert exact.outcome in {"pass", "fail"}
            assert wide.outcome in {exact.outcome, "inconclusive"}

    @settings(derandomize=True, deadline=None)
    @given(ends, st.floats(-10, 10))
    def test_a_floor_on_a_number_is_a_ceiling_on_its_negative(self, make, both, limit):
        low, high = both
        floor = make.spec("x", rules=[{"id": "r", "measurement": "x.y", "at_least": limit}]).rules[0]
        ceiling = make.spec("x", rules=[{"id": "r", "measurement": "x.y", "at_most": -limit}]).rules[0]
        (one,) = apply_rule(floor, [make.axis(make.number("x.y", low, low, high))])
        (other,) = apply_rule(ceiling, [make.axis(make.number("x.y", -low, -high, -low))])
        assert one.outcome == other.outcome

    def test_without_params_it_holds_for_every_measurement_of_its_name(self, make):
        rule = make.spec(rules=[{**FLOOR, "measurement": "accuracy.per_class"}]).rules[0]
        cats, dogs = (
            make.number("accuracy.per_class", value, params={"class": k}) for k, value in [("a", 0.9), ("b", 0.1)]
        )
        results = apply_rule(rule, [make.axis(make.number("accuracy.top1", 0.1), cats, dogs)])
        assert [(result.params, result.outcome) for result in results] == [
            ({"class": "a"}, "pass"),
            ({"class": "b"}, "fail"),
        ]

    def test_with_params_it_holds_for_measurements_that_carry_at_least_these(self, make):
        rule = make.spec(
            "speed", rules=[{"id": "r", "measurement": "speed.ms", "at_most": 5, "params": {"batch": 1}}]
        ).rules[0]
        found = [
            make.number("speed.ms", 3, params={"batch": 1, "stat": "p50"}),
            make.number("speed.ms", 9, params={"batch": 8, "stat": "p50"}),
            make.number("speed.ms", 4, params={}),
        ]
        assert [result.measured for result in apply_rule(rule, [make.axis(*found)])] == [3]

    def test_it_reports_the_number_the_limit_and_the_reason(self, make):
        (result,) = apply_rule(
            make.spec(rules=[FLOOR]).rules[0], [make.axis(make.number("accuracy.top1", 0.7, 0.6, 0.75))]
        )
        assert (result.measured, result.limit, result.bound) == (0.7, 0.8, "at_least")
        assert result.interval.high == 0.75
        assert result.rationale == "why"
        assert "accuracy.top1 is 0.7" in result.reason
        assert "at least 0.8" in result.reason

    @pytest.mark.parametrize(
        ("records", "said"),
        [
            ([], "the axis accuracy is not part of this audit"),
            (["failed"], "the sensor is not there"),
            (["skipped"], "the sensor is not there"),
            (["measured"], "the axis accuracy holds no measurement accuracy.top1"),
        ],
    )
    def test_one_that_matches_nothing_is_inconclusive_and_says_why(self, make, records, said):
        axes = [
            make.axis(make.number("accuracy.top5", 1.0)) if status == "measured" else make.missing("accuracy", status)
            for status in records
        ]
        (result,) = apply_rule(make.spec(rules=[FLOOR]).rules[0], axes)
        assert (result.outcome, result.measured) == ("inconclusive", None)
        assert said in result.reason


class TestVerdict:
    def test_all_blocking_rules_proven_is_a_pass_that_counts_them(self, make):
        verdict = decide(make.spec(rules=[FLOOR]), [make.axis(make.number(*GOOD))])
        assert verdict.outcome == "pass"
        assert verdict.reasons == ("1 of 1 blocking checks passed",)

    def test_a_proven_failure_outranks_everything_that_is_undecided(self, make):
        verdict = decide(make.spec("accuracy cost", rules=[TOP5, FLOOR, CEILING]), [make.axis(make.number(*BAD))])
        assert verdict.outcome == "fail"
        assert verdict.reasons[0].startswith("rule floor: ")
        assert len(verdict.reasons) == 4

    def test_one_undecided_rule_outranks_any_number_of_passes(self, make):
        verdict = decide(
            make.spec(rules=[TOP5, FLOOR]), [make.axis(make.number(*UNSURE), make.number("accuracy.top5", 1.0))]
        )
        assert verdict.outcome == "inconclusive"
        assert [reason.split(":")[0] for reason in verdict.reasons] == ["rule floor"]

    def test_an_audit_file_can_let_wide_intervals_pass_and_the_verdict_says_so(self, make):
        verdict = decide(make.spec(rules=[FLOOR], inconclusive="pass"), [make.axis(make.number(*UNSURE))])
        assert verdict.outcome == "pass"
        assert verdict.reasons == ("0 of 1 blocking checks passed; 1 undecided, which this audit file lets pass",)

    def test_an_audit_file_cannot_let_failures_pass(self, make):
        assert decide(make.spec(rules=[FLOOR], inconclusive="pass"), [make.axis(make.number(*BAD))]).outcome == "fail"

    def test_an_audit_file_cannot_let_absence_pass(self, make):
        verdict = decide(make.spec(rules=[FLOOR, TOP5], inconclusive="pass"), [make.axis(make.number(*GOOD))])
        assert verdict.outcome == "inconclusive"
        assert "accuracy.top5" in verdict.reasons[0]

    @pytest.mark.parametrize("rules", [[], [{**FLOOR, "severity": "warn"}], [{**FLOOR, "severity": "info"}]])
    @pytest.mark.parametrize("inconclusive", ["block", "pass"])
    def test_without_a_blocking_rule_there_is_nothing_to_pass(self, make, rules, inconclusive):
        verdict = decide(make.spec(rules=rules, inconclusive=inconclusive), [make.axis(make.number(*GOOD))])
        assert verdict.outcome == "inconclusive"
        assert "no blocking rule" in verdict.reasons[0]

    @pytest.mark.parametrize("severity", ["warn", "info"])
    def test_a_rule_that_only_warns_is_reported_and_decides_nothing(self, make, severity):
        rules = [FLOOR, {**TOP5, "severity": severity}]
        verdict = decide(make.spec(rules=rules), [make.axis(make.number(*GOOD), make.number("accuracy.top5", 0.1))])
        assert verdict.outcome == "pass"
        assert [result.outcome for result in verdict.rules] == ["pass", "fail"]

    @pytest.mark.parametrize("status", ["skipped", "failed", None])
    @pytest.mark.parametrize("inconclusive", ["block", "pass"])
    def test_a_required_axis_that_is_not_measured_is_inconclusive(self, make, status, inconclusive):
        axes = [make.axis(make.number(*GOOD)), *([make.missing("cost", status)] if status else [])]
        verdict = decide(make.spec("accuracy cost", rules=[FLOOR], inconclusive=inconclusive), axes)
        assert verdict.outcome == "inconclusive"
        said = {"failed": "failed: ", "skipped": "was skipped: ", None: "is not in the scorecard"}[status]
        assert verdict.reasons[0].startswith(f"the required axis cost {said}")

    @pytest.mark.parametrize("status", ["skipped", "failed", None])
    def test_an_axis_that_is_not_required_may_be_missing(self, make, status):
        axes = [make.axis(make.number(*GOOD)), *([make.missing("cost", status)] if status else [])]
        assert decide(make.spec("accuracy cost?", rules=[FLOOR]), axes).outcome == "pass"

    def test_nothing_measured_is_never_a_pass(self, make):
        for rules in ([], [FLOOR]):
            for inconclusive in ("block", "pass"):
                assert (
                    decide(make.spec("accuracy?", rules=rules, inconclusive=inconclusive), []).outcome == "inconclusive"
                )

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.data())
    def test_measuring_less_never_makes_a_pass(self, make, data):
        of = st.sampled_from(["accuracy", "cost", "speed"])
        rules = [
            {"id": f"rule {i}", "measurement": f"{axis_id}.y", "at_least": limit}
            for i, (limit, axis_id) in enumerate(data.draw(st.lists(st.tuples(st.integers(-3, 3), of), max_size=4)))
        ]
        audit = make.spec(
            data.draw(st.sampled_from(["accuracy cost? speed?", "accuracy? cost? speed?"])),
            rules=rules,
            inconclusive=data.draw(st.sampled_from(["block", "pass"])),
        )
        measured = data.draw(st.dictionaries(of, st.tuples(st.integers(-3, 3), st.integers(0, 2))))
        axes = [make.axis(make.number(f"{key}.y", low, low, low + width)) for key, (low, width) in measured.items()]
        lost = data.draw(of)
        if decide(audit, [axis for axis in axes if axis.id != lost]).outcome == "pass":
            assert decide(audit, axes).outcome == "pass"


@pytest.mark.parametrize("allowed", ["block", "pass"])
def test_a_number_with_a_critical_caveat_never_passes_and_still_fails(make, allowed):
    spec = make.spec(rules=[FLOOR], inconclusive=allowed)
    doubt = Caveat(id="a", severity="critical", text="It answers by chance.")

    def verdict(number, *caveats):
        return decide(spec, [make.axis(make.number(*number)).model_copy(update={"caveats": caveats})])

    assert verdict(GOOD).outcome == "pass"
    assert verdict(GOOD, doubt.model_copy(update={"severity": "warning"})).outcome == "pass"
    assert verdict(GOOD, doubt).outcome == "inconclusive"
    assert "It answers by chance." in verdict(GOOD, doubt).reasons[0]
    assert verdict(BAD, doubt).outcome == "fail"
