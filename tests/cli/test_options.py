"""Option values: read as a user would expect, or refused with what to give instead."""

from __future__ import annotations

import json

import pytest

from efficiency360.cli.options import EXIT_CODES, parse_budget, parse_settings
from efficiency360.errors import AxisError, ExitCode, InputError, UndecidedError
from efficiency360.records import Scorecard
from efficiency360.scorecards import read_scorecard

CARD = {
    "schema_version": 1,
    "subject": {
        "name": "net",
        "file": None,
        "fingerprint": None,
        "kind": "state_dict",
        "arch": None,
        "num_classes": None,
        "input": None,
    },
    "dataset": None,
    "environment": {
        "host": "ab" * 32,
        "cpu": "a processor",
        "device": "cpu",
        "threads": 1,
        "platform": "Linux",
        "versions": {},
        "seeds": {},
        "isolation": [],
        "started_at": "2026-01-01T00:00:00+00:00",
    },
    "audit": {"title": "Gate", "file": "audits/release.toml", "fingerprint": "cd" * 32},
    "command": "e360 audit net",
    "axes": [],
    "scores": [],
    "overall": {"low": 0, "high": 100, "grade": "E"},
    "coverage": 0,
    "verdict": {"outcome": "inconclusive", "reasons": [], "rules": []},
}


def complaint(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("8", 8),
            ("0.5", 0.5),
            ("true", True),
            ("[0.3, 0.5]", [0.3, 0.5]),
            ("[]", []),
            ('["4/255"]', ["4/255"]),
            ('"8"', "8"),
            ("4/255", "4/255"),
            ("autoattack", "autoattack"),
            ("a=b", "a=b"),
            ("", ""),
            ("{a = 1}", {"a": 1}),
            ("1\nother = 2", "1\nother = 2"),
            ("1\n[axes]", "1\n[axes]"),
            ("犬", "犬"),
        ],
    )
    def test_values_are_as_in_toml_and_bare_words_are_text(self, text, value):
        assert parse_settings([f"robustness.eps={text}"]) == {"robustness": {"eps": value}}

    def test_values_too_deep_or_too_long_are_text(self):
        for text in ("[" * 9999, "9" * 9999):
            assert parse_settings([f"x.y={text}"]) == {"x": {"y": text}}

    def test_several_settings_gather_by_axis_and_the_last_wins(self):
        pairs = ["a.x=1", "b.x=2", "a.y=3", "a.x=4"]
        assert parse_settings(pairs) == {"a": {"x": 4, "y": 3}, "b": {"x": 2}}
        assert parse_settings([]) == {}

    @pytest.mark.parametrize("pair", ["", "x", "x=1", "a.b", "a.b.c=1", ".b=1", "a.=1", "A.b=1", "a b.c=1", "a.b =1"])
    def test_anything_else_is_refused_with_an_example(self, pair):
        assert complaint(parse_settings, [pair]) == (
            f"--set {pair}: give AXIS.KEY=VALUE, such as accuracy.batch_size=8"
        )


class TestBudget:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("90s", 90), ("10m", 600), ("2h", 7200), ("5", 300), ("1.5h", 5400), (" 10 M ", 600), ("0.5s", 0.5)],
    )
    def test_is_in_seconds_minutes_or_hours_and_a_bare_number_is_minutes(self, text, seconds):
        assert parse_budget(text) == seconds

    @pytest.mark.parametrize("text", ["", "s", "ten minutes", "-5m", "5d", "1e3", "inf", "nan", "1h30m", "5m;"])
    def test_anything_else_is_refused_with_examples(self, text):
        assert complaint(parse_budget, text) == f"--budget {text}: give a time such as 90s, 10m or 2h"


class TestScorecard:
    def test_is_read_by_file_or_by_folder(self, tmp_path):
        path = tmp_path / "scorecard.json"
        path.write_text(json.dumps(CARD))
        today = {**CARD, "schema_version": 2}
        assert read_scorecard(path) == read_scorecard(tmp_path) == Scorecard.model_validate(today)

    def test_that_is_missing_is_named_with_what_to_give(self, tmp_path):
        for path in (tmp_path, tmp_path / "scorecard.json", tmp_path / "none" / "scorecard.json"):
            said = complaint(read_scorecard, path)
            assert "No such file" in said or f"{tmp_path} holds no scorecard.json" in said
            assert "give a scorecard.json or the folder of an audit" in said

    def test_of_another_version_says_which_one_it_is(self, tmp_path):
        path = tmp_path / "scorecard.json"
        for version in (3, "1", None):
            path.write_text(json.dumps({**CARD, "schema_version": version}))
            assert f"schema version {version!r}; this e360 reads 1 to 2" in complaint(read_scorecard, path)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is not a scorecard, or was cut off: "),
            (b"\xff\xfe", "is not a scorecard, or was cut off: "),
            (b"[" * 100_000, "is not a scorecard, or was cut off: "),
            (b"[]", "is not a scorecard: "),
            (b"{}", "is not a scorecard: it has no schema_version"),
            (b'{"schema_version": 2}', "is not a scorecard: subject: Field required"),
            (json.dumps({**CARD, "coverage": float("nan")}).encode(), "coverage: Input should be a finite number"),
            (json.dumps({**CARD, "coverage": 2}).encode(), "coverage: Input should be less than or equal to 1"),
            (json.dumps({**CARD, "extra": 1}).encode(), "extra: Extra inputs are not permitted"),
            (
                json.dumps({**CARD, "overall": {"low": "0", "high": 100, "grade": "E"}}).encode(),
                "overall.low: '0' is not a number",
            ),
        ],
    )
    def test_that_is_none_is_refused_with_the_place(self, tmp_path, content, said):
        path = tmp_path / "scorecard.json"
        path.write_bytes(content)
        assert said in complaint(read_scorecard, path)


def test_exit_codes_are_those_of_the_contract():
    assert EXIT_CODES == {"pass": 0, "fail": 1, "inconclusive": 3}
    assert (ExitCode.PASS, ExitCode.FAIL, ExitCode.USAGE, ExitCode.UNDECIDED) == (0, 1, 2, 3)
    assert InputError("x").exit_code == 2
    assert AxisError("x").exit_code == 3
    assert UndecidedError("x").exit_code == 3
