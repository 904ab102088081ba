"""A waiver has an owner, a reason and an end; it forgives, it is always said, and it expires."""

from __future__ import annotations

from datetime import date

import pytest

from efficiency360.errors import InputError
from efficiency360.judge.verdict import decide

FLOOR = {"id": "floor", "measurement": "accuracy.top1", "at_least": 0.8}
COST = {"id": "cost", "measurement": "accuracy.top5", "at_least": 0.5}
WAIVER = {"rule": "floor", "owner": "Jane Doe", "reason": "fixed in 1.2", "expires": date(2027, 3, 31)}


def verdict(make, value, today, **more):
    spec = make.spec(rules=[FLOOR, COST], waivers=[WAIVER], **more)
    axis = make.axis(make.number("accuracy.top1", value), make.number("accuracy.top5", 0.9))
    return decide(spec, [axis], today=today)


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2027, 3, 31)])
def test_until_the_end_of_its_last_day_a_waived_failure_does_not_block_and_is_said(make, today):
    found = verdict(make, 0.7, today)
    assert found.outcome == "pass"
    assert found.rules[0].outcome == "fail"
    assert found.rules[0].waiver.active
    assert not found.rules[0].stands_in_the_way
    assert found.reasons[-1] == "waived: rule floor would fail, until 2027-03-31 by Jane Doe: fixed in 1.2"


def test_once_expired_it_blocks_again_and_says_why(make):
    found = verdict(make, 0.7, date(2027, 4, 1))
    assert found.outcome == "fail"
    assert found.rules[0].stands_in_the_way
    assert found.reasons[0].startswith("rule floor: ")
    assert found.reasons[-1] == "the waiver of rule floor by Jane Doe expired on 2027-03-31"


def test_without_a_day_no_waiver_holds(make):
    spec = make.spec(rules=[FLOOR], waivers=[WAIVER])
    assert decide(spec, [make.axis(make.number("accuracy.top1", 0.7))]).outcome == "fail"


def test_a_rule_that_passes_passes_with_a_waiver_too(make):
    found = verdict(make, 0.9, date(2026, 1, 1))
    assert found.outcome == "pass"
    assert found.reasons == ("2 of 2 blocking checks passed",)


def test_it_does_not_reach_a_required_axis_that_is_missing(make):
    spec = make.spec("accuracy cost", rules=[FLOOR], waivers=[WAIVER])
    found = decide(spec, [make.axis(make.number("accuracy.top1", 0.7))], today=date(2026, 1, 1))
    assert found.outcome == "inconclusive"
    assert "the required axis cost is not in the scorecard" in found.reasons


def test_another_rule_still_blocks(make):
    spec = make.spec(rules=[FLOOR, COST], waivers=[{**WAIVER, "rule": "cost"}])
    axis = make.axis(make.number("accuracy.top1", 0.7), make.number("accuracy.top5", 0.1))
    assert decide(spec, [axis], today=date(2026, 1, 1)).outcome == "fail"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule": "flor"}, "waivers.1.rule: there is no rule 'flor'; did you mean 'floor'?"),
        ({"owner": ""}, "waivers.1.owner"),
        ({"reason": ""}, "waivers.1.reason"),
        ({"expires": "soon"}, "waivers.1.expires"),
        ({"expires": 3}, "waivers.1.expires: must be a day such as 2027-03-31"),
        ({"expires": "1798761600"}, "waivers.1.expires: must be a day such as 2027-03-31"),
        ({"expires": "2027-03-31T00:00:00"}, "waivers.1.expires: must be a day such as 2027-03-31"),
        ({"until": "2027-01-01"}, "unknown key 'waivers.1.until'"),
    ],
)
def test_a_mistake_in_one_is_one_line(make, change, said):
    with pytest.raises(InputError) as caught:
        make.spec(rules=[FLOOR], waivers=[{**WAIVER, **change}])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["owner", "reason", "expires", "rule"])
def test_none_of_its_keys_can_be_left_out(make, key):
    with pytest.raises(InputError, match=rf"waivers\.1\.{key}: this key is missing"):
        make.spec(rules=[FLOOR], waivers=[{name: value for name, value in WAIVER.items() if name != key}])


def test_a_rule_is_waived_once(make):
    with pytest.raises(InputError, match="rule 'floor' is waived twice"):
        make.spec(rules=[FLOOR], waivers=[WAIVER, WAIVER])
