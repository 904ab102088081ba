"""The action: well-formed, deaf to what its inputs would like the shell to do, and failing when the model does."""

from __future__ import annotations

import json
import re

import pytest
import yaml

AUDIT = """
title = "t"
[axes.cost]
[[rules]]
id = "small"
measurement = "{measurement}"
at_most = {limit}
rationale = "r"
"""
DEMO = "zoo:digits_transformer"
RUN_KEYS = {"id", "name", "if", "shell", "env", "run", "working-directory", "continue-on-error"}
USES_KEYS = {"id", "name", "if", "uses", "with", "env", "continue-on-error"}


@pytest.fixture(scope="module")
def action(root):
    return yaml.safe_load((root / "action.yml").read_text())


@pytest.fixture
def steps(action):
    return action["runs"]["steps"]


@pytest.fixture
def audit_file(runner):
    """Writes an audit file with one limit into the workspace."""

    def write(limit=10**9, measurement="cost.params"):
        (runner.workspace / "a.toml").write_text(AUDIT.format(limit=limit, measurement=measurement))
        return "a.toml"

    return write


def _expressions(value) -> list[str]:
    """All expressions in nested tables, those of `if` included."""
    if isinstance(value, dict):
        bare = [str(value["if"])] if "if" in value else []
        return bare + [found for one in value.values() for found in _expressions(one)]
    if isinstance(value, list):
        return [found for one in value for found in _expressions(one)]
    return re.findall(r"\$\{\{(.*?)\}\}", str(value))


def test_steps_have_only_the_keys_that_a_composite_action_knows(action, steps):
    assert action["runs"]["using"] == "composite"
    assert action.keys() == {"name", "description", "branding", "inputs", "outputs", "runs"}
    for step in steps:
        assert ("run" in step) != ("uses" in step)
        assert step.keys() <= (RUN_KEYS if "run" in step else USES_KEYS)
        assert ("shell" in step) == ("run" in step)


def test_inputs_and_outputs_are_described_and_typed_as_text(action):
    for about in action["inputs"].values():
        assert about["description"]
        assert about.get("required") is True or isinstance(about["default"], str)
    for about in action["outputs"].values():
        assert about.keys() == {"description", "value"}


def test_every_name_in_an_expression_exists_and_every_input_is_used(action, steps):
    text = " ".join(_expressions(steps) + _expressions(action["outputs"]))
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == action["inputs"].keys()
    written = {
        f"{step['id']}.{name}" for step in steps if "id" in step for name in re.findall(r'echo "([\w-]+)=', step["run"])
    }
    assert set(re.findall(r"steps\.([\w-]+)\.outputs\.([\w-]+)", text)) == {tuple(one.split(".")) for one in written}
    assert set(re.findall(r"steps\.([\w-]+)\.outcome", text)) <= {step.get("id") for step in steps}


def test_no_expression_gets_into_a_script(steps):
    scripts = [step["run"] for step in steps if "run" in step]
    assert scripts
    assert not any("${{" in script for script in scripts)


def test_every_variable_of_a_script_is_given_to_it(steps):
    for step in steps:
        for name in set(re.findall(r"\$\{?([A-Z][A-Z_]+)", step.get("run", ""))):
            assert name in step.get("env", {}) or name.startswith(("GITHUB_", "RUNNER_")), name


def test_actions_of_others_are_githubs_own_and_pinned_to_a_major_version(steps):
    used = [step["uses"] for step in steps if "uses" in step]
    assert {re.fullmatch(r"(?:actions|github)/([\w/-]+)@v\d+", name)[1] for name in used} == {
        "setup-python",
        "cache",
        "upload-artifact",
        "codeql-action/upload-sarif",
    }


@pytest.mark.slow
def test_a_model_that_keeps_its_limits_passes_and_leaves_all_its_papers(runner, audit_file):
    job = runner.act(
        subject=DEMO, data="digits", audit=audit_file(), args="--limit 40 --seed '3'", baseline="none", install="false"
    )
    assert job.conclusion == "success", job.log
    assert job.outputs == {"verdict": "pass", "exit-code": "0", "scorecard": "e360-out/scorecard.json"}
    out = runner.workspace / "e360-out"
    assert {"scorecard.json", "report.html", "junit.xml", "e360.sarif", "summary.md"} <= {
        path.name for path in out.iterdir()
    }
    assert "small" in job.summary
    assert job.steps["Upload results"].given["path"] == "e360-out"
    assert job.steps["Upload SARIF"].outcome == "skipped"
    command = json.loads((out / "scorecard.json").read_text())["command"]
    assert "--limit 40" in command
    assert "--seed 3" in command


@pytest.mark.slow
def test_a_model_that_breaks_a_limit_fails_the_job_after_all_was_said(runner, audit_file):
    job = runner.act(subject=DEMO, audit=audit_file(limit=1), install="false", upload_sarif="true")
    assert job.conclusion == "failure"
    assert job.steps["Verdict"].code == 1
    assert (job.steps["audit"].outcome, job.steps["gate"].outcome) == ("success", "success")
    assert (job.outputs["verdict"], job.outputs["exit-code"]) == ("fail", "1")
    assert "small" in job.summary
    assert re.search(r"^::error\b.*small", job.steps["gate"].log, re.MULTILINE)
    assert job.steps["Upload results"].outcome == "success"
    assert job.steps["Upload SARIF"].given["sarif_file"] == "e360-out/e360.sarif"


@pytest.mark.slow
@pytest.mark.parametrize(("strict", "conclusion"), [("true", "failure"), ("false", "success")])
def test_a_model_that_could_not_be_judged_fails_the_job_unless_told_otherwise(runner, audit_file, strict, conclusion):
    audit = audit_file(measurement="cost.file_pages")
    job = runner.act(subject=DEMO, audit=audit, install="false", fail_on_inconclusive=strict)
    assert job.conclusion == conclusion
    assert (job.outputs["verdict"], job.outputs["exit-code"]) == ("inconclusive", "3")
    assert job.summary
    assert job.steps["Upload results"].outcome == "success"
    assert ("::warning title=e360::" in job.steps["Verdict"].log) == (conclusion == "success")


@pytest.mark.parametrize(
    "words", ["x; touch pwned", "$(touch pwned)", "`touch pwned`", "x' && touch pwned #", "--help"]
)
def test_no_input_speaks_to_the_shell_or_passes_for_an_option(runner, audit_file, words):
    audit_file()
    names = ("subject", "data", "arch", "audit", "baseline", "artifact_name", "python_version", "extra_index_url")
    job = runner.act(**dict.fromkeys(names, words), install="false", resume=words)
    assert not (runner.workspace / "pwned").exists()
    assert job.conclusion == "failure"
    assert job.steps["audit"].code == 2, job.log
    assert (job.outputs["verdict"], job.outputs["exit-code"]) == ("error", "2")
    assert job.steps["gate"].outcome == "skipped"


@pytest.mark.parametrize("words", ["; touch pwned", "$(touch pwned) `touch pwned`", "'; touch pwned'", "'not closed"])
def test_args_are_split_as_a_shell_does_and_nothing_else(runner, audit_file, words):
    job = runner.act(subject=DEMO, audit=audit_file(), args=words, install="false")
    assert not (runner.workspace / "pwned").exists()
    assert job.steps["audit"].code == 2, job.log


def test_an_audit_that_did_not_run_is_not_judged_by_an_older_scorecard(runner, audit_file, root):
    (runner.workspace / "e360-out").mkdir()
    old = (root / "reports/digits-demo/scorecard.json").read_bytes()
    (runner.workspace / "e360-out/scorecard.json").write_bytes(old)
    job = runner.act(subject=DEMO, audit=audit_file(), args="--help", install="false")
    assert job.conclusion == "failure"
    assert job.steps["gate"].outcome == "skipped"


def test_what_an_audit_prints_cannot_command_the_runner(runner, audit_file):
    job = runner.act(subject="nothing.pt", audit=audit_file(), install="false")
    first, *_, last = job.steps["audit"].log.splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert last == f"::{token}::"


@pytest.mark.parametrize("out", ["", ".", "/srv/x", "../x", "a/../../x", "a\nb=c", "a*", "-x", "$(touch pwned)"])
def test_results_go_into_the_workspace_only(runner, audit_file, out):
    job = runner.act(subject=DEMO, audit=audit_file(), out=out, install="false")
    assert job.steps["checked"].code == 2
    assert job.conclusion == "failure"
    assert {step.outcome for name, step in job.steps.items() if name != "checked"} == {"skipped"}


@pytest.mark.parametrize(
    ("inputs", "requirement"),
    [
        ({}, "{action}"),
        ({"extras": "onnx,transformers"}, "{action}[onnx,transformers]"),
        ({"version": "0.1.0", "extras": "onnx"}, "efficiency360[onnx]==0.1.0"),
        ({"version": "./mine"}, "./mine"),
    ],
)
def test_what_is_installed_is_what_was_asked_for(runner, audit_file, inputs, requirement):
    (runner.workspace / "mine").mkdir()
    job = runner.act(subject="nothing.pt", audit=audit_file(), **inputs)
    assert job.steps["Install e360"].outcome == "success", job.log
    *_, dashes, asked, index = runner.pip_log.read_text().splitlines()
    assert (dashes, asked) == ("--", requirement.format(action=runner.action))
    assert index == "index:https://download.pytorch.org/whl/cpu"
    assert job.steps["Cache packages"].given["path"] == "/pip-cache"
    assert re.fullmatch(r"e360-pip-Linux-3.12-[0-9a-f]{64}", job.steps["Cache packages"].given["key"])


@pytest.mark.parametrize(
    "inputs",
    [
        {"version": "--index-url=http://evil"},
        {"version": "1 evil"},
        {"version": "./not-there"},
        {"version": "evil"},
        {"version": "./mine\nevil"},
        {"extras": "onnx]; evil"},
    ],
)
def test_what_is_no_version_is_not_installed(runner, audit_file, inputs):
    job = runner.act(subject="nothing.pt", audit=audit_file(), **inputs)
    assert job.steps["checked"].code == 2
    assert not runner.pip_log.exists()


def test_without_an_index_of_its_own_pip_looks_where_it_always_does(runner, audit_file):
    runner.act(subject="nothing.pt", audit=audit_file(), extra_index_url="")
    assert runner.pip_log.read_text().splitlines()[-1] == "index:"
