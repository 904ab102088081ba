"""A dry run says what would run and measures nothing."""

from __future__ import annotations

from efficiency360.axes import axis_ids


def test_it_lists_axes_with_time_and_memory_and_never_passes(e360, tmp_path):
    answer = e360("audit", "zoo:digits_transformer", "--data", "digits", "--audit", "standard", "--dry-run")
    assert answer.code == 3, answer.err
    rows = {line.split()[0]: line for line in answer.out.splitlines() if line.split() and line.split()[0] in axis_ids()}
    assert set(rows) == {
        "cost",
        "speed",
        "accuracy",
        "uncertainty",
        "robustness",
        "privacy",
        "transparency",
        "fairness",
        "resolution",
    }
    assert all((" s " in row or " min " in row) and " MB" in row for row in rows.values())
    assert "in all about" in answer.out
    assert not (tmp_path / "e360-out").exists()


def test_an_axis_that_will_not_run_says_why(e360):
    answer = e360("audit", "zoo:digits_transformer", "--axes", "cost,accuracy", "--dry-run")
    assert "will not run: no data was given" in " ".join(answer.out.split())
    assert answer.code == 3


def test_bad_input_is_found_before_anything_runs(e360):
    answer = e360("audit", "zoo:digits_transformer", "--dry-run", "--data", "nowhere")
    assert answer.code == 2
    assert "no data at nowhere" in answer.complaint
