"""`e360 init`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from efficiency360.starter import Subject

EXAMPLES = (
    "Examples:\n\n"
    "e360 init\n\n"
    "e360 init --model models/parts.pt --arch timm:resnet18 --data data/val\n\n"
    "e360 init ../product --ci gitlab\n\n"
    "A pilot: e360 init --poc --model models/new.pt --arch timm:resnet18 --data data/val"
)


class Pipeline(StrEnum):
    """Where the audit is to run."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


def command(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The root of a repository.")] = Path(),
    model: Annotated[
        str | None, typer.Option(help="A model file in it, or an architecture [default: the one that e360 brings].")
    ] = None,
    arch: Annotated[str | None, typer.Option(help="Architecture of a weights file, as in e360 audit.")] = None,
    data: Annotated[str | None, typer.Option(help="The images with labels that it is audited on.")] = None,
    ci: Annotated[Pipeline, typer.Option(help="Which pipeline to write a workflow for.")] = Pipeline.GITHUB,
    poc: Annotated[
        bool,
        typer.Option("--poc", help="Write a pilot instead: audits/pilot.toml, and its plan in English and Japanese."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write anew what is there already.")] = False,
) -> int:
    """Write a workflow that audits a model, an audit file with limits to edit, and a place for the baseline."""
    from efficiency360 import starter  # noqa: PLC0415 - keeps --help fast
    from efficiency360.errors import InputError  # noqa: PLC0415

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give the root of a repository")
    subject = _subject(folder, model, arch, data)
    if poc:
        from efficiency360.cli.pilot import write_pilot  # noqa: PLC0415

        return write_pilot(folder, subject, force=force)
    found = starter.files(subject, ci.value)
    there = [name for name in found if (folder / name).exists()] if not force else []
    if len(there) == len(found):
        raise InputError(f"nothing written, for {', '.join(there)} are there already; --force writes them anew")
    write(folder, {name: text for name, text in found.items() if name not in there})
    for name in there:
        typer.echo(f"kept    {name}, which was there already", err=True)
    if starter.GITLAB_ENTRY in there and starter.GITLAB_JOB not in (folder / starter.GITLAB_ENTRY).read_text("utf-8"):
        typer.echo(f"note: add to {starter.GITLAB_ENTRY}:\n{starter.GITLAB_INCLUDE}", err=True)
    _say_what_is_next(folder, subject)
    return 0


def _subject(folder: Path, model: str | None, arch: str | None, data: str | None) -> Subject:
    """What to audit, with paths as the workflow sees them."""
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.starter import Subject  # noqa: PLC0415

    if model is None and data is None and arch is None:
        return Subject()
    if model is None or data is None:
        missing, why = ("--model", "the file to audit") if model is None else ("--data", "a gate needs labelled images")
        raise InputError(f"{missing} is missing: {why}")
    return Subject(_inside(model, folder), _inside(data, folder), _inside(arch, folder) if arch else None)


def _inside(name: str, folder: Path) -> str:
    """A path seen from the repository's root; names that are no paths stay as they are.

    Raises:
        InputError: the path leads out of the repository.
    """
    from efficiency360.errors import InputError  # noqa: PLC0415

    path, colon, function = name.rpartition(":") if ":" in name and not Path(name).exists() else (name, "", "")
    if (colon and not path.endswith(".py")) or (name == "digits" and not Path(name).exists()):
        return name
    if not Path(path).exists() and (folder / path).exists():
        return name
    full, root = Path(path).resolve(), folder.resolve()
    if not full.is_relative_to(root):
        raise InputError(f"{path!a} is not in {root}; the pipeline sees only what is in the repository")
    if not full.exists():
        typer.echo(f"note: {path!a} is not there yet", err=True)
    inner = full.relative_to(root).as_posix()
    return f"{'./' if inner.startswith('-') else ''}{inner}{colon}{function}"


def write(folder: Path, found: dict[str, str]) -> None:
    """Write files into a repository and say which; what audits write is left out of it."""
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.starter import ignoring  # noqa: PLC0415

    for name, text in found.items():
        write_atomic(folder / name, text.encode())
        typer.echo(f"wrote   {name}")
    ignore = folder / ".gitignore"
    old = ignore.read_text("utf-8") if ignore.exists() else ""
    if (new := ignoring(old)) != old:
        write_atomic(ignore, new.encode())
        typer.echo("wrote   .gitignore (what audits write is left out)")


def _say_what_is_next(folder: Path, subject: Subject) -> None:
    from efficiency360.starter import AUDIT  # noqa: PLC0415

    where = "" if folder.resolve() == Path.cwd() else f", in {folder}"
    typer.echo(f"next, after a look at the limits in {AUDIT}{where}:")
    typer.echo(f"  {subject.command}")
    typer.echo('  e360 baseline accept e360-out --why "first release"')
