"""`e360 gallery` writes a front page, or says in one line why it cannot."""

from __future__ import annotations

import shutil

import pytest

from efficiency360.render import gallery
from efficiency360.scorecards import read_scorecard


@pytest.fixture
def reports(tmp_path, root):
    """A folder with two copies of a kept report, and things that are no reports."""
    folder = tmp_path / "reports"
    for name in ("one", "two"):
        shutil.copytree(root / "reports/digits-demo", folder / name)
    (folder / "empty").mkdir()
    (folder / "README.md").write_text("not a report\n")
    return folder


def test_it_writes_the_front_page_of_the_subfolders(e360, reports):
    answer = e360("gallery", "reports")
    assert answer.code == 0, answer.err
    assert "reports/index.html" in answer.out
    assert not answer.err
    cards = {name: read_scorecard(reports / name) for name in ("one", "two")}
    assert (reports / "index.html").read_bytes() == gallery.render(cards).encode()


def test_a_link_that_would_lead_nowhere_is_noted(e360, reports):
    (reports / "two/report.html").unlink()
    answer = e360("gallery", "reports")
    assert answer.code == 0
    assert "e360 report reports/two" in answer.err
    assert "reports/one" not in answer.err


@pytest.mark.parametrize(("folder", "says"), [("nowhere", "no such folder"), ("reports/README.md", "not a folder")])
def test_what_is_no_folder_is_named(e360, reports, folder, says):
    answer = e360("gallery", folder)
    assert answer.code == 2
    assert f"{folder}: {says}" in answer.complaint
    assert not (reports / "index.html").exists()


def test_a_folder_without_scorecards_says_what_to_give(e360, reports):
    answer = e360("gallery", "reports/one")
    assert answer.code == 2
    assert "no folder in reports/one holds a scorecard.json" in answer.complaint
    assert not (reports / "one/index.html").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 99}', "\x00"])
def test_a_broken_scorecard_is_named_and_nothing_is_written(e360, reports, content):
    (reports / "two/scorecard.json").write_text(content)
    answer = e360("gallery", "reports")
    assert answer.code == 2
    assert "reports/two/scorecard.json" in answer.complaint
    assert not (reports / "index.html").exists()
