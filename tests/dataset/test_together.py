"""Which images belong together."""

from __future__ import annotations

from efficiency360.dataset.together import joined, personal


def test_images_that_share_a_value_belong_together_also_through_others():
    patients = ["a", "a", "b", "c", "", " "]
    lesions = ["1", "2", "2", "3", "", ""]
    assert joined([patients, lesions], 6).tolist() == [0, 0, 0, 1, 2, 3]


def test_without_columns_every_image_is_alone():
    assert joined([], 3).tolist() == [0, 1, 2]


def test_columns_are_known_to_be_personal_by_their_names_alone():
    assert personal(["Patient_ID", "age", "exposure", "group_id", "subjectid"]) == (
        "Patient_ID",
        "group_id",
        "subjectid",
    )
