"""What `e360 init` writes works as it is: green on the first run, and compared with the baseline from the second on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml


@pytest.fixture
def e360(runner):
    """Run a command in the runner's workspace, which is an empty git repository."""
    subprocess.run([shutil.which("git"), "init", "--quiet", "."], cwd=runner.workspace, check=True)

    def run(*arguments):
        command = [sys.executable, "-m", "efficiency360", *arguments]
        return subprocess.run(command, cwd=runner.workspace, capture_output=True, text=True, check=False)

    return run


def _files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts}


def _compared(out):
    """How the rules came out that were compared with a baseline."""
    verdict = json.loads((out / "scorecard.json").read_text())["verdict"]
    return {rule["rule"]: rule["outcome"] for rule in verdict["rules"] if rule["comparison"]}


@pytest.mark.slow
def test_the_first_run_is_green_and_the_second_is_compared_with_what_was_accepted(e360, runner):
    assert e360("init").returncode == 0
    written = _files(runner.workspace)
    again = e360("init")
    assert again.returncode == 2
    assert _files(runner.workspace) == written

    (job,) = yaml.safe_load((runner.workspace / ".github/workflows/e360.yml").read_text())["jobs"].values()
    first = runner.work(job)
    assert first.conclusion == "success", first.log
    assert "install\nefficiency360==" in runner.pip_log.read_text()
    out = runner.workspace / "e360-out"
    assert _compared(out) == {}
    assert {"junit.xml", "e360.sarif", "summary.md"} <= {path.name for path in out.iterdir()}

    accepted = e360("baseline", "accept", "e360-out", "--why", "first", "--by", "Ada")
    assert accepted.returncode == 0, accepted.stderr
    assert 'without_baseline = "block"' in accepted.stderr
    audit = runner.workspace / "audits/release.toml"
    audit.write_text(audit.read_text().replace('without_baseline = "pass"', 'without_baseline = "block"'))
    second = runner.work(job)
    assert second.conclusion == "success", second.log
    assert _compared(out) == {"accuracy-keeps-up": "pass", "balanced-keeps-up": "pass", "macs-keep-up": "pass"}
    assert json.loads((out / "scorecard.json").read_text())["verdict"]["baseline"]["accepted_by"] == "Ada"

    (runner.workspace / "reports/baseline").rename(runner.workspace / "lost")
    gate = next(step for step in job["steps"] if step.get("name") == "Gate")
    assert runner.work({"steps": [gate]}).steps["Gate"].code == 3


@pytest.mark.slow
def test_the_job_for_gitlab_runs_too(e360, runner):
    assert e360("init", "--ci", "gitlab").returncode == 0
    entry = yaml.safe_load((runner.workspace / ".gitlab-ci.yml").read_text())
    (included,) = entry["include"]
    (job,) = yaml.safe_load((runner.workspace / included["local"]).read_text()).values()
    environment = {**os.environ, **runner._environment()}
    for line in job["script"]:
        done = subprocess.run(
            [shutil.which("bash"), "-e", "-c", line],
            cwd=runner.workspace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.workspace / job["artifacts"]["reports"]["junit"]).is_file()


@pytest.mark.slow
def test_a_model_that_breaks_a_limit_stops_the_pipeline_with_its_papers_kept(e360, runner):
    e360("init")
    audit = runner.workspace / "audits/release.toml"
    audit.write_text(audit.read_text().replace("at_least = 0.8\n", "at_least = 0.9999\n"))
    (job,) = yaml.safe_load((runner.workspace / ".github/workflows/e360.yml").read_text())["jobs"].values()
    done = runner.work(job)
    assert done.conclusion == "failure"
    assert done.steps["Audit"].outcome == "success"
    assert done.steps["Gate"].code == 1
    assert "accuracy-floor" in done.summary
    assert done.steps["step 5"].given["path"] == "e360-out"


def test_a_mistake_stops_the_pipeline_before_the_gate(e360, runner):
    e360("init")
    (runner.workspace / "audits/release.toml").write_text("title = 3")
    (job,) = yaml.safe_load((runner.workspace / ".github/workflows/e360.yml").read_text())["jobs"].values()
    done = runner.work(job)
    assert done.steps["Audit"].outcome == "failure"
    assert done.steps["Gate"].outcome == "skipped"
