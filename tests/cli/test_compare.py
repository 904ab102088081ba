"""`e360 compare` puts audits side by side, or says in one line why it cannot."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def audits(tmp_path, root):
    """Two copies of a kept audit, one of another, and a broken one."""
    for name, source in (("a", "efficientnet-lite0"), ("b", "efficientnet-lite0"), ("c", "efficientnet-lite1")):
        (tmp_path / name).mkdir()
        shutil.copy(root / "reports" / source / "scorecard.json", tmp_path / name)
    (tmp_path / "cut").mkdir()
    whole = (tmp_path / "a/scorecard.json").read_bytes()
    (tmp_path / "cut/scorecard.json").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_it_prints_a_table_and_writes_a_page_where_it_says(e360, audits):
    answer = e360("compare", "a", "c/scorecard.json")
    assert answer.code == 0, answer.err
    assert not answer.err
    assert "efficientnet-lite1.pth" in answer.out
    assert "▼ worse" in answer.out
    assert answer.out.endswith("comparison: e360-out/comparison.html\n")
    page = (audits / "e360-out/comparison.html").read_text()
    assert "+55.6 %" in page
    assert page.count('class="chart scatter"') == 12


def test_models_of_one_name_are_told_apart_by_their_folders(e360, audits):
    answer = e360("compare", "a", "b", "c", "--out", "x/y.html")
    assert answer.code == 0, answer.err
    assert "efficientnet-lite0.pth (b)" in answer.out
    assert "efficientnet-lite0.pth (a)" in (audits / "x/y.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a"], "at least two"),
        ([], "SCORECARD"),
        (["a", "nowhere"], "nowhere: No such file"),
        (["a", "cut"], "cut/scorecard.json is not a scorecard, or was cut off"),
        (["a", "c", "a"], "a is given twice"),
        (["a", "a/scorecard.json"], "a/scorecard.json is given twice"),
        (["a", "../{}/a/."], "is given twice"),
        (["a", "c", "--out", "c/scorecard.json"], "would overwrite a scorecard"),
        (["a", "c", "--threads", "2"], "--threads is for timing models"),
        (["a", "c", "--arch", "timm:resnet18"], "--arch is for timing models"),
        (["a", "c", "--trust-code"], "--trust-code is for timing models"),
        (["a", "c", "--seed", "0"], "--seed is for timing models"),
        (["a", "c", "--format", "csv"], "--format"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(e360, audits, arguments, says):
    answer = e360("compare", *(argument.format(audits.name) for argument in arguments))
    assert answer.code == 2
    assert says in answer.complaint
    assert not list(audits.rglob("*.html"))


@pytest.mark.usefixtures("audits")
def test_two_audits_of_one_model_show_no_difference(e360):
    answer = e360("compare", "a", "b")
    assert answer.code == 0
    assert "worse" not in answer.out.partition("comparison:")[0]
    assert "better" not in answer.out
    assert "the same" in answer.out
    assert "none shown" in answer.out


def test_options_of_timing_reach_it_as_they_were_given(monkeypatch):
    from efficiency360.cli import app, interleaved  # noqa: PLC0415 - the command line is what is tested

    seen = {}
    monkeypatch.setattr(interleaved, "run", lambda subjects, **options: seen.update(options, subjects=subjects) or 3)
    arguments = "--arch timm:x --arch timm:y --input 3x8x8 --threads 2 --seconds 1.5 --seed 7 --strict"
    code = app.run(["compare", "--interleaved", "a.pt", "b.pt", "--manifest", "m.toml", *arguments.split()])
    assert code == 3
    assert seen["subjects"] == ["a.pt", "b.pt"]
    assert seen["arch"] == ["timm:x", "timm:y"]
    assert (seen["input"], seen["threads"], seen["seconds"], seen["seed"]) == ((3, 8, 8), 2, 1.5, 7)
    assert (seen["device"], seen["trust_code"], seen["strict"], seen["out"]) == ("auto", False, True, None)
    assert [path.name for path in seen["manifest"]] == ["m.toml"]
