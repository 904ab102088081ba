"""`e360 history`: finds past scorecards, names those that it cannot show, writes a page."""

from __future__ import annotations

import json
import shutil

import pytest

from efficiency360.cli.app import run


@pytest.fixture
def past(root, tmp_path):
    """Scorecards at several depths, under names of releases."""
    for index, name in enumerate(("efficientnet-lite0", "efficientnet-lite1"), start=1):
        target = tmp_path / "past" / f"2026/v{index}"
        target.mkdir(parents=True)
        shutil.copy(root / "reports" / name / "scorecard.json", target)
    return tmp_path / "past"


@pytest.fixture
def said(capsys):
    def do(*arguments):
        code = run(["history", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return do


def test_it_shows_scorecards_at_any_depth_and_needs_no_evidence(said, past):
    code, out, err = said(past)
    assert (code, err) == (0, "")
    assert "2026/v1" in out
    assert "2026/v2" in out
    assert "Top-1 accuracy" in out


@pytest.mark.parametrize("language", ["en", "ja"])
def test_it_writes_a_page_on_demand(said, past, tmp_path, language):
    page = tmp_path / "pages" / "history.html"
    code, out, _ = said(past, "--out", page, "--lang", language)
    assert code == 0
    assert f'<html lang="{language}">' in page.read_text(encoding="utf-8")
    assert "history: " in out


def test_broken_ones_are_named_and_skipped_copies_and_old_versions_are_not_trouble(said, past):
    good = json.loads((past / "2026/v1/scorecard.json").read_text())
    for name, content in {
        "cut": '{"schema_version": 2, "subject"',
        "future": json.dumps({**good, "schema_version": 99}),
        "timeless": json.dumps({**good, "environment": {**good["environment"], "started_at": "once"}}),
        "copy": json.dumps(good),
        "again": json.dumps(good),
    }.items():
        (past / name).mkdir()
        (past / name / "scorecard.json").write_text(content)
    (past / "named.json").write_text(json.dumps({**good, "schema_version": 1, "command": "older"}))
    (past / "package.json").write_text('{"name": "something else"}')
    (past / ".hidden").mkdir()
    (past / ".hidden" / "scorecard.json").write_text("{")
    code, out, err = said(past)
    assert code == 0
    lines = err.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["skipped"] * 4
    for name in ("cut", "future", "timeless", "copy"):
        assert sum(f"/{name}/scorecard.json" in line for line in lines) == 1, name
    assert "schema version 99" in err
    assert "names no time" in err
    assert "same scorecard as again" in err
    assert "named" in out


def test_a_changed_sample_file_makes_an_audit_one_that_cannot_be_trusted(said, past):
    card = past / "2026/v1/scorecard.json"
    content = json.loads(card.read_text())
    artifact = next(one for axis in content["axes"] for one in axis["artifacts"] if one["kind"] == "samples")
    (card.parent / artifact["path"]).parent.mkdir(parents=True, exist_ok=True)
    (card.parent / artifact["path"]).write_bytes(b"something else")
    code, out, err = said(past)
    assert code == 0
    assert "the hashes differ" in err
    assert "2026/v1" not in out


@pytest.mark.parametrize(
    ("where", "complaint"),
    [("nowhere", "no such folder"), ("empty", "holds no scorecard.json"), ("file", "not a folder")],
)
def test_a_folder_without_any_is_an_error_that_says_what_to_give(said, tmp_path, where, complaint):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    code, out, err = said(tmp_path / where)
    assert (code, out) == (2, "")
    assert complaint in err
    assert len(err.splitlines()) == 1


def test_where_none_can_be_shown_that_is_an_error(said, tmp_path):
    (tmp_path / "scorecard.json").write_text("{}")
    code, _, err = said(tmp_path)
    assert code == 2
    assert "none of the 1 scorecards" in err


def test_it_overwrites_no_scorecard_and_speaks_two_languages_only(said, past):
    card = past / "2026/v1/scorecard.json"
    before = card.read_bytes()
    assert said(past, "--out", card)[0] == 2
    assert said(past, "--out", past)[0] == 2
    assert said(past, "--lang", "fr")[0] == 2
    assert card.read_bytes() == before
