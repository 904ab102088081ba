"""Audit files: what is shipped holds together, and every mistake is one line that says where and what instead."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficiency360.axes import axis_ids, make_axis
from efficiency360.errors import InputError
from efficiency360.spec import AuditSpec, audit_names, load_audit, parse_audit, read_toml, suggest

if TYPE_CHECKING:
    from pathlib import Path

BASE = 'title = "Mine"\n[axes.cost]\n[axes.accuracy]\n'
SCORE = '[[scores]]\nmeasurement = "accuracy.top1"\nzero = 0.5\nfull = 1\nrationale = "why"\n'
RULE = '[[rules]]\nid = "floor"\nmeasurement = "accuracy.top1"\nat_least = 0.8\nrationale = "why"\n'


def load(folder: Path, text: str | bytes) -> AuditSpec:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_audit(str(path))


def complaint(folder: Path, text: str | bytes) -> str:
    """The one line that a mistake in an audit file gives, without the file's path in front."""
    with pytest.raises(InputError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder / 'mine.toml'}: ")
    return message.removeprefix(f"{folder / 'mine.toml'}: ")


class TestShipped:
    @pytest.fixture(params=audit_names())
    def spec(self, request: pytest.FixtureRequest) -> AuditSpec:
        return load_audit(request.param)

    def test_there_are_a_quick_look_and_a_release_gate(self) -> None:
        assert {"quick", "release"} <= set(audit_names())

    def test_every_score_and_rule_gives_its_reason_in_a_sentence(self, spec: AuditSpec) -> None:
        assert spec.scores
        for entry in (*spec.scores, *spec.rules):
            assert len(entry.rationale.split()) >= 5
            assert entry.rationale.endswith(".")

    def test_it_says_what_it_is_for(self, spec: AuditSpec) -> None:
        assert spec.title
        assert spec.description.endswith(".")

    def test_it_can_say_no(self, spec: AuditSpec) -> None:
        assert any(rule.severity == "block" for rule in spec.rules)
        assert spec.inconclusive == "block"

    def test_its_axes_exist_and_take_its_settings(self, spec: AuditSpec) -> None:
        assert set(spec.axes) <= set(axis_ids())
        for axis_id, axis in spec.axes.items():
            make_axis(axis_id, axis.settings)

    def test_it_judges_only_what_its_axes_measure(self, spec: AuditSpec) -> None:
        for entry in (*spec.scores, *spec.rules):
            assert entry.measurement.split(".")[0] in spec.axes

    def test_it_is_recorded_by_the_name_that_loads_it_again(self, spec: AuditSpec) -> None:
        assert spec.file in audit_names()
        assert load_audit(spec.file) == spec


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('titel = "x"\n' + BASE, "unknown key 'titel'; did you mean 'title'?"),
            ('inconclusiv = "pass"\n' + BASE, "unknown key 'inconclusiv'; did you mean 'inconclusive'?"),
            (BASE + RULE.replace("[[rules]]", "[[rule]]"), "unknown key 'rule'; did you mean 'rules'?"),
            (BASE + SCORE + "wieght = 2", "unknown key 'scores.1.wieght'; did you mean 'weight'?"),
            (BASE + SCORE + SCORE + "scal = 'log'", "unknown key 'scores.2.scal'; did you mean 'scale'?"),
            (BASE + RULE + 'severty = "warn"', "unknown key 'rules.1.severty'; did you mean 'severity'?"),
        ],
    )
    def test_one_gets_the_right_one_suggested(self, tmp_path: Path, text: str, said: str) -> None:
        assert complaint(tmp_path, text) == said

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('titel = "x"\n[axes.cost]', "unknown key 'titel'; did you mean 'title'?"),
            (BASE + RULE.replace("at_least", "at_leest"), "unknown key 'rules.1.at_leest'; did you mean 'at_least'?"),
            (BASE + RULE.replace("rationale", "reason"), "unknown key 'rules.1.reason'"),
            (BASE + SCORE.replace("zero", "zeero"), "unknown key 'scores.1.zeero'; did you mean 'zero'?"),
        ],
    )
    def test_a_misspelt_key_is_named_rather_than_the_key_that_is_missing_for_it(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        assert complaint(tmp_path, text).startswith(said)

    def test_the_name_of_the_file_is_not_a_key(self, tmp_path: Path) -> None:
        assert complaint(tmp_path, 'file = "x"\n' + BASE).startswith("unknown key 'file'")

    @pytest.mark.parametrize(
        ("axis_id", "key", "said"),
        [
            ("accuracy", "batchsize", "unknown setting 'accuracy.batchsize'; did you mean 'batch_size'?"),
            ("accuracy", "requird", "unknown setting 'accuracy.requird'; did you mean 'required'?"),
            ("cost", "requird", "unknown setting 'cost.requird'; did you mean 'required'?"),
            ("acuracy", "batch_size", "no axis 'acuracy'; did you mean 'accuracy'?"),
        ],
    )
    def test_a_setting_that_an_axis_does_not_have_gets_the_right_one_suggested(
        self, axis_id: str, key: str, said: str
    ) -> None:
        with pytest.raises(InputError) as caught:
            make_axis(axis_id, {key: 3})
        assert str(caught.value) == said


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "title: this key is missing"),
            ('title = ""\n[axes.cost]', "title: "),
            ('title = "x"\n[axes]', "no axis is named: add a table such as [axes.cost]"),
            ('title = "x"\naxes = 3', "axes: must be a table"),
            ('title = "x"\n[axes]\ncost = 3', "axes.cost: must be a table"),
            ('title = "x"\n[axes."my cost"]', "axes.my cost"),
            (BASE + "[scores]\nx = 1", "scores: must be a list of tables"),
            (BASE + "[rules]\nx = 1", "rules: must be a list of tables"),
            (BASE + RULE + RULE, "rule id 'floor' is used twice"),
            (
                BASE + RULE + "at_most = 1",
                "rules.1: give one of at_least, at_most, or no_worse_than_baseline = true with a margin",
            ),
            (
                BASE + RULE.replace("at_least = 0.8\n", ""),
                "rules.1: give one of at_least, at_most, or no_worse_than_baseline = true with a margin",
            ),
            (BASE + RULE.replace('"why"', '""'), "rules.1.rationale: "),
            (BASE + SCORE.replace('"why"', '""'), "scores.1.rationale: "),
            (BASE + SCORE.replace('rationale = "why"\n', ""), "scores.1.rationale: this key is missing"),
            (BASE + RULE.replace("accuracy.top1", "top1"), "rules.1.measurement: must be a name such as"),
            (BASE + RULE + 'severity = "fatal"', "rules.1.severity: Input should be 'block', 'warn' or 'info'"),
            (BASE + SCORE.replace("full = 1", "full = 0.5"), "scores.1: zero and full must differ"),
            (BASE + SCORE.replace("0.5", "0") + 'scale = "log"', "scores.1: zero and full must be positive"),
            (BASE + SCORE.replace("0.5", "1.0000000000000002") + 'scale = "log"\nweight = 0', "scores.1.weight"),
            (BASE + SCORE + "weight = -1", "scores.1.weight"),
            (BASE + RULE + "params = {class = [1]}", "rules.1.params.class: must be text, a number, or true or false"),
            ('inconclusive = "maybe"\n' + BASE, "inconclusive: Input should be 'block' or 'pass'"),
            ("title = ", "not valid TOML"),
            (b"title = '\xff'", "not UTF-8 text at byte 9"),
        ],
    )
    def test_each_is_one_line_with_its_place(self, tmp_path: Path, text: str | bytes, said: str) -> None:
        assert complaint(tmp_path, text).startswith(said)

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            (BASE + RULE.replace("0.8", "X"), "rules.1.at_least"),
            (BASE + SCORE.replace("0.5", "X"), "scores.1.zero"),
            (BASE + SCORE + SCORE + "weight = X", "scores.2.weight"),
            (BASE + RULE + "params = {epsilon = X}", "rules.1.params.epsilon"),
            (BASE + "max_unreadable = X", "axes.accuracy.max_unreadable"),
            (BASE + "[axes.robustness]\neps = [0.1, {max = X}]", "axes.robustness.eps.2.max"),
        ],
    )
    def test_a_number_that_is_not_finite_is_refused_everywhere(self, tmp_path: Path, text: str, place: str) -> None:
        for number in ("nan", "inf", "-inf", "1e999"):
            assert complaint(tmp_path, text.replace("X", number)) == f"{place} is not a finite number"

    @pytest.mark.parametrize("value", ['"0.8"', "true", "[0.8]"])
    def test_a_limit_must_be_a_number_and_not_look_like_one(self, tmp_path: Path, value: str) -> None:
        assert complaint(tmp_path, BASE + RULE.replace("0.8", value)).startswith("rules.1.at_least: ")

    @pytest.mark.parametrize("text", ["x = " + "[" * 9999, "x = " + "9" * 9999])
    def test_values_too_deep_or_too_long_are_mistakes_too(self, tmp_path: Path, text: str) -> None:
        assert complaint(tmp_path, text).startswith("not valid TOML: ")

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.recursive(
            st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text("ab.\n\0", max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["title", "axes", "cost", "scores", "rules", "params", "id", "measurement", "x"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
    )
    def test_whatever_the_content_the_answer_is_an_audit_or_one_line(self, content: object) -> None:
        table: dict[str, Any] = content if isinstance(content, dict) else {"title": "x", "axes": {}, "rules": content}
        with contextlib.suppress(InputError):
            parse_audit(table, "mine.toml")


class TestFinding:
    def test_a_file_is_found_by_path_and_named_by_it(self, tmp_path: Path) -> None:
        spec = load(tmp_path, BASE)
        assert spec.file == spec.record.file == str(tmp_path / "mine.toml")

    def test_a_misspelt_name_gets_the_right_one_suggested(self) -> None:
        with pytest.raises(InputError, match=r"no audit file 'relaese'; did you mean 'release'\? \(or give a path\)"):
            load_audit("relaese")

    def test_a_path_never_passes_for_a_shipped_audit(self, tmp_path: Path) -> None:
        (tmp_path / "release.toml").write_text(BASE)
        with pytest.raises(InputError, match="no audit file"):
            load_audit(str(tmp_path / "release"))
        assert load_audit(str(tmp_path / "release.toml")).file == str(tmp_path / "release.toml")

    def test_a_folder_is_not_an_audit_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="directory"):
            load_audit(str(tmp_path))

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"none\.toml: No such file"):
            read_toml(tmp_path / "none.toml")

    def test_a_byte_order_mark_does_not_matter(self, tmp_path: Path) -> None:
        assert load(tmp_path, b"\xef\xbb\xbf" + BASE.encode()) == load(tmp_path, BASE)


class TestContent:
    def test_keys_of_an_axis_table_are_settings_except_required(self, tmp_path: Path) -> None:
        spec = load(tmp_path, BASE + "required = false\nbatch_size = 8\n")
        assert spec.axes["accuracy"].required is False
        assert spec.axes["accuracy"].settings == {"batch_size": 8}
        assert spec.axes["cost"].required is True

    def test_a_rule_has_one_limit_and_says_which(self, tmp_path: Path) -> None:
        least = load(tmp_path, BASE + RULE).rules[0]
        most = load(tmp_path, BASE + RULE.replace("at_least = 0.8", "at_most = 0")).rules[0]
        assert (least.limit, least.bound, least.severity) == (0.8, "at_least", "block")
        assert (most.limit, most.bound) == (0, "at_most")

    def test_overrides_replace_settings_key_by_key(self, tmp_path: Path) -> None:
        spec = load(tmp_path, BASE + "batch_size = 8\nmax_unreadable = 0.5\n")
        changed = spec.with_settings({"accuracy": {"batch_size": 2}})
        assert changed.axes["accuracy"].settings == {"batch_size": 2, "max_unreadable": 0.5}
        assert changed.axes["cost"] == spec.axes["cost"]
        assert spec.axes["accuracy"].settings["batch_size"] == 8

    def test_an_override_of_an_axis_that_is_not_audited_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no axis 'acuracy'; did you mean 'accuracy'"):
            load(tmp_path, BASE).with_settings({"acuracy": {"batch_size": 2}})

    def test_an_override_that_is_not_finite_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"--set accuracy\.eps\.2: not a finite number"):
            load(tmp_path, BASE).with_settings({"accuracy": {"eps": [0.1, float("nan")]}})

    def test_the_fingerprint_follows_the_content_and_not_the_place(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        spec = load(tmp_path, BASE + RULE)
        moved = load(tmp_path / "elsewhere", BASE + "# a comment\n" + RULE)
        stricter = load(tmp_path, BASE + RULE.replace("0.8", "0.9"))
        overridden = spec.with_settings({"accuracy": {"batch_size": 2}})
        prints = [each.record.fingerprint for each in (spec, moved, stricter, overridden)]
        assert prints[0] == prints[1]
        assert len(set(prints)) == 3


def test_a_suggestion_is_the_nearest_word_or_all_words_or_the_first_twenty() -> None:
    assert suggest("accurcy", ["cost", "accuracy"]) == "; did you mean 'accuracy'?"
    assert suggest("zzz", ["cost", "speed"]) == "; known: cost, speed"
    assert suggest("zzz", []) == "; known: none"
    many = [f"class {index:03}" for index in range(500)]
    assert suggest("class 499x", many) == "; did you mean 'class 499'?"
    assert suggest("zzz", many).endswith("class 019, ... (500 in all)")
