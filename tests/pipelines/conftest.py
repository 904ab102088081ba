"""A runner of pipelines: does with a list of steps what GitHub's does, as far as our workflow and action go.

`run` steps really run, in a shell, with the files and variables that a runner gives them; `uses` steps are only noted.
`python` and `e360` are those of this environment, but `python -m pip` notes what it is asked and installs nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

_E360 = f'#!/bin/sh\nexec "{sys.executable}" -m efficiency360 "$@"\n'
_PYTHON = f"""#!/bin/sh
if [ "$1 $2" != "-m pip" ]; then exec "{sys.executable}" "$@"; fi
[ "$3" != cache ] || echo /pip-cache
printf '%s\\n' "$@" "index:$PIP_EXTRA_INDEX_URL" >> "$PIP_LOG"
"""
_SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"]}
_STATUS = re.compile(r"\b(always|success|failure|cancelled)\(\)")
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|[()]|[A-Za-z_][\w.-]*(?:\(\))?)")
_WORDS = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!=", "(": "(", ")": ")"}


@dataclass(frozen=True)
class Step:
    """How a step ended: success, failure or skipped; a `uses` step with what it was given."""

    name: str
    outcome: str
    code: int | None = None
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """How a job ended."""

    steps: dict[str, Step]
    summary: str
    outputs: dict[str, str]

    @property
    def conclusion(self) -> str:
        """Success unless a step failed."""
        return "failure" if any(step.outcome == "failure" for step in self.steps.values()) else "success"

    @property
    def log(self) -> str:
        """All that the steps printed."""
        return "".join(step.log for step in self.steps.values())


class Runner:
    """A machine with a workspace."""

    def __init__(self, workspace: Path, scratch: Path, action: Path) -> None:
        self.workspace, self.scratch, self.action = workspace, scratch, action
        self.pip_log = scratch / "pip.log"
        for name, script in {"e360": _E360, "python": _PYTHON}.items():
            file = scratch / "bin" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(script)
            file.chmod(0o755)

    def act(self, **inputs: str) -> Job:
        """Run the action with these inputs, underscores in their names for hyphens."""
        action = yaml.safe_load((self.action / "action.yml").read_text())
        given = {name: str(about.get("default", "")) for name, about in action["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() == action["inputs"].keys()
        return self._run(action["runs"]["steps"], {"inputs": given}, {}, action["outputs"])

    def work(self, job: dict[str, Any]) -> Job:
        """Run a job of a workflow."""
        return self._run(job["steps"], {}, job.get("env", {}), {})

    def _run(self, steps: list[dict[str, Any]], context: dict[str, Any], env: dict[str, str], outputs: Any) -> Job:
        summary = self.scratch / "summary"
        summary.write_text("")
        done: dict[str, Step] = {}
        context = {
            **context,
            "runner": {"os": "Linux", "temp": str(self.scratch)},
            "github": {"action_path": str(self.action), "run_id": "1", "run_attempt": "1"},
        }
        for number, step in enumerate(steps):
            key = step.get("id") or step.get("name") or f"step {number}"
            failed = any(one.outcome == "failure" for one in done.values())
            done[key] = self._step(step, context, done, failed, env)
        values = {
            name: _filled(about["value"], _names({**context, "steps": done}), failed=False)
            for name, about in (outputs or {}).items()
        }
        return Job(done, summary.read_text(), values)

    def _step(
        self, step: dict[str, Any], context: dict[str, Any], done: dict[str, Step], failed: bool, env: dict[str, str]
    ) -> Step:
        names = _names({**context, "steps": done})
        name = step.get("name", step.get("uses", ""))
        condition = str(step.get("if", "success()")).removeprefix("${{").removesuffix("}}")
        if not _STATUS.search(condition):
            condition = f"success() && ({condition})"
        if not _value(condition, names, failed=failed):
            return Step(name, "skipped")
        if "uses" in step:
            given = {key: _filled(str(value), names, failed=failed) for key, value in step.get("with", {}).items()}
            return Step(name, "success", given=given)
        variables = {key: _filled(str(value), names, failed=failed) for key, value in step.get("env", {}).items()}
        return self._shell(name, step, {**env, **variables})

    def _shell(self, name: str, step: dict[str, Any], env: dict[str, str]) -> Step:
        script, output = self.scratch / "script.sh", self.scratch / "output"
        script.write_text(step["run"])
        output.write_text("")
        done = subprocess.run(
            [*_SHELLS[step.get("shell")], str(script)],
            cwd=self.workspace,
            env={**self._environment(), "GITHUB_OUTPUT": str(output), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return Step(name, "failure" if done.returncode else "success", done.returncode, done.stdout, outputs)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.scratch / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.scratch),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_STEP_SUMMARY": str(self.scratch / "summary"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.scratch),
            "RUNNER_OS": "Linux",
            "PIP_LOG": str(self.pip_log),
        }


def _names(context: dict[str, Any]) -> dict[str, str]:
    """The contexts as flat names: `inputs.data`, `steps.gate.outputs.verdict`."""
    names = {
        f"{area}.{key}": value
        for area in ("inputs", "runner", "github")
        for key, value in context.get(area, {}).items()
    }
    for key, step in context["steps"].items():
        names[f"steps.{key}.outcome"] = step.outcome
        names |= {f"steps.{key}.outputs.{name}": value for name, value in step.outputs.items()}
    return names


def _value(expression: str, names: dict[str, str], *, failed: bool) -> Any:
    """What an expression comes to; a name that is not there is empty, as on GitHub."""
    status = {"always()": True, "success()": not failed, "failure()": failed, "cancelled()": False}
    words, position = [], 0
    expression = expression.strip()
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        assert token, f"an expression that this runner does not know: {expression}"
        word, position = token[1], token.end()
        if word.startswith("'"):
            words.append(repr(word[1:-1].replace("''", "'")))
        else:
            words.append(_WORDS.get(word) or repr(status[word] if word in status else names.get(word, "")))
    return eval("".join(words), {"__builtins__": {}})  # noqa: S307 - made of literals and operators only


def _filled(text: str, names: dict[str, str], *, failed: bool) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(_value(found[1], names, failed=failed)), text, flags=re.DOTALL)


@pytest.fixture
def runner(tmp_path: Path, root: Path) -> Runner:
    """A machine with an empty workspace."""
    for name in ("workspace", "scratch"):
        (tmp_path / name).mkdir()
    return Runner(tmp_path / "workspace", tmp_path / "scratch", root)
