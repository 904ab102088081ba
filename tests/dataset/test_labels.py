"""From labels as written to the outputs of the model: right, or refused with the place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficiency360.dataset import Dataset, RawLabels, resolve_labels
from efficiency360.errors import InputError


def labelled(*values: str) -> Dataset:
    files = tuple(f"{index}.png" for index in range(len(values)))
    places = tuple(f"metadata.csv line {index + 2}" for index in range(len(values)))
    return Dataset(name="data", kind="metadata.csv", files=files, labels=RawLabels(values, places))


def classes(*values: str, k: int, names: tuple[str, ...] | None = None) -> list[int]:
    labels = resolve_labels(labelled(*values), num_classes=k, names=names)
    assert labels is not None
    return labels.classes.tolist()


def complaint(*values: str, k: int, names: tuple[str, ...] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        resolve_labels(labelled(*values), num_classes=k, names=names)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_data_without_labels_has_none():
    data = Dataset(name="data", kind="images", files=("a.png",))
    assert resolve_labels(data, num_classes=2, names=None) is None


def test_numbers_are_outputs_of_the_model():
    assert classes("10", "2", "0", k=11) == [10, 2, 0]


@pytest.mark.parametrize("written", ["2", "02", "2.0", "2."])
def test_a_number_may_be_written_as_tools_write_it(written):
    assert classes("1", written, "10", k=11) == [1, 2, 10]


def test_numbers_are_numbers_even_where_the_classes_have_names():
    assert classes("1", "0", k=2, names=("cat", "dog")) == [1, 0]


def test_a_name_outranks_a_number_where_classes_are_named_by_numbers():
    assert classes("7", "0", k=2, names=("7", "0")) == [0, 1]


def test_names_are_looked_up_in_the_order_of_the_model():
    assert classes("cat", "emu", "cat", k=3, names=("emu", "dog", "cat")) == [2, 0, 2]


def test_without_a_class_list_names_are_taken_in_alphabetical_order_and_a_caveat_says_so():
    labels = resolve_labels(labelled("emu", "cat", "dog"), num_classes=3, names=None)
    assert labels.classes.tolist() == [2, 0, 1]
    assert [labels.name(k) for k in range(3)] == ["cat", "dog", "emu"]
    assert [(caveat.id, caveat.severity) for caveat in labels.caveats] == [("labels.order_assumed", "warning")]


def test_a_class_list_needs_no_such_caveat():
    assert resolve_labels(labelled("emu"), num_classes=2, names=("cat", "emu")).caveats == ()


@pytest.mark.parametrize("k", [2, 4])
def test_names_without_a_class_list_must_be_as_many_as_the_outputs(k):
    said = complaint("emu", "cat", "dog", k=k)
    assert f"the labels are 3 names such as 'cat', the model has {k} outputs" in said
    assert "[labels] names" in said


def test_a_class_list_of_another_length_is_refused():
    assert "the class list has 2 names but the model has 3 outputs" in complaint("0", k=3, names=("cat", "dog"))


@pytest.mark.parametrize(
    ("label", "number"), [("3", 3), ("999999999999999999", 999999999999999999), ("-1", -1), ("-1.0", -1)]
)
def test_a_number_out_of_range_is_named_with_its_line(label, number):
    assert complaint("0", "1", label, "2", k=3) == (
        f"metadata.csv line 4: label {number} is out of range: the model has 3 classes, 0 to 2"
    )


def test_a_negative_number_never_shifts_the_other_classes():
    assert "label -1 is out of range" in complaint("-1", "0", "1", k=3)


def test_an_unknown_name_is_named_with_its_line_and_the_nearest_class():
    names = tuple(f"class {index:03}" for index in range(100))
    said = complaint("class 000", "clas 042", k=100, names=names)
    assert said == "metadata.csv line 3: label 'clas 042' is not one of the 100 classes; did you mean 'class 042'?"
    assert complaint("yak", k=2, names=("cat", "dog")).endswith("is not one of the 2 classes; known: cat, dog")


def test_a_number_among_names_is_not_a_class():
    assert "metadata.csv line 3: label '1' is not one of" in complaint("cat", "1", k=2, names=("cat", "dog"))


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("names", [None, ("", "cat")])
def test_a_missing_label_is_named_with_its_line_and_never_becomes_a_class(blank, names):
    assert complaint("cat", blank, k=2, names=names).startswith("metadata.csv line 3: no label")


def test_classes_that_share_a_name_are_told_apart_by_index():
    names = ("crane", "dog", "crane")
    labels = resolve_labels(labelled("0", "2", "1"), num_classes=3, names=names)
    assert [labels.name(k) for k in labels.classes] == ["crane (0)", "crane (2)", "dog"]
    assert "label 'crane' is not one of the 3 classes; did you mean 'crane (" in complaint("crane", k=3, names=names)
    assert classes("crane (2)", "dog", k=3, names=names) == [2, 1]


def test_a_class_without_a_name_is_called_by_its_index():
    assert resolve_labels(labelled("1"), num_classes=2, names=None).name(1) == "1"


def test_files_and_groups_stay_beside_the_labels():
    data = labelled("0", "1")
    labels = resolve_labels(data, num_classes=2, names=None)
    assert (labels.files, labels.groups) == (data.files, data.columns)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text("aé1 -.", min_size=1, max_size=3), min_size=1, max_size=6), st.integers(1, 6))
def test_every_label_gets_the_one_class_that_it_names_or_is_refused(values, k):
    try:
        labels = resolve_labels(labelled(*values), num_classes=k, names=None)
    except InputError:
        return
    pairs = set(zip(values, labels.classes.tolist(), strict=True))
    assert len(pairs) == len(set(values))
    assert all(0 <= index < k for index in labels.classes)
    assert all(labels.name(index) == text or float(text) == index for text, index in pairs)
