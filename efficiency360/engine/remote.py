"""The parent's side of the worker process: starting it, talking to it, and ending it."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import site
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import ValidationError

from efficiency360.engine.doctor.machine import free_bytes
from efficiency360.engine.environment import memory_bytes
from efficiency360.engine.executors import join_pieces
from efficiency360.engine.host import Host, Marks
from efficiency360.engine.wall import ALWAYS, EVERY_LAYER, Plan
from efficiency360.engine.wire import Message, WireError, receive, send
from efficiency360.errors import AxisError, E360Error, InputError, UndecidedError
from efficiency360.numerics import NO_COMPILER
from efficiency360.subject.info import SubjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes import Evidence
    from efficiency360.dataset import Dataset
    from efficiency360.engine.job import Observation
    from efficiency360.subject.request import SubjectRequest

_PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "VIRTUAL_ENV",
    "PYTHONPATH",
)
_KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}
"""Else the C library gives large buffers back after each layer or not, as chance has it in each process, and the pages
that are then faulted in again make the same model up to 1.6 times slower."""
_GRACE_S = 5.0
_CHUNK = 16 << 20
_LOOK_S = 1.0
_LOADING_S = 15 * 60.0
_FOLDER_BYTES, _FOLDER_FILES = 2 << 30, 10_000
_EVIDENCE_BYTES = 4 << 30
_SHARE_OF_MEMORY = 0.9
_NONSENSE = (WireError, LookupError, TypeError, ValueError)


class Worker:
    """A process of its own session, with a clean environment, a private folder, a wall clock, and `engine.wall`.

    `compilers` lets a model without code of its own start programs, which torch.compile needs; with `strict` a layer
    of the wall that this machine does not give is an InputError.
    """

    def __init__(
        self, log: Path, *, deadline: float | None = None, compilers: bool = False, strict: bool = False
    ) -> None:
        self._log = log
        self._deadline = deadline
        self._compilers = compilers
        self._strict = strict
        self._layers: tuple[str, ...] = ()
        self._patience = math.inf
        self._process: subprocess.Popen[bytes] | None = None
        self._request: SubjectRequest | None = None
        self._host = Host()

    @property
    def isolation(self) -> tuple[str, ...]:
        """What confines the process, in words; the layers of the wall are known once it has started."""
        return (*ALWAYS, *self._layers)

    @property
    def missing(self) -> tuple[str, ...]:
        """The layers that should hold and do not; known once a process has started."""
        return tuple(layer for layer in EVERY_LAYER if layer in self._plan.promised - set(self._layers))

    def load(self, request: SubjectRequest) -> SubjectInfo:
        """Start a process and load the subject there."""
        self.close()
        self._request = request
        self._start(request)
        try:
            self._patience = time.monotonic() + _LOADING_S
            self._check_wall(request)
            return self._loaded(request)
        except BaseException:
            self.close()
            raise
        finally:
            self._patience = math.inf

    def _check_wall(self, request: SubjectRequest) -> None:
        """Learn which layers hold, before any foreign code is there to answer.

        Raises:
            InputError: one is missing under `--strict`.
        """
        try:
            self._layers = tuple(map(str, self._receive().body["layers"]))
        except AxisError as error:
            raise UndecidedError(f"loading {request.name}: {error}; see {self._log}") from error
        if self._strict and self.missing:
            raise InputError(
                f"--strict: this machine does not give {', '.join(self.missing)} (e360 doctor says why); run without"
                " --strict to go on with what there is"
            )

    def _loaded(self, request: SubjectRequest) -> SubjectInfo:
        try:
            self._send(Message("load", request.model_dump(mode="json")))
            answer = self._receive()
        except AxisError as error:
            raise UndecidedError(f"loading {request.name}: {error}; see {self._log}") from error
        if answer.kind == "error":
            raise InputError(_message(answer, self._log))
        try:
            return SubjectInfo.model_validate(answer.body)
        except ValidationError as error:
            raise UndecidedError(f"loading {request.name}: the worker's answer could not be understood") from error

    def start_anew(self) -> float | None:
        """Replace the process by a new one; seconds from its start to the answer that the subject is loaded.

        That answer comes after a first forward pass (see `subject.load`). Files are in the page cache by then.
        """
        began = time.monotonic()
        self.close()
        self._reload_if_gone()
        return time.monotonic() - began

    def observe(self, asked: Observation) -> Evidence:
        """Observe one axis in the process; one that failed before is replaced by a fresh one."""
        try:
            self._reload_if_gone()
            return self._observe(asked)
        except AxisError:
            self.close()
            raise
        except _NONSENSE as error:
            self.close()
            raise AxisError(f"the worker's answer could not be understood ({error})") from error

    def _reload_if_gone(self) -> None:
        if self._process is not None:
            return
        assert self._request is not None  # noqa: S101 - `load` comes first
        try:
            self.load(self._request)
        except E360Error as error:
            raise AxisError(f"a fresh worker could not load the subject again: {error}") from error

    def _observe(self, asked: Observation) -> Evidence:
        assert self._process is not None  # noqa: S101 - `_reload_if_gone` comes first
        images = {name: len(data) for name, data in asked.data_sets.items()}
        self._send(Message("observe", {"axis": asked.axis_id, "settings": dict(asked.settings), "images": images}))
        pieces: list[Evidence] = []
        size = 0
        marks = Marks(self._host, self._process.pid)
        while (message := self._receive()).kind != "done":
            if message.kind == "need":
                self._send(_images(asked.data_sets[message.body["of"]], message))
            elif message.kind == "mark":
                marks.note()
                self._send(Message("marked"))
            elif message.kind == "evidence":
                pieces.append(message.arrays)
                if (size := size + sum(array.nbytes for array in message.arrays.values())) > _EVIDENCE_BYTES:
                    raise AxisError("the worker sent more than 4 GB of evidence")
            elif message.kind == "progress":
                asked.progress(int(message.body["done"]), int(message.body["total"]))
            else:
                raise AxisError(_message(message, self._log))
        return {**join_pieces(pieces), **marks.evidence()}

    def close(self) -> None:
        """Kill the process and everything it started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        for stream in filter(None, (process.stdin, self._replies)):
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_GRACE_S)
        with contextlib.suppress(RecursionError):  # folders in folders without end stay where they are
            self._folder.cleanup()

    def _start(self, request: SubjectRequest) -> None:
        replies, answers = os.pipe()
        self._folder = tempfile.TemporaryDirectory(prefix="e360-", ignore_cleanup_errors=True)
        self._plan = _plan(self._folder.name, request, compilers=self._compilers)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = (sys.executable, "-X", "faulthandler", "-m", "efficiency360.engine.worker")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [*command, str(answers), self._plan.to_json()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(answers,),
                env=_environment(self._plan, request.threads),
                cwd=self._folder.name,
                start_new_session=True,
            )
        os.close(answers)
        self._replies = os.fdopen(replies, "rb", buffering=0)

    def _send(self, message: Message) -> None:
        assert self._process is not None  # noqa: S101
        assert self._process.stdin is not None  # noqa: S101
        try:
            send(self._process.stdin.write, message)
            self._process.stdin.flush()
        except (BrokenPipeError, ConnectionResetError):
            raise AxisError(self._how_it_ended()) from None

    def _receive(self) -> Message:
        try:
            return receive(self._read)
        except WireError as error:
            raise AxisError(f"the worker's answer could not be understood ({error})") from error

    def _read(self, n: int) -> bytearray:
        """Exactly n bytes, or AxisError where the process ends or time runs out first.

        Memory grows with what comes, not with what is claimed.
        """
        data = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            while len(data) < n:
                if not selector.select(self._look_s()):
                    self._look()
                    continue
                got = os.read(self._replies.fileno(), min(n - len(data), _CHUNK))
                if not got:
                    raise AxisError(self._how_it_ended())
                data += got
        return data

    def _look_s(self) -> float:
        """Seconds to wait before the next look at the clock and the folder."""
        end = min(self._patience, math.inf if self._deadline is None else self._deadline)
        return max(0.0, min(end - time.monotonic(), _LOOK_S))

    def _look(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise AxisError("the time given by --budget was used up")
        if time.monotonic() >= self._patience:
            raise AxisError(f"the model gave no first answer within {_LOADING_S / 60:.0f} minutes")
        if _overfull(self._folder.name):
            raise AxisError("the model filled its private folder with more than 2 GB, or 10,000 files")

    def _how_it_ended(self) -> str:
        assert self._process is not None  # noqa: S101
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return "the worker closed its pipe without an answer"
        if code >= 0:
            return f"the worker ended with exit code {code} before it answered; see {self._log}"
        name = signal.Signals(-code).name
        memory = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"the worker was killed by {name}{memory}"


def _plan(folder: str, request: SubjectRequest, *, compilers: bool) -> Plan:
    """What the wall lets through for this subject."""
    gpu = request.device != "cpu" and any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd"))
    memory = int(_SHARE_OF_MEMORY * (free_bytes() or memory_bytes()))
    return Plan(
        folder=folder,
        reads=request.reads,
        memory_bytes=None if gpu or not memory else memory,
        compilers=compilers and not request.runs_code,
        gpu=gpu,
    )


def _overfull(folder: str) -> bool:
    """Whether a folder holds more than it may; counting stops there."""
    size = 0
    for count, path in enumerate(_files(Path(folder))):
        with contextlib.suppress(OSError):
            size += path.lstat().st_blocks * 512
        if size > _FOLDER_BYTES or count > _FOLDER_FILES:
            return True
    return False


def _files(folder: Path) -> Iterator[Path]:
    left = [folder]
    while left:
        with contextlib.suppress(OSError):
            for path in left.pop().iterdir():
                yield path
                if path.is_dir() and not path.is_symlink():
                    left.append(path)


def _environment(plan: Plan, threads: int) -> dict[str, str]:
    """What the worker may know of this process's environment: no tokens, no keys, no home."""
    kept = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    count = str(threads)
    return {
        **kept,
        "HOME": plan.folder,
        "PYTHONUSERBASE": site.getuserbase(),
        "TMPDIR": plan.folder,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "HF_HUB_OFFLINE": "1",
        **({} if plan.compilers else {NO_COMPILER: "1"}),
        **_KEPT_MEMORY,
        "PYTHONUNBUFFERED": "1",
    }


def _images(data: Dataset, need: Message) -> Message:
    """Answer a request for images: raw arrays, or the files' bytes one after the other."""
    start, stop = int(need.body["start"]), int(need.body["stop"])
    if not 0 <= start <= stop <= len(data):
        raise AxisError(f"the worker asked for images {start} to {stop} of {len(data)}")
    if data.arrays is not None:
        return Message("images", {"arrays": True}, {"images": data.arrays[start:stop]})
    files = [bytes(image) for image in data.read(start, stop)]
    arrays = {"bytes": np.frombuffer(b"".join(files), np.uint8), "ends": np.cumsum([len(file) for file in files])}
    return Message("images", {"arrays": False}, arrays)


def _message(answer: Message, log: Path) -> str:
    text = (
        str(answer.body.get("message", "no reason given"))
        if answer.kind == "error"
        else f"an unexpected '{answer.kind}'"
    )
    return f"{text} (details in {log})" if answer.body.get("category") == "unexpected" else text
