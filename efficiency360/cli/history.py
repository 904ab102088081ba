"""`e360 history`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.judge.history import Release

EXAMPLES = (
    "Examples:\n\n"
    "e360 history audits-of-all-releases/\n\n"
    "As a page: e360 history audits-of-all-releases/ --out history.html\n\n"
    "In Japanese: e360 history audits-of-all-releases/ --out history.html --lang ja"
)
_ALSO = 1 << 16
"""Bytes of a file with another name in which it has to say that it is a scorecard."""


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds past scorecards, at any depth.")],
    out: Annotated[Path | None, typer.Option(help="Also write a page, such as history.html.")] = None,
    lang: Annotated[str, typer.Option("--lang", metavar="en|ja", help="Language of the page.")] = "en",
) -> int:
    """Show how every axis went over past audits; points that cannot be compared are not joined."""
    from efficiency360.cli.console import Screen  # noqa: PLC0415 - keeps --help fast
    from efficiency360.cli.options import parse_language  # noqa: PLC0415
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.files import write_atomic  # noqa: PLC0415
    from efficiency360.judge.history import history  # noqa: PLC0415
    from efficiency360.render import history_page, history_text  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415

    language = parse_language(lang)
    files = _files(folder)
    if out is not None and (out.resolve() in {file.resolve() for file in files} or out.is_dir()):
        raise InputError(f"--out {out} is a folder or a scorecard; name a page such as history.html")
    releases = list(_releases(folder, files))
    if not releases:
        raise InputError(f"none of the {len(files)} scorecards in {folder} can be shown; the lines above say why")
    found = history(releases)
    console = Screen()
    history_text.show(found, console)
    if out is not None:
        write_atomic(out, history_page.render(found, language).encode())
        console.print(plain(f"history: {out}"), markup=False, highlight=False, soft_wrap=True)
    return 0


def _files(folder: Path) -> list[Path]:
    """The scorecards in a folder: `scorecard.json` at any depth, and those of other names in the folder itself.

    Raises:
        InputError: there is no such folder, or no scorecard in it.
    """
    from efficiency360.errors import InputError  # noqa: PLC0415 - keeps --help fast

    if not folder.is_dir():
        wrong = "not a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {wrong}; give the one that holds past audits")
    deep = (path for path in folder.rglob("scorecard.json") if not _hidden(path.relative_to(folder)))
    found = sorted({*deep, *(path for path in folder.glob("*.json") if _says_so(path))})
    if not found:
        raise InputError(f"{folder} holds no scorecard.json at any depth; give the folder that holds past audits")
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _says_so(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_ALSO)
    except OSError:
        return False
    return b'"schema_version"' in head and b'"subject"' in head


def _releases(folder: Path, files: list[Path]) -> Iterator[Release]:
    """The audits that can be read; of the others it is said what is wrong with them."""
    from efficiency360.audited import read_audited  # noqa: PLC0415 - keeps --help fast
    from efficiency360.engine.gate import with_defaults  # noqa: PLC0415
    from efficiency360.errors import InputError  # noqa: PLC0415
    from efficiency360.files import sha256_bytes  # noqa: PLC0415
    from efficiency360.judge.history import Release  # noqa: PLC0415

    seen: dict[str, str] = {}
    for file in files:
        inner = file.relative_to(folder)
        name = (inner.parent if inner.name == "scorecard.json" else inner.with_suffix("")).as_posix()
        name = folder.resolve().name if name == "." else name
        try:
            card, audit = read_audited(file)
            release = Release(name, card, with_defaults(audit))
            release.moment  # noqa: B018 - raises where there is none
            digest = sha256_bytes(file.read_bytes())
        except (InputError, OSError) as error:
            _say(f"skipped {error}")
            continue
        except ValueError:
            _say(f"skipped {file}: it names no time at which it was audited")
            continue
        if digest in seen:
            _say(f"skipped {file}: the same scorecard as {seen[digest]}")
            continue
        seen[digest] = name
        yield release


def _say(message: str) -> None:
    from efficiency360.render.text import plain  # noqa: PLC0415 - keeps --help fast

    typer.echo(plain(" ".join(message.split())), err=True)
