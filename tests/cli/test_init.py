"""`e360 init`: what it writes, and that it takes nothing away."""

from __future__ import annotations

import shlex
import tomllib

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from efficiency360 import starter
from efficiency360.cli.app import run
from efficiency360.spec import load_audit

WRITTEN = {"audits/release.toml", "reports/README.md", ".github/workflows/e360.yml", ".gitignore"}
DEMO = "e360 audit zoo:digits_transformer --data digits --audit audits/release.toml --out e360-out"


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Run `e360 init` in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def do(*arguments):
        code = run(["init", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return do


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def _audit_line(folder):
    workflow = yaml.safe_load((folder / ".github/workflows/e360.yml").read_text())
    step = next(step for step in workflow["jobs"]["audit"]["steps"] if step.get("name") == "Audit")
    return step["run"].strip().removesuffix(" || [ $? -ne 2 ]")


def test_it_says_what_it_wrote_and_which_two_commands_come_next(init, tmp_path):
    code, out, _ = init()
    assert code == 0
    assert set(_files(tmp_path)) == WRITTEN
    assert all(f"wrote   {name}" in out for name in WRITTEN)
    assert [line.strip() for line in out.splitlines()[-2:]] == [
        DEMO,
        'e360 baseline accept e360-out --why "first release"',
    ]


def test_the_audit_file_loads_compares_with_the_baseline_and_gives_every_reason(init):
    init()
    spec = load_audit("audits/release.toml")
    assert (spec.baseline, spec.without_baseline) == ("../reports/baseline", "pass")
    relative = [rule for rule in spec.rules if rule.no_worse_than_baseline]
    assert {rule.measurement for rule in relative} >= {"accuracy.top1", "cost.macs"}
    assert any(rule.severity == "block" for rule in relative)
    assert all(len(rule.rationale) > 20 for rule in (*spec.rules, *spec.scores))
    assert not spec.waivers


def test_what_is_commented_out_in_the_audit_file_would_load_as_well(init, tmp_path):
    init()
    file = tmp_path / "audits/release.toml"
    examples = [block[block.index("# [[") :] for block in file.read_text().split("\n\n") if "# [[" in block]
    added = "\n".join(line.removeprefix("# ") for example in examples for line in example.splitlines())
    assert {"waivers", "rules"} == set(tomllib.loads(added))
    file.write_text(f"{file.read_text()}\n[axes.speed]\n{added}\n")
    assert load_audit("audits/release.toml").waivers[0].rule == "macs-keep-up"


def test_a_second_time_changes_nothing(init, tmp_path):
    init()
    before = _files(tmp_path)
    code, out, err = init()
    assert code == 2
    assert out == ""
    assert all(name in err for name in WRITTEN - {".gitignore"})
    assert _files(tmp_path) == before


def test_what_is_there_is_kept_what_is_missing_is_written_and_force_writes_all(init, tmp_path):
    (tmp_path / "audits").mkdir()
    (tmp_path / "audits/release.toml").write_text("mine")
    (tmp_path / ".gitignore").write_text("*.pyc")
    code, out, err = init()
    assert code == 0
    assert "kept    audits/release.toml" in err
    assert "wrote   audits/release.toml" not in out
    assert _files(tmp_path)["audits/release.toml"] == "mine"
    assert _files(tmp_path)[".gitignore"] == "*.pyc\ne360-out/\n"
    assert init("--force")[0] == 0
    assert _files(tmp_path)["audits/release.toml"] != "mine"
    assert _files(tmp_path)[".gitignore"] == "*.pyc\ne360-out/\n"


def test_without_arguments_the_workflow_audits_the_model_that_e360_brings_and_says_so(init, tmp_path):
    init()
    assert _audit_line(tmp_path) == DEMO
    assert "the model that comes with e360" in _files(tmp_path)[".github/workflows/e360.yml"]
    assert DEMO in _files(tmp_path)["reports/README.md"]


def test_a_model_of_ones_own_is_named_as_the_repository_sees_it(init, tmp_path):
    repository = tmp_path / "product"
    for name in ("models/it's mine.pt", "data/val/x", "nets.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).touch()
    code, _, err = init(
        "product", "--model", "product/models/it's mine.pt", "--data", "data/val", "--arch", "product/nets.py:net"
    )
    assert (code, err) == (0, "")
    assert shlex.split(_audit_line(repository))[2:7] == [
        "models/it's mine.pt",
        "--arch",
        "nets.py:net",
        "--data",
        "data/val",
    ]
    assert "that comes with e360" not in _files(repository)[".github/workflows/e360.yml"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--model", "m.pt"], "--data is missing"),
        (["--data", "digits"], "--model is missing"),
        (["--model", "/etc/hostname", "--data", "digits"], "sees only what is in the repository"),
        (["--model", "../m.pt", "--data", "digits"], "sees only what is in the repository"),
        (["--model", "a\nb.pt", "--data", "digits"], "rename it"),
        (["--model", "${{ github.token }}.pt", "--data", "digits"], "rename it"),
        (["a-file"], "is a file"),
        (["--ci", "jenkins"], "jenkins"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(init, tmp_path, arguments, complaint):
    (tmp_path / "a-file").touch()
    code, _, err = init(*arguments)
    assert code == 2
    assert complaint in err
    assert set(_files(tmp_path)) == {"a-file"}


def test_a_name_with_a_hyphen_in_front_stays_a_name(init, tmp_path):
    for name in ("-m.pt", "--data"):
        (tmp_path / name).touch()
    assert init("--model=-m.pt", "--data=--data")[0] == 0
    assert shlex.split(_audit_line(tmp_path))[2:5] == ["./-m.pt", "--data", "./--data"]


def test_a_pipeline_of_ones_own_at_gitlab_is_kept_and_the_line_to_add_is_told(init, tmp_path):
    (tmp_path / ".gitlab-ci.yml").write_text("test:\n  script: make\n")
    code, _, err = init("--ci", "gitlab")
    assert code == 0
    assert "local: .gitlab/e360.yml" in err
    assert _files(tmp_path)[".gitlab-ci.yml"] == "test:\n  script: make\n"


def test_without_a_pipeline_only_the_audit_and_its_place_are_written(init, tmp_path):
    assert init("--ci", "none")[0] == 0
    assert set(_files(tmp_path)) == WRITTEN - {".github/workflows/e360.yml"}


def test_the_wheel_carries_what_is_written(root):
    packed = {file.distribution_path for file in WheelBuilder(str(root)).recurse_included_files()}
    ours = {path.name for path in (root / "efficiency360/starter").iterdir() if path.is_file()}
    assert {"release.toml", "reports.md", "github.yml", "gitlab.yml"} < ours
    assert {f"efficiency360/starter/{name}" for name in ours} <= packed


def test_what_git_leaves_out_already_is_not_added_again():
    for text in ("e360-out/\n", "/e360-out/\n", "*.pyc\n e360-out\n"):
        assert starter.ignoring(text) == text
    assert starter.ignoring("") == "e360-out/\n"
    assert starter.ignoring("my-e360-out/") == "my-e360-out/\ne360-out/\n"


PILOT = {"audits/pilot.toml", "pilot/plan.en.md", "pilot/plan.ja.md"}


def test_a_pilot_is_an_audit_file_and_its_plan_in_two_languages_and_no_workflow(init, tmp_path):
    code, out, _ = init("--poc")
    assert code == 0
    assert set(_files(tmp_path)) == PILOT | {".gitignore"}
    assert all(f"wrote   {name}" in out for name in PILOT)
    spec = load_audit("audits/pilot.toml")
    for name in PILOT - {"audits/pilot.toml"}:
        assert all(f"`{rule.id}`" in _files(tmp_path)[name] for rule in spec.rules)
    assert "--audit audits/pilot.toml" in out.splitlines()[-1]


def test_a_plan_made_anew_tells_the_audit_file_that_is_there(init, tmp_path):
    init("--poc")
    file = tmp_path / "audits/pilot.toml"
    file.write_text(file.read_text().replace("at_most = 200\n", "at_most = 35\n"))
    (tmp_path / "pilot/plan.en.md").unlink()
    code, out, err = init("--poc")
    assert code == 0
    assert "at most 35 ms" in _files(tmp_path)["pilot/plan.en.md"]
    assert "at_most = 35" in _files(tmp_path)["audits/pilot.toml"]
    assert "kept    audits/pilot.toml" in err
    assert "wrote   pilot/plan.en.md" in out


def test_a_pilot_is_written_over_by_force_only(init, tmp_path):
    init("--poc")
    (tmp_path / "pilot/plan.ja.md").write_text("mine")
    before = _files(tmp_path)
    code, out, err = init("--poc")
    assert (code, out) == (2, "")
    assert "nothing written" in err
    assert _files(tmp_path) == before
    assert init("--poc", "--force")[0] == 0
    assert _files(tmp_path)["pilot/plan.ja.md"] != "mine"


def test_a_mistake_in_the_audit_file_of_a_pilot_is_one_line_and_nothing_is_written(init, tmp_path):
    (tmp_path / "audits").mkdir()
    (tmp_path / "audits/pilot.toml").write_text('titel = "x"\n')
    code, out, err = init("--poc")
    assert (code, out) == (2, "")
    assert "did you mean 'title'" in err
    assert set(_files(tmp_path)) == {"audits/pilot.toml"}


def test_a_pilot_audits_a_model_of_ones_own(init, tmp_path):
    (tmp_path / "new.pt").touch()
    code, out, _ = init("--poc", "--model", "new.pt", "--data", "digits")
    assert code == 0
    line = "e360 audit new.pt --data digits --audit audits/pilot.toml --out e360-out"
    assert line in out
    assert all(line in _files(tmp_path)[name] for name in ("pilot/plan.en.md", "pilot/plan.ja.md"))
