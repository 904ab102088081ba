"""What `e360 init` writes into somebody's repository: a workflow, an audit file, a place for reports."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from efficiency360.errors import InputError

CI = Literal["github", "gitlab", "none"]
AUDIT, REPORTS, IGNORED = "audits/release.toml", "reports/README.md", "e360-out/"
PILOT: Final = "audits/pilot.toml"
PLANS: Final = {"en": "pilot/plan.en.md", "ja": "pilot/plan.ja.md"}
GITLAB_ENTRY, GITLAB_JOB = ".gitlab-ci.yml", ".gitlab/e360.yml"
GITLAB_INCLUDE: Final = f"include:\n  - local: {GITLAB_JOB}\n"
_JOBS: Final = {"github": ".github/workflows/e360.yml", "gitlab": GITLAB_JOB}
_INDENT: Final = {"github": 6, "gitlab": 4}
_HERE = Path(__file__).parent
_OURS = """\
# This is the model that comes with e360, so that the first run passes. Put yours in its place here and in
# reports/README.md, as in
#   e360 audit model.pt --arch timm:resnet18 --data data/val --audit audits/release.toml --out e360-out"""


@dataclass(frozen=True)
class Subject:
    """What the pipeline audits; paths are seen from the repository's root."""

    model: str = "zoo:digits_transformer"
    data: str = "digits"
    arch: str | None = None

    @property
    def command(self) -> str:
        """The audit as a line for the shell.

        Raises:
            InputError: a name would mean something else in a workflow than on the disk.
        """
        return self.audited_by(AUDIT)

    def audited_by(self, audit: str) -> str:
        """As `command`, by another audit file."""
        given = [self.model, *(["--arch", self.arch] if self.arch else []), "--data", self.data]
        for name in given:
            if not name.isprintable() or "${{" in name:
                raise InputError(f"{name!a:.90} would not mean itself in a workflow; rename it")
        return shlex.join(["e360", "audit", *given, "--audit", audit, "--out", IGNORED.rstrip("/")])


def files(subject: Subject, ci: CI) -> dict[str, str]:
    """The files to write, by their paths from the repository's root.

    Raises:
        InputError: as `Subject.command`.
    """
    command = subject.command
    found = {AUDIT: _text("release.toml"), REPORTS: _text("reports.md").replace("@COMMAND@", command)}
    if ci == "none":
        return found
    what = _OURS if subject == Subject() else ""
    indented = "".join(f"{' ' * _INDENT[ci]}{line}\n" for line in what.splitlines())
    job = _text(f"{ci}.yml").replace("@VERSION@", version("efficiency360")).replace("@WHAT@\n", indented)
    found[_JOBS[ci]] = job.replace("@COMMAND@", command)
    if ci == "gitlab":
        found[GITLAB_ENTRY] = GITLAB_INCLUDE
    return found


def pilot() -> str:
    """The audit file of a pilot."""
    return _text("pilot.toml")


def ignoring(text: str) -> str:
    """A `.gitignore` that leaves out what audits write; as it is where it does so already."""
    if {IGNORED, f"/{IGNORED}", IGNORED.rstrip("/")} & {line.strip() for line in text.splitlines()}:
        return text
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{IGNORED}\n"


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
