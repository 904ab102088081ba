"""What the worker says is held against what was asked for, and against the answers to the clean images."""

from __future__ import annotations

import numpy as np
import pytest

from efficiency360.axes import make_axis
from efficiency360.dataset import Labels
from efficiency360.errors import AxisError

LOGITS = 4 * np.eye(2, dtype=np.float32)[np.arange(6) % 2] - 1
LABELS = Labels(np.arange(6) % 2, ("a", "b"), tuple("abcdef"))
SETTINGS = {"attacks": ["apgd-ce"], "eps": [0.1, 0.2], "corruptions": []}
SPOILED = {
    "left_out": np.array([], np.str_),
    "left_out_why": np.array([], np.str_),
    "corruption": np.array(["fog", "fog", "snow", "snow"]),
    "severity": np.array([1, 5, 1, 5]),
    "corruption_table": np.array(["cifar"]),
    "spoiled": np.arange(6),
    "spoiled_predicted": np.stack([np.arange(6) % 2, np.zeros(6, int), np.arange(6) % 2, np.ones(6, int)], axis=1),
}
CORRUPTIONS = {"attacks": [], "corruptions": ["fog", "snow"], "severities": [1, 5]}


def attacked(**changed):
    tallies = ("gradient_evaluations", "zero_gradients", "broken_gradients", "tries", "idle")
    fields = {
        "accuracy.logits": LOGITS,
        "accuracy.readable": np.ones(6, bool),
        "without_gradients": np.array([False]),
        "attacked": np.arange(6),
        "attacked_right": np.ones(6, bool),
        "attacked_fell_at": np.array([-1, -1, 0, 0, 1, 1]),
        "attacked_broken_by": np.zeros(6, int),
        "attacked_distance": np.array([np.inf, np.inf, 0.1, 0.1, 0.2, 0.2], np.float32),
        "attacked_black_box_only": np.zeros(6, bool),
        "eps": np.array([0.1, 0.2]),
        "attack": np.array(["apgd-ce (100 steps)"]),
        "note": np.array([], np.str_),
        **{f"tally_{name}": np.array([0]) for name in tallies},
        "tally_detached": np.array([False]),
        "tally_unmoved": np.array([False]),
        "tally_refused": np.array([""]),
        "tally_attack": np.array(["apgd-ce (100 steps)"]),
        "asked": np.arange(6),
        **{f"asked_{name}": LOGITS for name in ("first", "again", "graded", "after")},
    }
    return {**fields, **changed}


def measure(**changed):
    return make_axis("robustness", SETTINGS).measure(attacked(**changed), LABELS)


def spoiled(settings=CORRUPTIONS, **changed):
    names = ("accuracy.logits", "accuracy.readable", "without_gradients")
    evidence = {**{name: attacked()[name] for name in names}, **SPOILED, **changed}
    return make_axis("robustness", settings).measure(evidence, LABELS)


def caveats(findings):
    return {caveat.id: caveat for caveat in findings.caveats}


def test_what_fell_at_a_radius_has_fallen_at_every_larger_one():
    found = {one.params["eps"]: one.value for one in measure().measurements if "eps" in one.params}
    assert found == {0.1: pytest.approx(4 / 6), 0.2: pytest.approx(2 / 6)}


@pytest.mark.parametrize(
    "changed",
    [
        {"attacked": np.array([0, 0, 1, 2, 3, 4])},
        {"attacked": np.arange(6) + 1},
        {"attacked_right": np.zeros(6, bool)},
        {"attacked_fell_at": np.full(6, 2)},
        {"attacked_fell_at": np.zeros(5, int)},
        {"accuracy.logits": LOGITS[:, ::-1]},
        {"eps": np.array([0.001, 0.002])},
        {"eps": np.array([0.1])},
        {"attack": np.array(["apgd-ce (1 step)"])},
        {"without_gradients": np.array([True])},
        {"asked_again": LOGITS[:3]},
        {"asked": np.arange(6) + 3},
        {"asked": np.array([], int)},
        SPOILED,
    ],
)
def test_what_contradicts_the_settings_the_clean_answers_or_itself_is_refused(changed):
    with pytest.raises(AxisError):
        measure(**changed)


def test_only_some_of_the_images_are_refused():
    rows = {name: value[:4] for name, value in attacked().items() if name.startswith("attacked")}
    with pytest.raises(AxisError, match="not those of the data"):
        measure(**rows)


@pytest.mark.parametrize(
    "changed",
    [
        {"spoiled": np.array([0, 0, 1, 2, 3, 4])},
        {"spoiled": np.arange(6) + 1},
        {"spoiled_predicted": np.zeros((6, 3), int)},
        {"corruption": np.array(["fog", "fog", "fog", "fog"])},
        {"severity": np.array([1, 1, 1, 1])},
        {"corruption_table": np.array(["easy"])},
        {"left_out": np.array(["snow"]), "left_out_why": np.array(["grey"])},
        {"left_out": np.array(["snow"]), "left_out_why": np.array(["small"])},
    ],
)
def test_corruptions_other_than_those_asked_for_are_refused(changed):
    with pytest.raises(AxisError):
        spoiled(**changed)


def test_corrupted_images_are_counted():
    found = spoiled()
    values = {tuple(one.params.values()): one.value for one in found.measurements if one.params}
    assert values == {("fog", 1): 1, ("fog", 5): 0.5, ("snow", 1): 1, ("snow", 5): 0.5}
    assert found.measurements[-1].value == pytest.approx(0.75)


def test_an_attack_that_never_moved_an_image_is_none():
    assert caveats(measure(tally_unmoved=np.array([True])))["robustness.no_attack"].severity == "critical"


def test_black_box_stronger_than_white_box_is_masking():
    found = caveats(measure(attacked_black_box_only=np.ones(6, bool)))
    assert "without gradients broke 6 of 6" in found["robustness.masked_gradients"].text


def test_an_unbounded_attack_that_leaves_images_right_is_masking():
    found = caveats(measure(far_survived=np.array([True, False])))
    assert "left 1 of 2 images right" in found["robustness.masked_gradients"].text


def test_tries_that_never_raise_the_loss_are_masking():
    found = caveats(measure(tally_tries=np.array([10]), tally_idle=np.array([9])))
    assert "90% of the tries" in found["robustness.masked_gradients"].text
    assert "robustness.masked_gradients" not in caveats(measure(tally_tries=np.array([10]), tally_idle=np.array([2])))


def test_one_stubborn_image_accuses_nobody():
    found = caveats(measure(tally_tries=np.array([1]), tally_idle=np.array([1])))
    assert "robustness.masked_gradients" not in found


def test_claims_that_did_not_pass_the_check_are_said():
    found = caveats(measure(tally_refused=np.array(["3 x outside the ball"])))
    assert "3 x outside the ball" in found["robustness.refused"].text


@pytest.mark.parametrize(
    ("name", "kind"), [("again", "random"), ("after", "stateful"), ("graded", "two_faced"), ("first", "random")]
)
def test_answers_that_differ_from_one_asking_to_the_next_are_named(name, kind):
    found = caveats(measure(**{f"asked_{name}": LOGITS + np.float32([0.5, 0])}))
    assert found[f"robustness.{kind}_answers"].severity == "critical"


def test_answers_that_are_no_numbers_are_others():
    answers = LOGITS.copy()
    answers[0] = np.nan
    assert "1 of 6 images" in caveats(measure(asked_after=answers))["robustness.stateful_answers"].text


def test_rounding_is_no_other_answer():
    near = LOGITS + np.float32(1e-6)
    assert set(caveats(measure(asked_again=near, asked_after=near, asked_graded=near + 1e-3))) == {
        "robustness.upper_bound"
    }


def flat(fell_at, eps):
    n = len(fell_at)
    logits = np.eye(2, dtype=np.float32)[np.arange(n) % 2]
    rows = {
        "attacked": np.arange(n),
        "attacked_right": np.ones(n, bool),
        "attacked_fell_at": np.array(fell_at),
        "attacked_broken_by": np.zeros(n, int),
        "attacked_distance": np.full(n, np.inf, np.float32),
        "attacked_black_box_only": np.zeros(n, bool),
        "accuracy.logits": logits,
        "accuracy.readable": np.ones(n, bool),
        "eps": np.array(eps),
        "asked": np.arange(n),
        **{f"asked_{name}": logits for name in ("first", "again", "graded", "after")},
    }
    labels = Labels(np.arange(n) % 2, ("a", "b"), tuple(map(str, range(n))))
    found = make_axis("robustness", {**SETTINGS, "eps": eps}).measure(attacked(**rows), labels)
    return caveats(found).get("robustness.masked_gradients")


def test_accuracy_that_stops_falling_is_masking():
    assert "all of the 20 images left at eps 1/255" in flat([0] * 20 + [-1] * 20, [1 / 255, 8 / 255]).text


@pytest.mark.parametrize(
    ("fell_at", "eps"),
    [
        ([0] * 20 + [-1] * 20, [1 / 255, 2 / 255]),
        ([0] * 20 + [1] + [-1] * 19, [1 / 255, 8 / 255]),
        ([-1] * 40, [1 / 255, 8 / 255]),
        ([0] * 35 + [-1] * 5, [1 / 255, 8 / 255]),
    ],
    ids=["little more room", "one more fell", "none ever fell", "few are left"],
)
def test_accuracy_that_may_stay_where_it_is_is_not(fell_at, eps):
    assert flat(fell_at, eps) is None
