"""Governance frameworks: what was measured covers an item, a broken rule fails it, every name in the file is real."""

from __future__ import annotations

import re
import tomllib

import pytest

from efficiency360.records import FRAMEWORK_AXES, AxisRecord, Caveat, Measurement
from efficiency360.render import html
from efficiency360.render.governance import governance


def states(card):
    return {item.id: item.state for framework in governance(card) for item in framework.items}


def record(axis, **values):
    numbers = tuple(Measurement(name=f"{axis}.{name}", value=v, unit="proportion") for name, v in values.items())
    return AxisRecord(id=axis, version=1, status="measured", measurements=numbers)


def test_what_was_not_measured_covers_nothing(sample_card):
    found = states(sample_card)
    assert found["MEASURE 2.11"] == found["3) Fairness"] == "open"
    assert found["Annex IV 2(g), accuracy"] == "covered"
    assert found["Annex IV 1(e)"] == "partly"


def test_a_broken_rule_fails_the_items_of_its_measurement(sample_card):
    rules = tuple(
        one.model_copy(update={"outcome": "fail"}) if one.measurement == "accuracy.top1" else one
        for one in sample_card.verdict.rules
    )
    verdict = sample_card.verdict.model_copy(update={"rules": rules})
    found = states(sample_card.model_copy(update={"verdict": verdict}))
    assert found["Annex IV 2(g), accuracy"] == found["MEASURE 2.3"] == "failed"
    assert found["Annex IV 1(e)"] == "partly"


def test_group_figures_cover_the_item_that_asks_for_groups(card_of):
    axes = record("fairness", group_accuracy=0.5), record("accuracy", top1=0.9)
    assert states(card_of(axes[1:]))["Annex IV 3"] == "partly"
    assert states(card_of(axes))["Annex IV 3"] == "covered"


def test_groups_by_properties_of_images_cover_nothing_about_people(card_of):
    stand_in = Caveat(id="fairness.no_groups", severity="info", text="Properties of the images stand in.")
    axis = record("fairness", group_accuracy=0.5, accuracy_gap=0.1).model_copy(update={"caveats": (stand_in,)})
    assert {states(card_of((axis,)))[item] for item in ("Annex IV 3", "3) Fairness")} == {"open"}


def test_figures_on_properties_of_images_are_not_called_unmeasured(card_of):
    stand_in = Caveat(id="fairness.no_groups", severity="info", text="Properties of the images stand in.")
    axis = record("fairness", accuracy_gap=0.1).model_copy(update={"caveats": (stand_in,)})
    items = {item.id: item for framework in governance(card_of((axis,))) for item in framework.items}
    assert items["3) Fairness"].ungrouped == ("fairness.accuracy_gap",)
    assert items["3) Fairness"].missing == ()
    assert governance(card_of(()))[0].items[6].ungrouped == ()
    page = html.render(card_of((axis,)))
    assert "no groups were given (--group), so not answered: Accuracy gap" in page
    assert "not measured: Accuracy gap" not in page
    assert "no statement of compliance" in page


def test_the_page_lists_every_item(sample_card):
    page = html.render(sample_card)
    for item in states(sample_card):
        assert item in page


def test_what_no_audit_can_answer_is_listed_and_never_covered(sample_card):
    for framework in governance(sample_card):
        for_people = [item for item in framework.items if not item.measured and not item.missing]
        assert len(for_people) == 1
        assert for_people[0].state == "open"


def test_items_are_numbered_as_their_frameworks_number_them(sample_card):
    """NIST AI 100-1 has MEASURE 1 to 4, 2.1 to 2.13; Annex IV nine points; the guidelines ten principles."""
    nist, act, japan = ([item.id for item in framework.items] for framework in governance(sample_card))
    parts = {int(part) for item in nist for part in re.findall(r"2\.(\d+)", item)}
    assert parts == set(range(1, 14))
    assert {int(part) for item in act for part in re.findall(r"Annex IV (\d)", item)} == {1, 2, 3}
    assert {part for item in act for part in re.findall(r"\((\w)\)", item)} <= set("abcdefgh5")
    assert {int(part) for item in japan for part in re.findall(r"(\d+)\)", item)} == set(range(1, 11))


def test_every_measurement_is_named_as_an_axis_of_the_framework_names_it(root):
    text = (root / "efficiency360/render/governance.toml").read_text()
    frameworks = tomllib.loads(text)["frameworks"]
    names = {name for one in frameworks for item in one["items"] for name in item["measurements"]}
    for name in names:
        assert re.fullmatch(rf"({'|'.join(FRAMEWORK_AXES)})\.[a-z0-9_]+", name)
    assert len(frameworks) == 3


@pytest.mark.parametrize("framework", range(3))
def test_no_item_stands_there_twice(sample_card, framework):
    ids = [item.id for item in governance(sample_card)[framework].items]
    assert len(set(ids)) == len(ids)
