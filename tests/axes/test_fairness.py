"""The fairness axis: its figures are fairlearn's on the judged groups; planted harm is found, chance is not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from sklearn.metrics import accuracy_score
from statsmodels.stats.multitest import multipletests

from efficiency360.axes import make_axis
from efficiency360.axes.fairness import Fairness
from efficiency360.dataset import Labels
from efficiency360.errors import AxisError, InputError
from efficiency360.judge.rules import apply_rule
from efficiency360.records import AxisRecord
from efficiency360.spec import RuleSpec

NAMES = ("female", "male")
HOSTILE = "<script>alert(1)</script>"


def answers(predicted, k=2, sure=3.0):
    """Logits that predict these classes."""
    logits = np.zeros((len(predicted), k), np.float32)
    logits[np.arange(len(predicted)), predicted] = sure
    return logits


def measure(logits, classes, by, more=(), names=NAMES, **settings):
    """Findings of an axis that saw these logits; every column is a group unless `groups` is among the settings."""
    n = len(logits)
    evidence = {"accuracy.logits": logits, "accuracy.readable": np.ones(n, bool)} | dict(more)
    columns = {name: tuple(map(str, column)) for name, column in by.items()}
    labels = Labels(np.asarray(classes), names, tuple(map(str, range(n))), columns)
    return make_axis("fairness", {"groups": list(columns), "resamples": 200, **settings}).measure(evidence, labels)


def people(seed=0, n=1500, k=2):
    """Classes, predictions that are wrong more often in some groups, and two columns."""
    rng = np.random.default_rng(seed)
    race, age = rng.choice(list("ABCD"), n, p=[0.5, 0.3, 0.15, 0.05]), rng.choice(["young", "old"], n)
    classes = rng.integers(0, k, n)
    wrong = rng.random(n) < 0.08 + 0.12 * (race == "C") + 0.1 * (age == "old")
    predicted = np.where(wrong, (classes + rng.integers(1, k, n)) % k, classes)
    return classes, predicted, {"race": race, "age": age}


def number(findings, name, **params):
    found = [m for m in findings.measurements if m.name == f"fairness.{name}" and m.params == params]
    assert len(found) == 1, (name, params)
    return found[0]


def rows(findings, name):
    series = next((s for s in findings.series if s.name == f"fairness.{name}"), None)
    return [dict(zip(series.columns, cells, strict=True)) for cells in zip(*series.columns.values(), strict=True)]


def texts(findings, caveat_id):
    return [caveat.text for caveat in findings.caveats if caveat.id == f"fairness.{caveat_id}"]


@pytest.mark.parametrize("attribute", ["race", "age", "race x age"])
def test_every_figure_is_fairlearns(attribute):
    classes, predicted, groups = people()
    findings = measure(answers(predicted), classes, groups, positive="male")
    by = groups["race"] if attribute == "race" else groups["age"]
    if attribute == "race x age":
        by = np.array([f"{a} x {b}" for a, b in zip(groups["race"], groups["age"], strict=True)])
    given = {"y_true": classes, "y_pred": predicted, "sensitive_features": by}
    frame = fairlearn.MetricFrame(metrics=accuracy_score, **given)
    expected = {
        "accuracy_gap": frame.difference(),
        "worst_group_accuracy": frame.group_min(),
        "demographic_parity_difference": fairlearn.demographic_parity_difference(**given),
        "demographic_parity_ratio": fairlearn.demographic_parity_ratio(**given),
        "equalized_odds_difference": fairlearn.equalized_odds_difference(**given),
        "equal_opportunity_difference": fairlearn.equal_opportunity_difference(**given),
    }
    for name, value in expected.items():
        found = number(findings, name, attribute=attribute)
        assert found.value == pytest.approx(value), name
        assert found.interval.low <= value <= found.interval.high
        assert found.n
    for group, value in frame.by_group.items():
        assert number(findings, "group_accuracy", attribute=attribute, group=group).value == pytest.approx(value)


def test_rates_of_groups_are_fairlearns():
    classes, predicted, groups = people()
    found = rows(measure(answers(predicted), classes, {"race": groups["race"]}), "rates")
    ways = {
        "selection rate": fairlearn.selection_rate,
        "true positive rate": fairlearn.true_positive_rate,
        "false positive rate": fairlearn.false_positive_rate,
    }
    for name, way in ways.items():
        frame = fairlearn.MetricFrame(metrics=way, y_true=classes, y_pred=predicted, sensitive_features=groups["race"])
        mine = {row["group"]: row for row in found if row["rate"] == name}
        assert {group: row["value"] for group, row in mine.items()} == pytest.approx(dict(frame.by_group), abs=5e-5)
        assert all(row["low"] <= row["value"] <= row["high"] and row["class"] == "male" for row in mine.values())


def test_many_classes_are_compared_one_against_the_rest_and_the_worst_is_named():
    classes, predicted, groups = people(n=3000, k=4)
    findings = measure(answers(predicted, 4), classes, {"race": groups["race"]}, names=("a", "b", "c", "d"))
    for name, way in (
        ("demographic_parity_difference", fairlearn.demographic_parity_difference),
        ("equalized_odds_difference", fairlearn.equalized_odds_difference),
        ("equal_opportunity_difference", fairlearn.equal_opportunity_difference),
    ):
        each = [way(classes == label, predicted == label, sensitive_features=groups["race"]) for label in range(4)]
        found = number(findings, name, attribute="race")
        assert found.value == pytest.approx(max(each))
        assert f"class {'abcd'[int(np.argmax(each))]}" in found.note
    ratios = [
        fairlearn.demographic_parity_ratio(classes == label, predicted == label, sensitive_features=groups["race"])
        for label in range(4)
    ]
    assert number(findings, "demographic_parity_ratio", attribute="race").value == pytest.approx(min(ratios))


def test_the_positive_class_decides_whose_rates_are_compared():
    classes, predicted, groups = people()
    findings = measure(answers(predicted), classes, {"race": groups["race"]}, positive="female")
    given = {"y_true": classes == 0, "y_pred": predicted == 0, "sensitive_features": groups["race"]}
    for name in ("demographic_parity_ratio", "equal_opportunity_difference", "equalized_odds_difference"):
        expected = getattr(fairlearn, name)(**given)
        assert number(findings, name, attribute="race").value == pytest.approx(expected)


def test_calibration_differs_where_one_group_is_right_less_often_than_the_model_says():
    classes, predicted, groups = people(n=4000)
    findings = measure(answers(predicted), classes, groups)
    confidence = 1 / (1 + np.exp(-3.0))
    right = predicted == classes
    means = [confidence - right[groups["race"] == group].mean() for group in "ABCD"]
    found = number(findings, "calibration_difference", attribute="race")
    assert found.value == pytest.approx(np.ptp(means), abs=1e-6)
    assert "most for C" in found.note


def test_the_reason_of_a_rule_names_the_worst_group_with_its_interval():
    classes, predicted, groups = people()
    findings = measure(answers(predicted), classes, {"race": groups["race"]})
    record = AxisRecord(id="fairness", version=1, status="measured", measurements=findings.measurements)
    rule = RuleSpec(id="gap", measurement="fairness.accuracy_gap", at_most=0.01, rationale="for the test")
    result = apply_rule(rule, [record])[0]
    assert result.outcome == "fail"
    assert "worst C with 76." in result.reason
    assert "images)" in result.reason


def test_groups_that_were_shuffled_are_rarely_told_apart():
    rng = np.random.default_rng(0)
    by_p = by_interval = 0
    for _ in range(200):
        classes = rng.integers(0, 2, 600)
        predicted = np.where(rng.random(600) < 0.85, classes, 1 - classes)
        race = rng.permutation(np.repeat(list("ABCDEFGHIJ"), 60))
        found = measure(answers(predicted), classes, {"race": race}, depth=1, resamples=100)
        gap = next(row for row in rows(found, "gaps") if row["gap"] == "accuracy")
        by_p += gap["p_alone"] <= 0.05
        by_interval += number(found, "accuracy_gap", attribute="race").interval.low > 0
    assert by_p <= 16
    assert by_interval <= 16


def test_groups_that_differ_in_their_labels_only_do_not_differ_in_their_error_rates():
    """Equalized odds compare within a label; where base rates differ, parity does and error rates do not."""
    rng = np.random.default_rng(1)
    odds = parity = 0
    for _ in range(200):
        race = np.repeat(list("ABC"), 200)
        classes = (rng.random(600) < np.where(race == "A", 0.75, 0.35)).astype(int)
        predicted = np.where(rng.random(600) < 0.85, classes, 1 - classes)
        found = rows(measure(answers(predicted), classes, {"race": race}, depth=1, resamples=100), "gaps")
        by = {row["gap"]: row["p_alone"] for row in found}
        odds += by["equalized odds"] <= 0.05
        parity += by["demographic parity"] <= 0.05
    assert odds <= 16
    assert parity >= 190


def test_groups_that_differ_in_their_error_rates_are_told_apart_though_their_answers_are_alike_in_number():
    rng = np.random.default_rng(2)
    odds = parity = 0
    for _ in range(40):
        race, classes = np.repeat(list("ABC"), 200), rng.integers(0, 2, 600)
        predicted = np.where(rng.random(600) < np.where(race == "C", 0.7, 0.9), classes, 1 - classes)
        found = rows(measure(answers(predicted), classes, {"race": race}, depth=1, resamples=200), "gaps")
        by = {row["gap"]: row["p_alone"] for row in found}
        odds += by["equalized odds"] <= 0.05
        parity += by["demographic parity"] <= 0.05
    assert odds >= 36
    assert parity <= 7


@pytest.mark.parametrize("seed", range(3))
def test_harm_to_one_intersection_is_found_and_named(seed):
    rng = np.random.default_rng(seed)
    columns = {"race": rng.choice(list("ABC"), 2000), "sex": rng.choice(list("FM"), 2000), "age": rng.choice(5, 2000)}
    race, age = rng.choice(list("ABC")), rng.integers(5)
    classes = rng.integers(0, 2, 2000)
    inside = (columns["race"] == race) & (columns["age"] == age)
    predicted = np.where(rng.random(2000) < np.where(inside, 0.5, 0.95), classes, 1 - classes)
    findings = measure(answers(predicted), classes, columns)
    assert rows(findings, "subgroups")[0]["subgroup"] == f"race={race}, age={age}"
    assert f"race={race}, age={age}" in texts(findings, "worst_subgroup")[0]
    assert number(findings, "worst_group_accuracy", attribute="race x age").note.startswith(f"of {race} x {age} with")


def test_a_group_of_three_is_shown_but_not_judged():
    classes, predicted, _ = people(n=503)
    exposure = np.array(["exp0"] * 3 + ["exp1"] * 250 + ["exp2"] * 250)
    predicted[:3] = 1 - classes[:3]
    findings = measure(answers(predicted), classes, {"exposure": exposure})
    assert number(findings, "worst_group_accuracy", attribute="exposure").value > 0.5
    assert not [m for m in findings.measurements if m.params.get("group") == "exp0"]
    assert [rows(findings, "groups")[0][key] for key in ("n", "judged", "accuracy")] == [3, False, 0]
    assert "exposure: shown, not judged, because they have fewer than 30 images: exp0 (3)." in texts(
        findings, "small_group"
    )


def test_what_is_said_of_a_gap_is_corrected_for_how_many_there_are():
    classes, predicted, groups = people(n=400)
    more = {name: np.random.default_rng(i).choice(list("ab"), 400) for i, name in enumerate("uvw")}
    findings = measure(answers(predicted), classes, {**groups, **more}, intersections=1)
    found = rows(findings, "gaps")
    assert [row["p_value"] for row in found] == pytest.approx(
        multipletests([row["p_alone"] for row in found], method="holm")[1], abs=1e-3
    )
    beyond = sum(row["p_value"] <= 0.05 for row in found)
    assert texts(findings, "within_chance")[0].startswith(f"{len(found) - beyond} of {len(found)} gaps")


def test_attributes_that_make_no_comparison_are_named_once():
    classes, predicted, groups = people(n=600)
    shelf = [f"shelf {n % 40}" for n in range(600)]
    (said,) = texts(findings := measure(answers(predicted), classes, {**groups, "shelf": shelf}), "not_compared")
    assert said.startswith("Not compared, because fewer than two groups have 30 images: shelf, race x shelf")
    assert not [text for text in texts(findings, "small_group") if "shelf" in text]


def test_a_class_that_goes_wrong_in_one_group_only_is_a_slice():
    rng = np.random.default_rng(0)
    classes, race = rng.integers(0, 3, 1500), rng.choice(list("AB"), 1500)
    predicted = np.where((classes == 2) & (race == "B") & (rng.random(1500) < 0.6), 1, classes)
    worst = rows(measure(answers(predicted, 3), classes, {"race": race}, names=("a", "b", "c")), "slices")[0]
    assert (worst["class"], worst["group"], worst["mostly_taken_for"], worst["elsewhere"]) == ("c", "B", "b", 1)


def test_thresholds_of_their_own_narrow_the_difference_on_images_that_did_not_choose_them():
    rng = np.random.default_rng(0)
    race = rng.choice(list("AB"), 4000)
    classes = (rng.random(4000) < np.where(race == "A", 0.7, 0.3)).astype(int)
    score = 2 * classes - 1 + rng.normal(size=4000)
    logits = np.stack([-score, score], axis=1).astype(np.float32)
    found = {row["thresholds"]: row for row in rows(measure(logits, classes, {"race": race}), "thresholds")}
    before, after = found["one threshold"], found["equal selection rates"]
    assert before["n"] == after["n"] == 2000
    assert before["demographic_parity_difference"] > 0.2
    assert after["demographic_parity_difference"] < 0.06
    assert after["accuracy"] < before["accuracy"]


def test_what_thresholds_of_their_own_would_buy_is_not_told_from_the_images_that_chose_them():
    """There it would be next to nothing: shares of 60 images that were made equal differ by a sixtieth at most."""
    rng = np.random.default_rng(2)
    left = []
    for _ in range(12):
        race, classes = np.repeat(list("AB"), 120), rng.integers(0, 2, 240)
        score = classes + rng.normal(size=240)
        logits = np.stack([-score, score], axis=1).astype(np.float32)
        found = rows(measure(logits, classes, {"race": race}), "thresholds")
        left.append(found[1]["demographic_parity_difference"])
    assert np.mean(left) > 0.03


def test_attacks_and_corruptions_are_broken_down_by_group_where_they_ran():
    classes, predicted, groups = people(n=400)
    predicted = classes.copy()
    at = np.arange(200)
    fell = np.where(groups["age"][:200] == "old", 0, -1)
    spoiled = np.stack(
        [classes[:200], np.where(groups["age"][:200] == "old", 1 - classes[:200], classes[:200])], axis=1
    )
    more = {
        "robustness.attacked": at,
        "robustness.attacked_right": np.ones(200, bool),
        "robustness.attacked_fell_at": fell,
        "robustness.eps": np.array([0.01]),
        "robustness.spoiled": at,
        "robustness.spoiled_predicted": spoiled,
        "robustness.corruption": np.array(["fog", "snow"]),
        "robustness.severity": np.array([1, 1]),
    }
    findings = measure(answers(predicted), classes, {"age": groups["age"]}, more)
    frame = fairlearn.MetricFrame(
        metrics=accuracy_score, y_true=np.ones(200), y_pred=fell < 0, sensitive_features=groups["age"][:200]
    )
    assert number(findings, "adversarial_accuracy_gap", attribute="age", eps=0.01).value == frame.difference() == 1
    assert number(findings, "corruption_accuracy_gap", attribute="age").value == pytest.approx(0.5)
    assert {row["group"]: row["accuracy"] for row in rows(findings, "under_stress")} == {"old": 0.5, "young": 1}
    assert all(row["low"] <= row["accuracy"] <= row["high"] and row["judged"] for row in rows(findings, "under_stress"))
    for sample in findings.samples:
        same = [m for m in findings.measurements if m.name == sample.name and m.params == dict(sample.params)]
        assert sample.makes(same[0].value, same[0].n)
    assert not any(
        "_accuracy_gap" in m.name and "eps" in m.params
        for m in measure(answers(predicted), classes, {"age": groups["age"]}).measurements
    )


def test_too_many_classes_for_so_many_groups_are_not_compared_and_that_is_said():
    classes, predicted, _ = people(n=4000, k=120)
    shelf = [f"shelf {n % 20}" for n in range(4000)]
    logits, names = answers(predicted, 120), tuple(map(str, range(120)))
    settings = {"min_group": 20, "names": names, "depth": 1}
    findings = measure(logits, classes, {"shelf": shelf}, **settings)
    assert number(findings, "accuracy_gap", attribute="shelf").value > 0
    assert not [m for m in findings.measurements if "odds" in m.name or "parity" in m.name]
    assert "not compared by shelf: too many classes" in texts(findings, "too_many_rates")[0]
    one = measure(logits, classes, {"shelf": shelf}, positive="7", **settings)
    assert number(one, "demographic_parity_difference", attribute="shelf").value > 0


def test_a_group_of_which_few_were_attacked_is_shown_but_not_judged():
    classes, predicted, _ = people(n=400)
    age = np.where(np.arange(400) % 50 < 3, "few", np.where(np.arange(400) % 2, "old", "young"))
    at = np.arange(200)
    more = {
        "robustness.attacked": at,
        "robustness.attacked_right": (predicted == classes)[at],
        "robustness.attacked_fell_at": np.where(age[at] == "few", 0, -1),
        "robustness.eps": np.array([0.01]),
    }
    findings = measure(answers(predicted), classes, {"age": age}, more, min_group=15)
    found = {row["group"]: row for row in rows(findings, "under_stress")}
    assert [found["few"][key] for key in ("n", "judged", "accuracy")] == [12, False, 0]
    assert 0 == found["few"]["low"] < found["few"]["high"]
    assert number(findings, "group_accuracy", attribute="age", group="few").n == 24
    assert number(findings, "adversarial_accuracy_gap", attribute="age", eps=0.01).value < 0.5
    said = "Groups with fewer than 15 attacked images are shown, not judged: age 1 of 3."
    assert texts(findings, "small_under_stress") == [said]


def test_a_rate_that_only_one_group_has_is_no_gap_of_zero():
    classes, predicted, groups = people()
    classes[groups["race"] != "A"] = 0
    findings = measure(answers(predicted), classes, {"race": groups["race"]})
    assert not [m for m in findings.measurements if "odds" in m.name or "opportunity" in m.name]
    assert number(findings, "demographic_parity_difference", attribute="race").value > 0
    assert "No error rates were compared by race" in texts(findings, "no_odds")[0]


def test_samples_make_the_numbers_they_are_of():
    classes, predicted, groups = people()
    findings = measure(answers(predicted), classes, groups)
    named = {(m.name, json.dumps(m.params, sort_keys=True)): m for m in findings.measurements}
    for sample in findings.samples:
        found = named[sample.name, json.dumps(dict(sample.params), sort_keys=True)]
        assert sample.makes(found.value, found.n), found.label
    of = {sample.name.partition(".")[2] for sample in findings.samples}
    assert of == {
        "group_accuracy", "accuracy_gap", "worst_group_accuracy", "calibration_difference",
        "demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference",
    }  # fmt: skip


def test_of_many_classes_rates_have_no_samples_for_the_worst_class_is_chosen_by_chance_too():
    classes, predicted, groups = people(n=3000, k=4)
    findings = measure(answers(predicted, 4), classes, {"race": groups["race"]}, names=("a", "b", "c", "d"))
    assert not [sample for sample in findings.samples if "parity" in sample.name or "odds" in sample.name]
    assert [sample for sample in findings.samples if sample.name == "fairness.worst_group_accuracy"]


def test_missing_values_are_a_group_of_their_own_and_counted():
    classes, predicted, groups = people()
    race = [*["", "nan", "None", " "] * 25, *groups["race"][100:]]
    findings = measure(answers(predicted), classes, {"race": race})
    assert number(findings, "group_accuracy", attribute="race", group="missing").n == 100
    assert texts(findings, "missing") == ["race: 100 of 1500 images have no value; they are a group of their own."]


def test_without_groups_properties_of_the_images_stand_in_and_are_never_called_people():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 800)
    properties = np.full((800, 6), np.nan, np.float32)
    properties[:, 0] = rng.random(800)
    predicted = np.where((properties[:, 0] < 0.25) & (rng.random(800) < 0.5), 1 - classes, classes)
    findings = measure(answers(predicted), classes, {"age": ["x", "y"] * 400}, {"properties": properties}, groups=[])
    assert {m.params["attribute"] for m in findings.measurements} == {"image brightness"}
    assert number(findings, "worst_group_accuracy", attribute="image brightness").note.startswith("of below 0.2")
    assert "They say nothing about people. Columns of the data: age." in texts(findings, "no_groups")[0]
    assert not [m for m in findings.measurements if "parity" in m.name or "odds" in m.name]


def test_a_group_without_a_positive_has_no_rate_and_is_not_counted_as_zero():
    classes, predicted, groups = people()
    classes[groups["race"] == "B"] = 0
    predicted[groups["race"] == "B"] = 0
    findings = measure(answers(predicted), classes, {"race": groups["race"]})
    kept = groups["race"] != "B"
    given = {"y_true": classes[kept], "y_pred": predicted[kept], "sensitive_features": groups["race"][kept]}
    found = number(findings, "equal_opportunity_difference", attribute="race")
    assert found.value == pytest.approx(fairlearn.equal_opportunity_difference(**given))
    assert texts(findings, "no_rate")


def test_unreadable_images_are_left_out():
    classes, predicted, groups = people()
    logits = answers(predicted)
    logits[:200], readable = np.nan, np.arange(1500) >= 200
    found = measure(logits, classes, {"race": groups["race"]}, {"accuracy.readable": readable})
    frame = fairlearn.MetricFrame(
        metrics=accuracy_score, y_true=classes[200:], y_pred=predicted[200:], sensitive_features=groups["race"][200:]
    )
    assert number(found, "accuracy_gap", attribute="race").value == pytest.approx(frame.difference())


def test_markup_in_a_group_stays_text_and_the_same_evidence_gives_the_same_findings():
    classes, predicted, groups = people()
    race = np.where(groups["race"] == "A", HOSTILE, "B")
    first, second = (measure(answers(predicted), classes, {"race": race}) for _ in range(2))
    assert first.measurements == second.measurements
    assert number(first, "group_accuracy", attribute="race", group=HOSTILE).n == (race == HOSTILE).sum()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"groups": ["rase"]}, "no column 'rase' to group by; did you mean 'race'"),
        ({"positive": "mal"}, "the model has no class 'mal'; did you mean 'male'"),
        ({"min_group": 1400}, "no attribute has two groups of at least 1400 images"),
    ],
)
def test_what_cannot_be_compared_is_said(settings, said):
    classes, predicted, groups = people()
    with pytest.raises(AxisError, match=said):
        measure(answers(predicted), classes, groups, **settings)


@pytest.mark.parametrize(
    "more",
    [
        {"accuracy.logits": np.zeros((3, 2))},
        {"accuracy.logits": np.full((1500, 2), np.nan)},
        {"robustness.attacked": np.arange(4), "robustness.eps": np.array([0.1])},
    ],
)
def test_evidence_that_does_not_fit_is_refused(more):
    classes, predicted, groups = people()
    with pytest.raises(AxisError):
        measure(answers(predicted), classes, groups, more)


@pytest.mark.parametrize("settings", [{"min_group": 1}, {"edges": {"age": []}}, {"group": ["race"]}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(InputError, match="fairness"):
        make_axis("fairness", settings)


@pytest.mark.parametrize("positive", ["male", "1", 1, " male "])
def test_the_positive_class_is_a_name_or_an_index(positive):
    Fairness(positive=positive).check_labels(Labels(np.zeros(1, int), NAMES, ("0",)), 2)


@pytest.mark.parametrize("positive", ["mal", 2, "-1", ""])
def test_a_positive_class_that_the_model_lacks_is_a_mistake_of_the_user(positive):
    with pytest.raises(InputError, match="the model has no class"):
        Fairness(positive=positive).check_labels(Labels(np.zeros(1, int), NAMES, ("0",)), 2)


def test_groups_may_be_written_as_text():
    assert make_axis("fairness", {"groups": "race, age"}) == Fairness(groups=("race", "age"))
