"""`e360 search` as a user meets it: what it refuses, and in which words."""

from __future__ import annotations

import pytest

from efficiency360.cli.app import run


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
