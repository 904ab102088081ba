"""`e360 baseline`: who made which scorecard the baseline, when and why; and whatever goes wrong, the old one stays."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from efficiency360 import baseline
from efficiency360.audited import read_audited
from efficiency360.cli.app import run
from efficiency360.files import sha256_file

AUDIT = """
title = "t"
without_baseline = "pass"
[axes.cost]
[axes.accuracy]
[[rules]]
id = "small"
measurement = "cost.params"
at_most = 1_000_000
rationale = "r"
[[rules]]
id = "keeps-up"
measurement = "accuracy.top1"
no_worse_than_baseline = true
margin = 0.2
rationale = "r"
"""


@pytest.fixture(scope="session")
def audited(tmp_path_factory):
    """A folder with an audit file and what came of it."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "a.toml").write_text(AUDIT)
    command = "audit zoo:digits_transformer --data digits --limit 60 --threads 1 --audit a.toml --out card"
    done = subprocess.run(
        [sys.executable, "-m", "efficiency360", *command.split()], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def here(audited, tmp_path, monkeypatch):
    """A repository with that in it, and beside it an audit that failed, where commands run in this process."""
    shutil.copytree(audited, tmp_path, dirs_exist_ok=True)
    shutil.copytree(audited / "card", tmp_path / "bad")
    _edit(tmp_path / "bad", lambda card: card["verdict"].update(outcome="fail"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def e360(here, capsys):  # noqa: ARG001 - where it runs
    """Run a command in that repository: exit code, standard output, standard error."""

    def do(*arguments):
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return do


def _edit(folder: Path, change) -> None:
    file = folder / "scorecard.json"
    card = json.loads(file.read_text())
    change(card)
    file.write_text(json.dumps(card))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_accepting_copies_what_comparisons_need_and_notes_who_when_and_why(e360, here):
    code, out, err = e360("baseline", "accept", "card", "--why", " first \n release ", "--by", "Ada")
    assert code == 0, err
    assert "zoo:digits_transformer, accepted by Ada (pass)" in out
    kept = here / "reports/baseline"
    names = set(_contents(kept))
    assert {"scorecard.json", "baseline.json", "history.jsonl", "evidence/accuracy.samples.npz"} <= names
    assert not any("accuracy.npz" in name or "cost.npz" in name for name in names)
    _, found = read_audited(kept)
    assert (found.accepted.accepted_by, found.accepted.why) == ("Ada", "first release")
    assert found.accepted.accepted_at.endswith("+00:00")
    assert len(found.accepted.accepted_at) == len("2026-01-01T00:00:00+00:00")
    assert found.accepted.scorecard == sha256_file(here / "card/scorecard.json")
    assert "accuracy" in found.samples
    assert found.images is not None


def test_all_evidence_goes_along_where_it_is_asked_for(e360, here):
    assert e360("baseline", "accept", "card/scorecard.json", "--why", "w", "--by", "A", "--with-evidence")[0] == 0
    card = json.loads((here / "card/scorecard.json").read_text())
    named = {artifact["path"] for axis in card["axes"] for artifact in axis["artifacts"]}
    assert named <= set(_contents(here / "reports/baseline"))
    assert "evidence/accuracy.npz" in named


def test_the_history_keeps_every_acceptance(e360, here):
    for number in ("one", "two", "three"):
        assert e360("baseline", "accept", "card", "--why", number, "--by", "Ada")[0] == 0
    lines = [json.loads(line) for line in (here / "reports/baseline/history.jsonl").read_text().splitlines()]
    assert [line["why"] for line in lines] == ["one", "two", "three"]
    card = json.loads((here / "card/scorecard.json").read_text())
    assert {(line["model"], line["fingerprint"], line["accepted_by"], line["verdict"]) for line in lines} == {
        ("zoo:digits_transformer", card["subject"]["fingerprint"], "Ada", "pass")
    }
    out = e360("baseline", "show")[1]
    assert out.index("three") < out.rindex("two") < out.rindex("one")


def test_show_tells_who_when_why_and_the_headline(e360):
    e360("baseline", "accept", "card", "--why", "better\x1b[31m at night", "--by", "Ada", "--to", "kept")
    code, out, _ = e360("baseline", "show", "kept")
    assert code == 0
    assert "by Ada" in out
    assert "at night" in out
    assert "\x1b" not in out
    assert "Top-1 accuracy" in out
    assert "blocking checks passed" in out


def test_there_is_nothing_to_show_before_one_is_accepted(e360):
    code, _, err = e360("baseline", "show")
    assert code == 2
    assert "no accepted baseline" in err
    assert "e360 baseline accept" in err


def test_a_reason_is_required(e360, here):
    assert e360("baseline", "accept", "card")[0] == 2
    for empty in ("", " \n\t"):
        code, _, err = e360("baseline", "accept", "card", "--why", empty)
        assert code == 2
        assert "--why is empty" in err
    assert not (here / "reports").exists()


def test_git_knows_who_it_is_else_the_login_does(e360, here, monkeypatch):
    config = here / "config"
    config.write_text('[user]\n\tname = "Grace Hopper"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert "accepted by Grace Hopper" in e360("baseline", "accept", "card", "--why", "w")[1]
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("LOGNAME", "hopper")
    assert "accepted by hopper" in e360("baseline", "accept", "card", "--why", "w")[1]


def test_a_verdict_that_is_not_pass_needs_force_and_goes_on_record(e360, here):
    code, _, err = e360("baseline", "accept", "bad", "--why", "w", "--by", "Ada")
    assert code == 2
    assert "fail, not pass" in err
    assert not (here / "reports").exists()
    assert e360("baseline", "accept", "bad", "--why", "w", "--by", "Ada", "--force")[0] == 0
    assert baseline.history(here / "reports/baseline")[0].verdict == "fail"
    assert "though its verdict was fail" in e360("baseline", "show")[1]


def test_evidence_that_was_changed_is_refused_even_where_it_stays_behind(e360, here):
    for name in ("accuracy.samples.npz", "accuracy.npz"):
        file = here / "card/evidence" / name
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        code, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
        assert code == 2
        assert "hashes differ" in err
        file.write_bytes(whole)
    assert not (here / "reports").exists()


def test_samples_that_are_not_there_are_missed(e360, here):
    (here / "card/evidence/accuracy.samples.npz").unlink()
    code, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    assert code == 2
    assert "'evidence/accuracy.samples.npz', which is not beside it" in err


@pytest.mark.parametrize(
    "name",
    ["../card/x", "evidence/../../card/x", "/etc/hostname", "baseline.json", "History.jsonl", "a\\b", "a\nb", "", "x/"],
)
def test_a_name_that_leads_elsewhere_is_refused(e360, here, name):
    (here / "card/x").write_bytes(b"mine")

    def point(card):
        card["axes"][0]["artifacts"] = [{"path": name, "sha256": sha256_file(here / "card/x"), "kind": "samples"}]

    _edit(here / "card", point)
    code, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    assert code == 2
    assert "names a file" in err
    assert len(err.splitlines()) == 1
    assert not (here / "reports").exists()


def test_a_link_out_of_the_folder_is_refused(e360, here):
    file = here / "card/evidence/accuracy.samples.npz"
    shutil.move(file, here / "elsewhere.npz")
    file.symlink_to(here / "elsewhere.npz")
    code, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    assert code == 2
    assert "outside of its folder" in err


@pytest.mark.parametrize("step", range(9))
def test_whenever_it_is_interrupted_the_old_baseline_stays(e360, here, monkeypatch, step):
    assert e360("baseline", "accept", "card", "--why", "old", "--by", "Ada")[0] == 0
    before = _contents(here / "reports")
    left = [step]

    def interrupting(function):
        def do(*arguments):
            left[0] -= 1
            if left[0] == -1:
                raise KeyboardInterrupt
            return function(*arguments)

        return do

    monkeypatch.setattr(baseline, "write_atomic", interrupting(baseline.write_atomic))
    monkeypatch.setattr(Path, "rename", interrupting(Path.rename))
    code, _, _ = e360("baseline", "accept", "bad", "--why", "new", "--by", "Ada", "--force")
    monkeypatch.undo()
    after = _contents(here / "reports")
    if code == 0:
        assert step > 3
        assert baseline.accepted_baseline(here / "reports/baseline")[1].why == "new"
    else:
        assert code == 3
        assert after == before


def test_one_that_was_killed_in_the_middle_of_the_exchange_is_put_back(e360, here):
    e360("baseline", "accept", "card", "--why", "old", "--by", "Ada")
    (here / "reports/baseline").rename(here / "reports/.baseline.before")
    assert e360("baseline", "accept", "card", "--why", "new", "--by", "Ada")[0] == 0
    assert [line.why for line in baseline.history(here / "reports/baseline")] == ["old", "new"]
    assert [path.name for path in (here / "reports").iterdir()] == ["baseline"]


def test_a_folder_that_holds_something_else_is_left_alone(e360, here):
    code, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada", "--to", "bad")
    assert code == 2
    assert "a folder of its own" in err
    assert not (here / "bad/baseline.json").exists()
    assert e360("baseline", "accept", "card", "--why", "w", "--by", "Ada", "--to", "a.toml")[0] == 2


def test_what_people_keep_beside_a_baseline_stays_and_the_old_one_goes(e360, here):
    e360("baseline", "accept", "card", "--why", "old", "--by", "Ada", "--with-evidence")
    (here / "reports/baseline/note.md").write_text("mine")
    assert (here / "reports/baseline/evidence/cost.npz").exists()
    e360("baseline", "accept", "card", "--why", "new", "--by", "Ada")
    assert (here / "reports/baseline/note.md").read_text() == "mine"
    assert not (here / "reports/baseline/evidence/cost.npz").exists()


def test_a_baseline_that_was_edited_is_not_shown_until_it_is_accepted_again(e360, here):
    e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    _edit(here / "reports/baseline", lambda card: card["subject"].update(name="other"))
    code, _, err = e360("baseline", "show")
    assert code == 2
    assert "was changed after Ada accepted it" in err
    assert e360("baseline", "accept", "reports/baseline", "--why", "renamed", "--by", "Ada")[0] == 0
    assert "other" in e360("baseline", "show")[1]


def test_a_history_that_was_damaged_is_named_by_its_line(e360, here):
    e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    with (here / "reports/baseline/history.jsonl").open("a") as file:
        file.write("{}\n")
    code, _, err = e360("baseline", "show")
    assert code == 2
    assert "history.jsonl line 2" in err


def test_whoever_accepts_the_first_one_is_told_to_make_it_required(e360, here):
    _, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    assert 'without_baseline = "block"' in err
    audit = here / "a.toml"
    audit.write_text(audit.read_text().replace('without_baseline = "pass"', 'without_baseline = "block"'))
    assert "without_baseline" not in e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")[2]


def test_a_scorecard_without_samples_is_accepted_with_a_warning(e360, here):
    def strip(card):
        for axis in card["axes"]:
            axis["artifacts"] = [one for one in axis["artifacts"] if one["kind"] != "samples"]

    _edit(here / "card", strip)
    code, _, err = e360("baseline", "accept", "card", "--why", "w", "--by", "Ada")
    assert code == 0
    assert "holds no samples" in err
