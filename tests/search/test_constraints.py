from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from efficiency360.errors import InputError
from efficiency360.search.constraints import Constraints, load_constraints, parse_constraints


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"limit": {}}, "c.toml: unknown key 'limit'; did you mean 'limits'?"),
        ({"limits": {"latency": 3}}, "unknown key 'limits.latency'; did you mean 'latency_p95_ms'?"),
        ({"limits": {"macs": "60e6"}}, "limits.macs: '60e6' is not a number"),
        ({"limits": {"macs": -1}}, "limits.macs: must be above 0"),
        ({"limits": {"accuracy": 80}}, "limits.accuracy: must be below 1"),
        ({"space": {"depth": 2}}, "space.depth: must be a list, such as [1, 2]"),
        ({"space": {"depth": []}}, "space.depth: must not be empty"),
        ({"space": {"depth": [1, 1]}}, "space: depth: a choice is listed twice"),
        ({"space": {"attention": ["windows"]}}, "space.attention.1: must be 'units' or 'global'"),
        ({"require": {"unit_attention_stages": 3}}, "raise space.stages"),
        (
            {"require": {"global_attention_last": True}, "space": {"attention": ["units"]}},
            "require asks for attention 'global', which space.attention leaves out",
        ),
        ({"training": {"hold": 0.5, "test": 0.5}}, "leave less than a fifth of the images"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(content, said):
    with pytest.raises(InputError) as error:
        parse_constraints(content, "c.toml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_shipped_example_is_valid_and_names_every_table(tmp_path):
    text = (files("efficiency360.search") / "example.toml").read_text(encoding="utf-8")
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    read = load_constraints(tmp_path / "c.toml")
    assert read.limits.latency_p95_ms == 20
    assert read.training.schedule == (3, 9, 27)
    assert set(tomllib.loads(text)) == set(Constraints.model_fields)


def test_what_a_search_is_does_not_depend_on_its_title_but_on_its_limits():
    plain = parse_constraints({"title": "a"}, "c")
    assert plain.fingerprint == parse_constraints({"title": "b", "data": "x"}, "c").fingerprint
    assert plain.fingerprint != parse_constraints({"limits": {"macs": 1e6}}, "c").fingerprint
