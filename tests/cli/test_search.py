"""`e360 search` as a user meets it: what it refuses, and in which words."""

from __future__ import annotations

import pytest
import searches

from efficiency360.cli.app import run
from efficiency360.search import api


@pytest.fixture
def complaint(capsys):
    def complain(*arguments):
        code = run(["search", *map(str, arguments)])
        return code, capsys.readouterr().err.strip()

    return complain


def test_the_example_is_a_constraints_file(tmp_path, capsys, complaint):
    assert run(["search", "--example"]) == 0
    (tmp_path / "c.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    code, said = complaint(tmp_path / "c.toml")
    assert code == 2
    assert "no data at" in said  # the example's own data are not here, so all of the file was understood


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a constraints file; e360 search --example prints one"),
        (("none.toml",), "none.toml: No such file"),
        (("c.toml",), "no images: give --data"),
        (("c.toml", "--profile", "lite"), "no such profile; did you mean 'light'?"),
        (("c.toml", "--data", "digits-train", "--strategy", "evoluton"), "did you mean 'evolution'?"),
        (("c.toml", "--data", "digits-train", "--budget", "soon"), "--budget soon: give a time such as 90s, 10m or 2h"),
        (("c.toml", "--data", "digits-train", "--audit", "egde-camera"), "no audit file 'egde-camera'"),
        (("bad.toml",), "unknown key 'limits.mac'; did you mean 'macs'?"),
        (("c.toml", "--data", "digits-train", "--lang", "tlh"), "--lang tlh: the report speaks en and ja"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, monkeypatch, complaint, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text("[limits]\nmacs = 1e6\n", encoding="utf-8")
    (tmp_path / "bad.toml").write_text("[limits]\nmac = 1e6\n", encoding="utf-8")
    code, line = complaint(*arguments)
    assert code == 2
    assert said in line
    assert len(line.splitlines()) == 1


def test_a_missing_optuna_is_named_with_the_way_to_get_it(tmp_path, monkeypatch, complaint):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    (tmp_path / "c.toml").write_text("channels = 1\n", encoding="utf-8")
    code, line = complaint(tmp_path / "c.toml", "--data", "digits-train", "--out", tmp_path / "out")
    assert code == 2
    assert "a search needs Optuna: pip install 'efficiency360[search]'" in line


@pytest.fixture
def kept(tmp_path):
    """The folder of a search that has ended."""
    (tmp_path / "search.json").write_text(searches.found().model_dump_json(), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_report_is_written_in_the_language_that_was_asked_for(kept, monkeypatch, lang):
    monkeypatch.setattr(api, "search", lambda *_: searches.found())
    (kept / "c.toml").write_text("channels = 1\n", encoding="utf-8")
    assert run(["search", str(kept / "c.toml"), "--data", "digits-train", "--out", str(kept), "--lang", lang]) == 0
    page = (kept / "report.html").read_bytes()
    assert f'<html lang="{lang}">'.encode() in page
    assert run(["report", str(kept), "--lang", lang, "--out", str(kept / "again.html")]) == 0
    assert (kept / "again.html").read_bytes() == page


def test_the_result_of_a_search_is_rendered_by_its_file_beside_it(kept, capsys):
    assert run(["report", str(kept / "search.json"), "--lang", "ja"]) == 0
    assert capsys.readouterr().out.strip() == f"report: {kept / 'report.html'}"
    assert "パレートフロント" in (kept / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({}, ["--format", "csv"], "--format csv: of a search there is html only"),
        ({"strategy": "guessing"}, [], "its parts do not belong together"),
        ({"candidates": ()}, [], "its parts do not belong together"),
    ],
)
def test_a_search_that_cannot_be_rendered_says_why(kept, capsys, changes, arguments, said):
    (kept / "search.json").write_text(searches.found(**changes).model_dump_json(), encoding="utf-8")
    assert run(["report", str(kept), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": 1}', "\0", "[" * 100_000])
def test_what_is_no_search_is_refused_in_one_line(kept, capsys, content):
    (kept / "search.json").write_text(content, encoding="utf-8")
    assert run(["report", str(kept)]) == 2
    line = capsys.readouterr().err.strip()
    assert "is not a search's result" in line
    assert len(line.splitlines()) == 1


def test_a_folder_with_a_scorecard_too_is_that_of_an_audit(kept, capsys):
    (kept / "scorecard.json").write_text("{}", encoding="utf-8")
    assert run(["report", str(kept)]) == 2
    assert "is not a scorecard" in capsys.readouterr().err


def test_data_that_come_with_the_package_need_no_path(tmp_path, complaint):
    text = 'data = "digits-train"\nchannels = 1\n[space]\nsize = [8]\npatch = [2]\nunit = [2]\nhead_width = [8]\n'
    text += 'stages = [1]\ndepth = [1]\nwidth = [8]\nmlp_ratio = [1]\nattention = ["global"]\npool = [false]\n'
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    code, line = complaint(tmp_path / "c.toml", "--out", tmp_path / "out")
    assert code == 2
    assert "space: every key leaves one choice" in line  # the digits were found
