"""The gate judges by the audit file that the scorecard was made with, wherever it lies."""

from __future__ import annotations

import subprocess
import sys


def test_the_gate_uses_the_users_own_file_even_where_a_shipped_one_has_its_name(e360, tmp_path):
    (tmp_path / "audits").mkdir()
    mine = (
        'title = "t"\n[axes.accuracy]\n'
        '[[rules]]\nid = "r"\nmeasurement = "accuracy.top1"\nat_least = 0.9999\nseverity = "block"\nrationale = "r"\n'
    )
    (tmp_path / "audits/release.toml").write_text(mine)
    audit = e360(
        "audit", "zoo:digits_transformer", "--data", "digits", "--audit", "audits/release.toml", "--out", "own"
    )
    assert audit.code == 1
    assert e360("gate", "own").code == 1
    shipped = e360("gate", "own", "--audit", "release")
    assert shipped.code == 3, "the shipped file asks for more than accuracy"
    assert "axis cost" in shipped.out + shipped.err


def test_the_gate_says_so_where_the_audit_file_has_changed(e360, tmp_path):
    audit = tmp_path / "a.toml"
    rule = '[[rules]]\nid = "r"\nmeasurement = "cost.params"\nat_most = {}\nrationale = "r"\n'
    audit.write_text('title = "t"\n[axes.cost]\n' + rule.format(1_000_000))
    assert e360("audit", "zoo:digits_transformer", "--audit", "a.toml", "--out", "out").code == 0
    assert "note:" not in e360("gate", "out").err
    audit.write_text('title = "t"\n[axes.cost]\n' + rule.format(1000))
    answer = e360("gate", "out")
    assert answer.code == 1
    assert "is not what the scorecard was made with" in answer.err


def test_a_closed_pipe_does_not_change_the_answer(e360, tmp_path):
    e360("audit", "zoo:digits_transformer", "--data", "digits", "--out", "out")
    gate = subprocess.Popen(
        [sys.executable, "-m", "efficiency360", "gate", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    gate.stdout.close()
    _, err = gate.communicate(timeout=60)
    assert gate.returncode == 0, err
    assert not err
