"""`e360 compare --interleaved`: subjects on this machine, timed in turns."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.errors import E360Error, ExitCode, InputError
from efficiency360.files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.statistics.turns import Interleaved
    from efficiency360.subject.request import SubjectRequest

RECORD, LOG = "interleaved.json", "run.log"
_LONGEST_S = 24 * 3600.0
_SEEDS = 2**32
_NONE = "-"


def run(
    subjects: list[str],
    *,
    arch: list[str],
    input: tuple[int, int, int] | None,  # noqa: A002 - the name of the option
    manifest: list[Path],
    threads: int | None,
    seconds: float | None,
    device: str,
    trust_code: bool,
    strict: bool,
    seed: int,
    out: Path | None,
) -> int:
    """Time subjects in turns and show which is faster; with `out` all turns are kept there.

    Args:
        subjects: two or more model files or architectures; the same one twice shows what chance does.
        arch: none, one for all, or one for each, `-` where a subject needs none.
        input: (C, H, W) where neither architecture nor manifest tells it.
        manifest: as `arch`.
        threads: processor threads (None: all).
        seconds: how long each subject is timed in all (None: 8).
        device: `auto`, `cpu`, `cuda`, ...
        trust_code: open files that can run code of their own when opened.
        strict: refuse to go on where a layer of the workers' isolation is missing.
        seed: of the order of turns, of the images and of random weights.
        out: folder for `interleaved.json` and `run.log`.

    Returns:
        0, whatever was found: it is a comparison, not a gate.

    Raises:
        InputError: bad usage, or a subject that cannot be loaded.
        UndecidedError: a subject failed while it was timed, or its clock cannot be trusted.
    """
    from efficiency360.engine.environment import default_threads  # noqa: PLC0415 - keeps --help fast
    from efficiency360.subject.request import SubjectOptions, request_subject  # noqa: PLC0415

    _check(subjects, threads, seconds, seed)
    archs = _each("--arch", arch, len(subjects))
    manifests = _each("--manifest", [str(path) for path in manifest], len(subjects))
    common = {"device": device, "threads": threads or default_threads(), "seed": seed}
    requests = []
    for subject, named, beside in zip(subjects, archs, manifests, strict=True):
        options = SubjectOptions(
            arch=named, manifest=Path(beside) if beside else None, input=input, trust_code=trust_code
        )
        requests.append(request_subject(subject, options).model_copy(update=common))
    with _folder(out) as folder:
        found = _time(requests, subjects, folder, seconds=seconds, seed=seed, strict=strict)
        return _show(found, out)


def _check(subjects: Sequence[str], threads: int | None, seconds: float | None, seed: int) -> None:
    if len(subjects) < 2:  # noqa: PLR2004 - A and B
        raise InputError("--interleaved needs two subjects or more, such as old.pt new.pt (the same one twice is fine)")
    if threads is not None and threads < 1:
        raise InputError(f"--threads must be a whole number above 0, not {threads}")
    if seconds is not None and not 0 < seconds <= _LONGEST_S:
        raise InputError(f"--seconds must be a time above 0 and at most a day, not {seconds} seconds")
    if not 0 <= seed < _SEEDS:
        raise InputError(f"--seed must be a whole number from 0 to {_SEEDS - 1}, not {seed}")


def _each(option: str, values: Sequence[str], n: int) -> list[str | None]:
    """One value for each of n subjects: given one by one, or one for all.

    Raises:
        InputError: their number fits neither.
    """
    if len(values) not in (0, 1, n):
        raise InputError(
            f"{option} was given {len(values)} times for {n} subjects; give it once for all, or once for each in their"
            f" order, '{_NONE}' where a subject needs none"
        )
    spread = values if len(values) == n else [*values, _NONE][:1] * n
    return [None if value == _NONE else value for value in spread]


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Where the log is written: `out`, or a temporary folder that stays only where an error names it."""
    if out is not None:
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out} is a file; give a folder")
        write_atomic(out / LOG, b"")
        (out / RECORD).unlink(missing_ok=True)
        yield out
        return
    scratch = Path(tempfile.mkdtemp(prefix="e360-turns-"))
    try:
        yield scratch
    except E360Error as error:
        if str(scratch) not in str(error):
            shutil.rmtree(scratch)
        raise
    except BaseException:
        shutil.rmtree(scratch)
        raise
    shutil.rmtree(scratch)


def _time(
    requests: Sequence[SubjectRequest],
    subjects: Sequence[str],
    folder: Path,
    *,
    seconds: float | None,
    seed: int,
    strict: bool,
) -> Interleaved:
    """Take the turns, with progress on standard error."""
    from rich.console import Console  # noqa: PLC0415 - keeps --help fast

    from efficiency360.cli.progress import Live  # noqa: PLC0415
    from efficiency360.engine.contender import line_up  # noqa: PLC0415
    from efficiency360.engine.interleaved import SECONDS, interleave  # noqa: PLC0415

    contenders, stop = line_up(requests, subjects, folder / LOG, strict=strict)
    with Live(Console(stderr=True)) as reporter:
        return interleave(contenders, seconds=seconds or SECONDS, seed=seed, reporter=reporter, stop=stop.set)


def _show(found: Interleaved, out: Path | None) -> ExitCode:
    from efficiency360.cli.console import Screen  # noqa: PLC0415 - keeps --help fast
    from efficiency360.render.interleaved import show  # noqa: PLC0415
    from efficiency360.render.text import plain  # noqa: PLC0415

    console = Screen()
    show(found, console)
    if out is not None:
        write_atomic(out / RECORD, found.model_dump_json(indent=2).encode() + b"\n")
        console.print(plain(f"all turns: {out / RECORD}"), markup=False, highlight=False, soft_wrap=True)
    return ExitCode.PASS
