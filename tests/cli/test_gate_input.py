"""Bad input to the gate gets one clear line, and what cannot be compared or is not there never passes."""

from __future__ import annotations

import json
import shutil

import pytest

AUDIT = 'title = "t"\n[axes.cost]\n[[rules]]\nid = "cheap"\nmeasurement = "cost.params"\nrationale = "r"\n'
LIMIT = AUDIT + "at_most = 1000000\n"
RELATIVE = AUDIT + "no_worse_than_baseline = true\n"
WAIVER = '[[waivers]]\nrule = "cheap"\nowner = "Jane Doe"\nreason = "known"\nexpires = {}\n'


@pytest.fixture
def card(root, tmp_path):
    """A kept scorecard of an earlier schema version, with some of its evidence."""
    return shutil.copytree(root / "reports/digits-demo", tmp_path / "card")


@pytest.fixture
def gate(e360, card, tmp_path):
    """Judge the card by an audit file with this text."""

    def judge(text=LIMIT, *options):
        (tmp_path / "a.toml").write_text(text)
        return e360("gate", card, "--audit", "a.toml", *options)

    return judge


def edit(folder, **fields):
    file = folder / "scorecard.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (0, "schema version 0; this e360 reads 1 to 2; audit the model again"),
        (3, "schema version 3; this e360 reads 1 to 2; update e360"),
        ("1", "schema version '1'"),
        (True, "schema version True"),
    ],
)
def test_a_schema_version_without_a_way_from_it_is_refused_by_name(gate, card, version, said):
    edit(card, schema_version=version)
    answer = gate()
    assert answer.code == 2
    assert said in answer.complaint


def test_a_scorecard_that_was_cut_off_is_refused(gate, card):
    file = card / "scorecard.json"
    file.write_bytes(file.read_bytes()[:1000])
    answer = gate()
    assert answer.code == 2
    assert "is not a scorecard, or was cut off" in answer.complaint


@pytest.mark.parametrize(
    ("margin", "said"),
    [
        ("nan", "rules.1.margin is not a finite number"),
        ("inf", "rules.1.margin is not a finite number"),
        ('"0.01"', "'0.01' is not a number"),
        ("true", "True is not a number"),
        ("-0.01", "rules.1.margin: must not be negative"),
    ],
)
def test_a_margin_that_is_none_is_refused(gate, card, margin, said):
    answer = gate(RELATIVE + f"margin = {margin}\n", "--baseline", card)
    assert answer.code == 2
    assert said in answer.complaint


def test_a_margin_of_a_limit_is_refused(gate):
    assert "a margin belongs to no_worse_than_baseline" in gate(LIMIT + "margin = 0.1\n").complaint


def test_a_rule_on_an_unknown_measurement_cannot_be_judged_and_suggests_the_right_one(gate):
    answer = gate(LIMIT.replace("cost.params", "cost.parms"))
    assert answer.code == 3
    assert "did you mean 'cost.params'?" in " ".join(answer.out.split())


def test_a_waiver_of_an_unknown_rule_is_refused(gate):
    answer = gate(LIMIT + WAIVER.replace('"cheap"', '"cheep"').format("2099-01-01"))
    assert answer.code == 2
    assert "waivers.1.rule: there is no rule 'cheep'; did you mean 'cheap'?" in answer.complaint


def test_a_waiver_lets_a_failing_rule_pass_until_it_expires_and_is_shown_in_every_output(gate, card):
    failing = LIMIT.replace("1000000", "1")
    assert gate(failing).code == 1
    waived = gate(failing + WAIVER.format("2099-01-01"), "--format", "junit,sarif,markdown,html,json,github")
    assert waived.code == 0
    expired = gate(failing + WAIVER.format("2020-01-01"))
    assert expired.code == 1
    assert "the waiver of rule cheap by Jane Doe expired on 2020-01-01" in " ".join(expired.out.split())
    for name in ("junit.xml", "e360.sarif", "summary.md", "report.html", "scorecard.json"):
        text = (card / name).read_text()
        assert "Jane Doe" in text, name
        assert "2099-01-01" in text, name
    assert "Jane Doe" in waived.out.split("::", 1)[1]


class TestBaseline:
    def test_without_one_a_relative_rule_is_not_judged(self, gate):
        answer = gate(RELATIVE)
        assert answer.code == 3
        assert "no baseline was given (--baseline DIR; --baseline none for a first release)" in " ".join(
            answer.out.split()
        )

    def test_a_first_release_may_say_so(self, gate):
        assert gate(RELATIVE + LIMIT.split("[axes.cost]\n")[1].replace("cheap", "c"), "--baseline", "none").code == 0

    def test_one_that_is_not_there_is_named(self, gate):
        answer = gate(RELATIVE, "--baseline", "nowhere")
        assert answer.code == 2
        assert answer.complaint.startswith("e360: baseline: nowhere: No such file")

    def test_other_data_are_refused_by_name_and_do_not_pass(self, gate, card, tmp_path):
        other = shutil.copytree(card, tmp_path / "other")
        shutil.rmtree(other / "evidence")
        document = json.loads((other / "scorecard.json").read_text())
        edit(other, dataset={**document["dataset"], "name": "val", "fingerprint": "f" * 64})
        accuracy = RELATIVE.replace("cost", "accuracy").replace("params", "top1") + "margin = 0.5\n"
        answer = gate(accuracy, "--baseline", other)
        assert answer.code == 3
        assert "the data differ: digits" in answer.out
        assert gate(RELATIVE, "--baseline", other).code == 0


@pytest.mark.parametrize("path", ["x" * 5000, "x/" * 2000])
def test_a_path_that_can_be_none_is_refused(e360, gate, path):
    assert e360("gate", path).code == 2
    assert gate(RELATIVE, "--baseline", path).code == 2
    assert gate(f'baseline = "{path}"\n' + RELATIVE).code == 3
    assert e360("gate", "card", "--audit", path).code == 2


@pytest.mark.parametrize("margin", ["1e-160", "1e-300", "5e-324"])
def test_a_margin_of_almost_nothing_is_computed_with(gate, card, margin):
    accuracy = RELATIVE.replace("cost", "accuracy").replace("params", "top1") + f"margin = {margin}\n"
    assert gate(accuracy, "--baseline", card).code == 3


def test_an_unknown_format_suggests_one(gate):
    answer = gate(LIMIT, "--format", "junt")
    assert answer.code == 2
    assert "--format junt: there is no such format; did you mean 'junit'?" in answer.complaint


def test_an_unknown_rule_to_explain_suggests_one(gate):
    answer = gate(LIMIT, "--explain", "chaep")
    assert answer.code == 2
    assert "did you mean 'cheap'?" in answer.complaint


def test_a_rule_is_explained_in_words(gate):
    answer = gate(LIMIT.replace("1000000", "1"), "--explain", "cheap")
    assert answer.code == 1
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "at most 1" in answer.out


def test_names_from_outside_cannot_speak_to_githubs_runner(gate, card):
    """Everything but our own annotations stands between a pair of marks that nobody can guess."""
    document = json.loads((card / "scorecard.json").read_text())
    edit(card, subject={**document["subject"], "name": "::error::owned"})
    answer = gate(LIMIT, "--format", "github", "--no-recompute")
    lines = answer.out.splitlines()
    stop = next(index for index, line in enumerate(lines) if line.startswith("::stop-commands::"))
    token = lines[stop].removeprefix("::stop-commands::")
    go_on = lines.index(f"::{token}::")
    assert stop == 0
    assert len(token) == 32
    assert [line for line in lines[:stop] if line.strip()] == []
    assert all(
        line.startswith(("::error title=", "::warning title=", "::notice title=")) for line in lines[go_on + 1 :]
    )
