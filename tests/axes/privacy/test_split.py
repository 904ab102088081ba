"""Who trains and who tests: by column, folders or lot; groups stay together, and a split that parts them is refused."""

from __future__ import annotations

import numpy as np
import pytest

from efficiency360.axes.privacy.split import split
from efficiency360.dataset import Labels
from efficiency360.errors import AxisError

N = 200


def labels(n=N, classes=None, files=None, **groups):
    files = files or tuple(f"images/{index:04}.png" for index in range(n))
    classes = np.arange(n) % 4 == 0 if classes is None else classes
    return Labels(np.asarray(classes).astype(np.int64), ("a", "b"), files, {k: tuple(v) for k, v in groups.items()})


def parted(given, share=0.3, seed=0, together=None):
    return split(given, share, seed, together)


class TestDrawn:
    def test_every_image_is_on_one_side_and_each_class_keeps_its_share(self):
        found = parted(labels())
        assert sorted([*found.train, *found.test]) == list(range(N))
        tests = labels().classes[found.test]
        assert [int((tests == one).sum()) for one in (0, 1)] == [45, 15]

    def test_the_order_of_the_images_does_not_matter(self):
        given = labels()
        order = np.random.default_rng(0).permutation(N)
        other = labels(classes=given.classes[order], files=tuple(given.files[i] for i in order))
        assert {other.files[i] for i in parted(other).test} == {given.files[i] for i in parted(given).test}

    def test_another_seed_draws_others(self):
        assert set(parted(labels()).test) != set(parted(labels(), seed=1).test)

    @pytest.mark.parametrize("column", ["patient_id", "Patient", "lesion_id"])
    def test_groups_stay_together(self, column):
        values = [f"p{index // 7}" for index in range(N)]
        found = parted(labels(**{column: values}))
        assert not {values[i] for i in found.train} & {values[i] for i in found.test}
        assert 0.15 * N < len(found.test) < 0.45 * N
        assert found.together == (column,)
        assert found.largest == 7

    def test_groups_that_overlap_stay_together_all_of_them(self):
        patients = [f"p{index // 4}" for index in range(N)]
        lesions = [f"l{index // 12} {(index % 12 + 2) // 4}" for index in range(N)]
        assert parted(labels(patient=patients, lesion=lesions)).largest == 12
        found = parted(labels(patient=patients, lesion=lesions))
        for values in (patients, lesions):
            assert not {values[i] for i in found.train} & {values[i] for i in found.test}

    def test_images_without_a_group_belong_to_nobody(self):
        assert parted(labels(patient_id=["", " "] * (N // 2))).largest == 1

    def test_other_columns_keep_nothing_together_unless_asked_to(self):
        colours = [f"c{index // 5}" for index in range(N)]
        assert parted(labels(colour=colours)).largest == 1
        assert parted(labels(colour=colours), together=["colour"]).largest == 5


class TestGiven:
    def test_a_column_is_heeded_and_validation_left_out(self):
        column = ["Train", "TEST", "val", "train "] * (N // 4)
        found = parted(labels(split=column))
        assert list(found.part[:4]) == [1, 2, 0, 1]
        assert found.how == "column 'split'"

    def test_folders_are_heeded(self):
        files = tuple(f"{'test' if index % 3 == 0 else 'train'}/{index}.png" for index in range(N))
        found = parted(labels(files=files))
        assert list(found.part[:3]) == [2, 1, 1]
        assert found.how == "folders"

    def test_a_split_that_parts_a_group_is_refused_by_name(self):
        column = ["train"] * 150 + ["test"] * 50
        patients = [f"p{index // 2}" for index in range(N)]
        patients[150] = "p0"
        with pytest.raises(AxisError, match=r"the split leaks: 1 of 100 values of 'patient_id'.*\('p0'\); move each"):
            parted(labels(split=column, patient_id=patients))


class TestBadInput:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (lambda: labels(split=["train", "tset"] * (N // 2)), "its split is 'tset'; say train, test, or val"),
            (lambda: labels(40), "too few images: 28 to train and 12 to test; at least 50 and 20"),
            (lambda: labels(split=["train"] * N), "too few images: 200 to train and 0 to test"),
            (lambda: labels(classes=np.zeros(N)), r"all 140 images to train on are of one class \('a'\)"),
            (lambda: labels(split=["test" if i % 4 == 0 else "train" for i in range(N)]), "are of one class"),
        ],
        ids=["a word", "few", "no test", "one class", "one class to train on"],
    )
    def test_it_is_one_line(self, given, said):
        with pytest.raises(AxisError, match=said):
            parted(given())

    def test_a_column_that_is_not_there(self):
        with pytest.raises(AxisError, match=r"no column 'paitent' \(privacy.keep_together\); it has site"):
            parted(labels(site=["x"] * N), together=["paitent"])

    def test_all_of_one_person_cannot_be_parted(self):
        with pytest.raises(AxisError, match="too few images: 200 to train and 0 to test"):
            parted(labels(patient_id=["p"] * N))
