"""Writing a judged scorecard in the formats that `--format` asks for."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from efficiency360.errors import InputError
from efficiency360.files import write_atomic
from efficiency360.render.formats import GITHUB, content, find
from efficiency360.render.lines import rule_lines
from efficiency360.render.text import plain
from efficiency360.spec import audit_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from efficiency360.records import Scorecard
    from efficiency360.render.wording import Language
    from efficiency360.spec import AuditSpec


def write_outputs(
    card: Scorecard,
    spec: AuditSpec,
    formats: Sequence[str],
    folder: Path,
    *,
    evidence: Path | None = None,
    images: bool | None = None,
    language: Language = "en",
) -> None:
    """Write each format into the folder and say where; `evidence` is the audit's folder, if that is another one.

    Raises:
        InputError: the folder, or the runner's summary, cannot be written; or a plug-in breaks off, which is said after
            all other formats have been written.
    """
    if not formats:
        return
    from efficiency360.render import figures, sarif  # noqa: PLC0415 - most runs ask for none

    lines = _lines(spec)
    broken: list[InputError] = []
    for name in formats:
        if name == GITHUB:
            _speak_to_github(card, lines)
            continue
        kind = find(name)
        shown = figures.read(card, evidence or folder, images=images) if kind.pictures else None
        try:
            page = sarif.render(card, lines).encode() if name == "sarif" else content(name, kind, card, shown, language)
        except InputError as error:
            broken.append(error)
            continue
        write_atomic(folder / kind.file, page)
        typer.echo(plain(f"{name}: {folder / kind.file}"), err=True)
    if broken:
        raise InputError("; ".join(map(str, broken)))


@contextlib.contextmanager
def unheard(formats: Sequence[str]) -> Iterator[None]:
    """Let nothing that is printed meanwhile be taken for a command, where the runner of GitHub listens.

    Names out of a model or its data stand in what people are to read, and the runner obeys any line that looks like a
    command.
    """
    if GITHUB not in formats:
        yield
        return
    token = secrets.token_hex(16)
    typer.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        sys.stderr.flush()
        typer.echo(f"::{token}::")


def _lines(spec: AuditSpec) -> Mapping[str, int]:
    """The line of each rule in the audit file; none where it cannot be read any more."""
    try:
        return rule_lines(audit_file(spec.file).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return {}


def _speak_to_github(card: Scorecard, lines: Mapping[str, int]) -> None:
    from efficiency360.render import github, markdown  # noqa: PLC0415 - most runs ask for none

    typer.echo(github.render(card, lines), nl=False)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(markdown.render(card))
        except OSError as error:
            raise InputError(f"GITHUB_STEP_SUMMARY {summary}: {error.strerror}") from error
