"""Names of models: shortened where nothing is lost, broken between words, and put in place of `here` and `there`."""

from __future__ import annotations

import pytest

from efficiency360.render.naming import lines, middle, told_of


def test_a_long_name_keeps_the_end_that_tells_it_from_others():
    short = [middle(f"zoo:digits_transformer (e360-out/{run})", 28) for run in ("a", "b")]
    assert short[0] != short[1]
    assert short[0].endswith("(e360-out/a)")
    assert short[0].startswith("zoo:")
    assert max(map(len, short)) == 28
    assert middle("short", 28) == "short"


def test_a_name_is_broken_between_its_words():
    assert lines("zoo:digits_transformer (out-bins)", 18) == ["zoo:digits_", "transformer (out-", "bins)"]
    assert lines("weak.safetensors", 18) == ["weak.safetensors"]


@pytest.mark.parametrize("name", ["x" * 100, "a:" * 60, "", "one two " * 20])
def test_no_line_is_longer_than_there_is_room(name):
    assert all(len(line) <= 10 for line in lines(name, 10))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("the data differ: a here, b in the baseline", "the data differ: a in New, b in Old"),
        ("the axis cost is version 2 here and 1 in the baseline", "the axis cost is version 2 in New and 1 in Old"),
        (
            "the settings differ: u.bins is 10 here and 15 there",
            "the settings differ: u.bins is 10 in New and 15 in Old",
        ),
        ("the baseline holds no accuracy.top5: it lacks the axis", "Old holds no accuracy.top5: it lacks the axis"),
        ("it is in another unit in the baseline (ms)", "it is in another unit in Old (ms)"),
        ("measured with threads=1, the reference with threads=2", "measured with threads=1, Old with threads=2"),
    ],
)
def test_a_reason_names_the_models(reason, said):
    assert told_of(reason, ["New"], "Old") == said


def test_several_models_are_named_and_many_are_counted():
    reason = "the data differ: a here, b in the baseline"
    assert told_of(reason, ["X", "Y"], "Old").startswith("the data differ: a in X and Y, ")
    assert told_of(reason, list("WXYZ"), "Old").startswith("the data differ: a in 4 models, ")


def test_the_words_of_a_caveat_are_left_alone():
    reason = "the baseline's number is in doubt: images seen here, and here too, in the baseline"
    assert told_of(reason, ["New"], "Old") == reason.replace("the baseline's", "Old's", 1)


def test_a_name_is_no_pattern():
    assert told_of("the data differ: a here, b in the baseline", ["\\1"], "\\g<0>").endswith("a in \\1, b in \\g<0>")
