"""Accuracy against scikit-learn; what cannot be trusted is refused or said."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, top_k_accuracy_score

from efficiency360.axes import Labels, make_axis
from efficiency360.axes.accuracy import Accuracy
from efficiency360.errors import AxisError, InputError
from efficiency360.records import Caveat, Findings
from efficiency360.statistics.intervals import mean_recall, wilson


def labels(classes: np.ndarray, names: tuple[str, ...] = ()) -> Labels:
    return Labels(np.asarray(classes), names, tuple(f"image {row}.png" for row in range(len(classes))))


def measure(logits: np.ndarray, truth: np.ndarray | Labels, readable=None, **settings: float) -> Findings:
    truth = truth if isinstance(truth, Labels) else labels(truth)
    readable = np.ones(len(truth.classes), bool) if readable is None else np.asarray(readable)
    return Accuracy(**settings).measure({"logits": logits.astype(np.float32), "readable": readable}, truth)


def values(findings: Findings, name: str) -> list[float]:
    return [measurement.value for measurement in findings.measurements if measurement.name == f"accuracy.{name}"]


def caveats(findings: Findings) -> dict[str, str]:
    return {caveat.id: caveat.severity for caveat in findings.caveats}


def model(n: int, k: int, right: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and truth of a model that is right on about this share of n images of k balanced classes."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % k)
    logits = rng.normal(size=(n, k))
    chosen = rng.random(n) < right
    logits[chosen, truth[chosen]] += 20
    wrong = (truth + rng.integers(1, k, n)) % k
    logits[~chosen, wrong[~chosen]] += 20
    return logits, truth


class TestAgainstScikitLearn:
    @pytest.mark.parametrize(("n", "k", "seed"), [(400, 10, 0), (1000, 40, 1), (50, 7, 2), (30, 6, 3)])
    def test_top_1_top_5_and_balanced_accuracy(self, n, k, seed):
        rng = np.random.default_rng(seed)
        truth = rng.choice(k, n, p=rng.dirichlet(np.ones(k)))
        logits = rng.normal(size=(n, k)).astype(np.float32)
        logits[np.arange(n), truth] += 1
        findings = measure(logits, truth)
        predicted = logits.argmax(axis=1)
        everyone = np.arange(k)
        assert values(findings, "top1") == [pytest.approx(accuracy_score(truth, predicted))]
        assert values(findings, "top5") == [pytest.approx(top_k_accuracy_score(truth, logits, k=5, labels=everyone))]
        balanced = np.mean([np.mean(predicted[truth == c] == c) for c in np.unique(truth)])
        assert values(findings, "balanced") == [pytest.approx(balanced)]

    def test_balanced_accuracy_where_every_prediction_is_a_class_that_occurs(self):
        logits, truth = model(300, 4, 0.7)
        assert values(measure(logits, truth), "balanced") == [
            pytest.approx(balanced_accuracy_score(truth, logits.argmax(axis=1)))
        ]

    def test_each_class_on_its_own(self):
        logits, truth = model(300, 4, 0.7)
        findings = measure(logits, labels(truth, ("ant", "bee", "cat", "dog")))
        found = {m.params["class"]: m for m in findings.measurements if m.name == "accuracy.per_class"}
        assert list(found) == ["ant", "bee", "cat", "dog"]
        for index, name in enumerate(found):
            mine = truth == index
            assert found[name].value == pytest.approx(accuracy_score(truth[mine], logits[mine].argmax(axis=1)))
            assert found[name].n == mine.sum()


class TestIntervals:
    def test_are_wilsons_and_for_the_mean_over_classes_its_own(self):
        logits, truth = model(200, 8, 0.8)
        findings = measure(logits, truth)
        right = logits.argmax(axis=1) == truth
        by_name = {m.name: m for m in findings.measurements}
        assert by_name["accuracy.top1"].interval == wilson(int(right.sum()), 200)
        expected = mean_recall(np.bincount(truth[right], minlength=8), np.bincount(truth, minlength=8))
        assert by_name["accuracy.balanced"].interval == expected

    def test_hold_the_values_they_belong_to_and_say_how_many_images_there_were(self):
        findings = measure(*model(64, 8, 1.0))
        for measurement in findings.measurements:
            assert measurement.interval.low <= measurement.value <= measurement.interval.high
            assert measurement.n in {64, 8}
            assert (measurement.better, measurement.unit) == ("higher", "proportion")

    def test_of_a_perfect_model_reach_one_and_do_not_begin_there(self):
        for measurement in measure(*model(63, 7, 1.0)).measurements:
            assert (measurement.value, measurement.interval.high) == (1, 1)
            assert measurement.interval.low < 1


class TestWhatIsMeasured:
    @pytest.mark.parametrize(("k", "names"), [(2, ["top1"]), (5, ["top1"]), (6, ["top1", "top5"])])
    def test_top_5_needs_more_than_five_classes(self, k, names):
        findings = measure(*model(60, k, 0.8))
        assert [m.name for m in findings.measurements if "top" in m.name] == [f"accuracy.{name}" for name in names]

    def test_classes_without_images_have_no_accuracy_and_do_not_count_as_wrong(self):
        logits = np.eye(9)[[3, 3, 7]]
        findings = measure(logits, np.array([3, 3, 7]))
        assert values(findings, "balanced") == [1]
        assert [m.params for m in findings.measurements if m.name == "accuracy.per_class"] == [
            {"class": "3"},
            {"class": "7"},
        ]

    def test_the_errors_made_with_most_confidence_are_listed_by_image(self):
        logits = np.array([[9.0, 0], [0, 1], [0, 5], [3, 0], [0, 2]])
        (series,) = measure(logits, labels(np.array([0, 0, 0, 1, 1]), ("cat", "dog"))).series
        assert series.columns["image"] == ["image 2.png", "image 3.png", "image 1.png"]
        assert series.columns["label"] == ["cat", "dog", "cat"]
        assert series.columns["predicted"] == ["dog", "cat", "dog"]
        assert series.columns["confidence"] == [pytest.approx(1 / (1 + np.exp(-x)), abs=1e-4) for x in (5, 3, 1)]

    def test_logits_of_any_size_give_a_confidence(self):
        (series,) = measure(np.array([[1e30, 0.0], [-1e30, 0.0]]), np.array([1, 0])).series
        assert series.columns["confidence"] == [1, 1]


class TestTies:
    def test_the_lowest_index_counts_as_the_prediction(self):
        logits = np.zeros((3, 8))
        assert values(measure(logits, np.array([0, 0, 1])), "top1") == [pytest.approx(2 / 3)]
        assert values(measure(logits, np.array([4, 4, 5])), "top5") == [pytest.approx(2 / 3)]

    def test_a_constant_model_gets_no_better_than_its_one_class_and_is_called_out(self):
        findings = measure(np.zeros((100, 10)), np.arange(100) % 10)
        assert values(findings, "top1") == [0.1]
        assert caveats(findings)["accuracy.ties"] == "warning"
        assert "100.0% of images" in next(c.text for c in findings.caveats if c.id == "accuracy.ties")

    def test_without_ties_there_is_no_such_caveat(self):
        assert "accuracy.ties" not in caveats(measure(*model(100, 10, 0.9)))


class TestNearChance:
    @pytest.mark.parametrize("k", [2, 10, 100, 1000])
    @pytest.mark.parametrize("seed", range(5))
    def test_a_random_model_is_called_out(self, k, seed):
        rng = np.random.default_rng(seed)
        findings = measure(rng.normal(size=(500, k)), np.arange(500) % k)
        assert caveats(findings)["accuracy.near_chance"] == "critical"

    @pytest.mark.parametrize(("lucky", "said"), [(0, True), (2, True), (4, False), (75, False)])
    def test_among_a_thousand_classes_a_lucky_hit_or_two_are_still_chance(self, lucky, said):
        truth = np.arange(500)
        answers = np.where(truth < lucky, truth, truth + 500)
        assert ("accuracy.near_chance" in caveats(measure(np.eye(1000)[answers], truth))) is said

    @pytest.mark.parametrize("k", [2, 10, 100])
    def test_a_good_model_with_shuffled_labels_is_called_out(self, k):
        logits, truth = model(500, k, 0.95)
        shuffled = np.random.default_rng(1).permutation(truth)
        assert "accuracy.near_chance" in caveats(measure(logits, shuffled))

    def test_a_model_with_its_classes_in_another_order_is_called_out(self):
        logits, truth = model(500, 10, 0.95)
        assert "accuracy.near_chance" in caveats(measure(np.roll(logits, 1, axis=1), truth))

    def test_a_model_that_always_names_the_most_common_class_is_called_out(self):
        truth = np.array([3] * 90 + [0, 1, 2] * 3 + [0])
        findings = measure(np.eye(4)[np.full(100, 3)], truth)
        assert values(findings, "top1") == [0.9]
        assert "accuracy.near_chance" in caveats(findings)

    @pytest.mark.parametrize("k", [2, 10, 100, 1000])
    def test_a_good_model_is_not(self, k):
        assert "accuracy.near_chance" not in caveats(measure(*model(500, k, 0.9)))

    @pytest.mark.parametrize(("k", "right"), [(2, 0.7), (10, 0.4), (100, 0.12), (1000, 0.05), (1000, 0.15)])
    def test_a_mediocre_model_that_learned_something_is_not(self, k, right):
        for seed in range(3):
            assert "accuracy.near_chance" not in caveats(measure(*model(600, k, right, seed)))

    def test_a_model_that_learned_little_is_doubted_but_not_called_chance(self):
        assert caveats(measure(*model(600, 1000, 0.08)))["accuracy.low"] == "warning"
        assert "accuracy.low" not in caveats(measure(*model(600, 1000, 0.4)))

    def test_images_of_one_class_alone_are_held_against_guessing(self):
        truth = np.zeros(50, int)
        assert "accuracy.near_chance" not in caveats(measure(np.eye(10)[truth], truth))
        assert "accuracy.near_chance" not in caveats(measure(np.eye(10)[(np.arange(50) % 10 == 0).astype(int)], truth))
        assert "accuracy.near_chance" in caveats(measure(np.eye(10)[truth + 1], truth))

    @pytest.mark.parametrize(("n", "said"), [(29, True), (30, False)])
    def test_few_images_are_called_out_on_their_own(self, n, said):
        assert ("accuracy.few_images" in caveats(measure(*model(n, 2, 1.0)))) is said


class TestWhatCannotBeTrusted:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_logits_that_are_not_finite_name_the_first_image(self, bad):
        logits, truth = model(20, 3, 1.0)
        logits[7, 1] = logits[12, 0] = bad
        with pytest.raises(AxisError, match=r"NaN or infinity for 2 of 20 images \(first: image 7\.png\)"):
            measure(logits, truth)

    def test_the_first_image_is_named_by_its_place_among_all_images(self):
        logits, truth = model(20, 3, 1.0)
        logits[7, 1] = np.nan
        with pytest.raises(AxisError, match=r"for 1 of 18 images \(first: image 7\.png\)"):
            measure(logits, truth, readable=np.arange(20) > 1, max_unreadable=0.5)

    @pytest.mark.parametrize("shape", [(19, 3), (20,), (20, 3, 1), (0, 3)])
    def test_anything_but_one_row_an_image_is_refused(self, shape):
        with pytest.raises(AxisError, match="one row of logits an image is needed"):
            measure(np.zeros(shape), np.zeros(20, int))

    def test_readable_flags_must_be_one_an_image(self):
        with pytest.raises(AxisError, match="one row of logits an image"):
            measure(np.zeros((20, 3)), np.zeros(20, int), readable=np.ones(19, bool))

    def test_fewer_classes_than_labels_are_refused(self):
        with pytest.raises(AxisError, match="3 classes, fewer than when it was loaded"):
            measure(np.zeros((4, 3)), np.array([0, 1, 2, 3]))

    def test_without_labels_there_is_nothing_to_measure(self):
        with pytest.raises(AxisError, match="no labels"):
            Accuracy().measure({"logits": np.zeros((1, 2)), "readable": np.ones(1, bool)}, None)


class TestUnreadable:
    def test_a_few_are_left_out_and_named(self):
        logits, truth = model(200, 4, 1.0)
        logits[[3, 50]] = np.nan
        readable = ~np.isin(np.arange(200), [3, 50])
        findings = measure(logits, truth, readable)
        assert {m.n for m in findings.measurements if m.name != "accuracy.per_class"} == {198}
        assert values(findings, "top1") == [1]
        assert caveats(findings)["data.unreadable"] == "warning"
        assert "2 of 200 images could not be read (image 3.png, image 50.png)" in findings.caveats[0].text

    def test_errors_are_named_by_their_place_among_all_images(self):
        logits = np.array([[np.nan, 0], [9.0, 0], [0, 5]])
        (series,) = measure(logits, np.array([0, 0, 0]), [False, True, True], max_unreadable=0.5).series
        assert series.columns["image"] == ["image 2.png"]

    def test_more_than_allowed_fail_the_axis(self):
        logits, truth = model(200, 4, 1.0)
        with pytest.raises(AxisError, match=r"3 of 200 .* could not be read .*; at most 1\.0% may be"):
            measure(logits, truth, np.arange(200) > 2)
        assert measure(logits, truth, np.arange(200) > 2, max_unreadable=0.02)

    def test_all_of_them_fail_the_axis_whatever_is_allowed(self):
        with pytest.raises(AxisError, match="4 of 4 images could not be read"):
            measure(np.zeros((4, 2)), np.zeros(4, int), np.zeros(4, bool), max_unreadable=1)

    def test_caveats_of_the_labels_travel_with_the_numbers(self):
        logits, truth = model(100, 4, 1.0)
        order = Caveat(id="labels.order_assumed", severity="warning", text="Alphabetical.")
        given = Labels(truth, (), labels(truth).files, caveats=(order,))
        assert order in measure(logits, given).caveats


@pytest.mark.parametrize(
    "settings",
    [{"batch_size": 0}, {"max_unreadable": -0.1}, {"max_unreadable": 1.1}, {"max_unreadable": float("nan")}],
)
def test_impossible_settings_are_refused_with_their_name(settings):
    with pytest.raises(InputError, match=rf"setting 'accuracy\.{next(iter(settings))}': Input should be"):
        make_axis("accuracy", settings)
