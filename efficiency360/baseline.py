"""Making a scorecard the baseline that later ones are compared with, and the history of who did that and why."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from efficiency360.audited import ACCEPTED, IMAGES, SAMPLES, Accepted, audited, evidence_bytes, read_audited
from efficiency360.errors import InputError
from efficiency360.files import sha256_bytes, write_atomic
from efficiency360.records import Outcome  # noqa: TC001 - pydantic reads it
from efficiency360.scorecards import parse_scorecard, read_scorecard, scorecard_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from efficiency360.audited import Audited
    from efficiency360.records import Artifact, Scorecard

CARD, HISTORY = "scorecard.json", "history.jsonl"
_OURS = frozenset({CARD, ACCEPTED, HISTORY})


class Acceptance(Accepted):
    """One line of `history.jsonl`: an acceptance, the model that it made the baseline, and its verdict at the time."""

    model: str
    fingerprint: str | None
    verdict: Outcome


@dataclass(frozen=True)
class Candidate:
    """A scorecard that may become the baseline: its bytes, and those of the files beside it that go along."""

    card: Scorecard
    audited: Audited
    data: bytes
    files: Mapping[str, bytes]

    @property
    def comparable(self) -> bool:
        """Whether it brings samples, without which sampled numbers cannot be compared."""
        return any(artifact.kind == SAMPLES for artifact in _named(self.card))


def candidate(path: Path, *, with_evidence: bool = False) -> Candidate:
    """Read a scorecard by its file or folder, with what comparisons need of it, or with all that it names.

    Raises:
        InputError: as `read_scorecard`; or a file that it names is missing though needed, was changed, lies outside of
            its folder, or makes no sense.
    """
    file = scorecard_file(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give a scorecard.json or the folder of an audit") from error
    card = parse_scorecard(data, file)
    files = dict(_files(card, file, with_evidence=with_evidence))
    return Candidate(card, audited(card, file.parent), data, files)


def accept(new: Candidate, to: Path, *, by: str, at: str, why: str) -> Acceptance:
    """Make a candidate the baseline in the folder `to`, beside what else lies there, and add a line to its history.

    The folder is put together beside the old one and then takes its place, so that whoever interrupts this keeps the
    old baseline.

    Raises:
        InputError: `to` holds something else than a baseline, or cannot be written.
    """
    note = Accepted(accepted_by=by, accepted_at=at, why=why, scorecard=sha256_bytes(new.data))
    subject, verdict = new.card.subject, new.card.verdict.outcome
    line = Acceptance(**note.model_dump(), model=subject.name, fingerprint=subject.fingerprint, verdict=verdict)
    to = to.resolve()
    _put_back(to)
    old = _old_parts(to)
    staged = to.parent / f".{to.name}.{secrets.token_hex(4)}"
    try:
        _copy_rest(to, staged, leave_out=old)
        for name, data in {**new.files, CARD: new.data, ACCEPTED: _json(note)}.items():
            write_atomic(staged / name, data)
        write_atomic(staged / HISTORY, _lines(to / HISTORY) + _json(line))
        _swap(staged, to)
    except OSError as error:
        raise InputError(f"cannot write the baseline {to}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return line


def history(folder: Path) -> tuple[Acceptance, ...]:
    """Who accepted what as the baseline in this folder, the oldest first.

    Raises:
        InputError: a line of the history is not one that e360 wrote.
    """
    found = []
    for number, line in enumerate(_lines(folder / HISTORY).splitlines(), start=1):
        try:
            found.append(Acceptance.model_validate_json(line))
        except ValidationError as error:
            raise InputError(f"{folder / HISTORY} line {number} is not an acceptance; restore the file") from error
    return tuple(found)


def accepted_baseline(folder: Path) -> tuple[Scorecard, Accepted]:
    """The baseline in a folder, and who accepted it.

    Raises:
        InputError: there is none, or it was changed since.
    """
    if not (folder / ACCEPTED).is_file():
        raise InputError(f"{folder} holds no accepted baseline; e360 baseline accept RESULT --why ... makes one")
    card, found = read_audited(folder)
    if found.accepted is None:
        raise InputError(f"{folder / ACCEPTED} has just gone; try again")
    return card, found.accepted


def _named(card: Scorecard) -> Iterable[Artifact]:
    """All files that a scorecard names."""
    yield from (artifact for axis in card.axes for artifact in axis.artifacts)
    yield from card.dataset.artifacts if card.dataset else ()


def _files(card: Scorecard, file: Path, *, with_evidence: bool) -> Iterable[tuple[str, bytes]]:
    """The files that go along. Those that stay behind are checked too: a changed one means an edited audit."""
    for artifact in _named(card):
        _check_name(artifact.path, file)
        data = evidence_bytes(artifact, file.parent)
        if not (with_evidence or artifact.kind in {SAMPLES, IMAGES}):
            continue
        if data is None:
            raise InputError(f"{file} names {artifact.path!a}, which is not beside it; accept where the audit ran")
        yield artifact.path, data


def _check_name(name: str, file: Path) -> None:
    """Refuse a name that could lead out of the baseline's folder, where a link or a `..` points elsewhere than here."""
    parts = name.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or any(char in '\\:*?"<>|' for char in name)
    if odd or not name.isprintable() or parts[0].casefold() in _OURS:
        raise InputError(f"{file} names a file {name!a:.90}, which no audit of e360 writes; audit the model again")


def _old_parts(to: Path) -> frozenset[str]:
    """What the baseline in a folder is made of; an empty set where there is none yet.

    Raises:
        InputError: it is not a folder for a baseline.
    """
    if to.exists() and not to.is_dir():
        raise InputError(f"{to} is a file; give a folder for the baseline with --to")
    if not to.exists() or not any(to.iterdir()):
        return frozenset()
    if not (to / ACCEPTED).is_file():
        raise InputError(f"{to} holds other files and no {ACCEPTED}; give the baseline a folder of its own with --to")
    parts = set(_OURS)
    with contextlib.suppress(InputError):  # a scorecard that cannot be read is replaced all the same
        parts |= {artifact.path for artifact in _named(read_scorecard(to))}
    return frozenset(parts)


def _copy_rest(folder: Path, target: Path, *, leave_out: frozenset[str]) -> None:
    """Copy what people keep beside a baseline, such as a note of their own."""
    target.mkdir(parents=True)
    for path in sorted(folder.rglob("*")) if leave_out else ():
        name = path.relative_to(folder).as_posix()
        if name not in leave_out and (path.is_symlink() or path.is_file()):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / name, follow_symlinks=False)


def _before(to: Path) -> Path:
    """Where the old baseline waits while the new one takes its place."""
    return to.parent / f".{to.name}.before"


def _put_back(to: Path) -> None:
    """Undo an acceptance that was killed in the middle of the exchange; remove what one left behind after it."""
    if not to.exists() and _before(to).is_dir():
        _before(to).rename(to)
    shutil.rmtree(_before(to), ignore_errors=True)


def _swap(staged: Path, to: Path) -> None:
    try:
        if to.exists():
            to.rename(_before(to))
        staged.rename(to)
    except BaseException:
        if not to.exists() and _before(to).exists():
            _before(to).rename(to)
        raise
    shutil.rmtree(_before(to), ignore_errors=True)


def _json(record: Accepted) -> bytes:
    return record.model_dump_json().encode() + b"\n"


def _lines(file: Path) -> bytes:
    """What is in a file of lines, the last one ended; nothing where there is no such file."""
    if not file.is_file():
        return b""
    data = file.read_bytes()
    return data if not data or data.endswith(b"\n") else data + b"\n"
