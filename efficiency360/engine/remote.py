"""The parent's side of the worker process: starting it, talking to it, and ending it."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.engine.answers import Gathering, complaint, steps, subject_info, wanted_images
from efficiency360.engine.confinement import plan_for
from efficiency360.engine.host import Host
from efficiency360.engine.job import GIVEN
from efficiency360.engine.output import Output
from efficiency360.engine.pipe import Pipe
from efficiency360.engine.private import PrivateFolder
from efficiency360.engine.variables import environment
from efficiency360.engine.wall import ALWAYS, EVERY_LAYER
from efficiency360.engine.wire import Message
from efficiency360.errors import AxisError, E360Error, InputError, UndecidedError
from efficiency360.words import one_line, told

if TYPE_CHECKING:
    from efficiency360.axes import Evidence
    from efficiency360.engine.job import Observation
    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.request import SubjectRequest

_GRACE_S = 5.0
_LOOK_S = 1.0
_LOADING_S, _LOADING_S_A_BYTE = 120.0, 60e-9
_NOT_UNDERSTOOD = "the worker's answer could not be understood"


class Worker:
    """A process of its own session, with a clean environment, a private folder, a wall clock, and `engine.wall`.

    `compilers` lets a model without code of its own start programs, which torch.compile needs; with `strict` a layer
    of the wall that this machine does not give is an InputError. `hides` are paths that it must not see.
    """

    def __init__(
        self,
        log: Path,
        *,
        deadline: float | None = None,
        compilers: bool = False,
        strict: bool = False,
        hides: tuple[str, ...] = (),
    ) -> None:
        self._log = log
        self._deadline = deadline
        self._compilers = compilers
        self._strict = strict
        self._hides = hides
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
            self._patience = time.monotonic() + _patience_s(request)
            return self._loaded(request)
        except BaseException:
            self.close()
            raise
        finally:
            self._patience = math.inf

    def _loaded(self, request: SubjectRequest) -> SubjectInfo:
        try:
            self._check_wall()
            self._pipe.send(Message("load", request.model_dump(mode="json")))
            return subject_info(self._pipe.receive(), request, self._log)
        except AxisError as error:
            where = "" if str(self._log) in str(error) else f"; see {self._log}"
            raise UndecidedError(f"loading {request.name}: {error}{where}") from error
        except (E360Error, OSError):
            raise
        except Exception as error:
            raise UndecidedError(f"loading {request.name}: {_NOT_UNDERSTOOD} ({told(error)})") from error

    def _check_wall(self) -> None:
        """Learn which layers hold, before any foreign code is there to answer.

        Raises:
            InputError: one is missing under `--strict`.
        """
        assert self._process is not None  # noqa: S101 - `_start` comes first
        self._layers = tuple(one_line(str(layer)) for layer in self._pipe.receive().body["layers"])
        self._private.entrust(self._process.pid)
        if self._strict and self.missing:
            raise InputError(
                f"--strict: this machine does not give {', '.join(self.missing)} (e360 doctor says why); run without"
                " --strict to go on with what there is"
            )

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
        except (E360Error, OSError):
            self.close()
            raise
        except Exception as error:
            self.close()
            raise AxisError(f"{_NOT_UNDERSTOOD} ({told(error)})") from error

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
        command = {"axis": asked.axis_id, "settings": dict(asked.settings), "images": images}
        arrays = {f"{GIVEN}{name}": array for name, array in asked.given.items()}
        if asked.labels is not None:
            arrays["labels"] = asked.labels
        self._pipe.send(Message("observe", command, arrays=arrays))
        gathering = Gathering(self._host, self._process.pid)
        while (message := self._pipe.receive()).kind != "done":
            gathering.count()
            if message.kind == "need":
                self._pipe.send(wanted_images(asked, message))
            elif message.kind == "mark":
                gathering.mark()
                self._pipe.send(Message("marked"))
            elif message.kind == "evidence":
                gathering.add(message.arrays)
            elif message.kind == "progress":
                asked.progress(*steps(message.body))
            else:
                raise AxisError(complaint(message, self._log))
        return gathering.joined()

    def close(self) -> None:
        """Kill the process and everything it started, keep what it printed, and remove its folder."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        self._pipe.close()
        with contextlib.suppress(OSError):
            self._output.keep(self._log)
        self._private.remove()

    def _start(self, request: SubjectRequest) -> None:
        self._private, self._output = PrivateFolder(), Output()
        self._plan = plan_for(request, self._private.path, hides=self._hides, compilers=self._compilers)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        orders, commands = os.pipe()
        replies, answers = os.pipe()
        command = (sys.executable, "-X", "faulthandler", "-m", "efficiency360.engine.worker")
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, str(answers), self._plan.to_json()],
            stdin=orders,
            stdout=self._output.fileno(),
            stderr=self._output.fileno(),
            pass_fds=(answers,),
            env=environment(self._plan, request.threads),
            cwd=self._private.path,
            start_new_session=True,
        )
        os.close(orders)
        os.close(answers)
        self._pipe = Pipe(commands, replies, look=self._look, how_it_ended=self._how_it_ended)

    def _look(self) -> float:
        """See that the worker stays within its limits; seconds until the next look."""
        assert self._process is not None  # noqa: S101 - `_start` comes first
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            raise AxisError("the time given by --budget was used up")
        if now >= self._patience:
            raise AxisError("the model took too long to load and give a first answer (2 minutes, and 1 for each GB)")
        self._private.check(self._process.pid)
        end = min(self._patience, math.inf if self._deadline is None else self._deadline)
        return min(end - now, _LOOK_S)

    def _how_it_ended(self) -> str:
        assert self._process is not None  # noqa: S101
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return "the worker closed its pipe without an answer"
        if code >= 0:
            return f"the worker ended with exit code {code} before it answered; see {self._log}"
        name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
        memory = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"the worker was killed by {name}{memory}"


def _patience_s(request: SubjectRequest) -> float:
    """Seconds that loading may take: code from outside could keep it going for ever."""
    files = (Path(path) for path in request.reads)
    return _LOADING_S + _LOADING_S_A_BYTE * sum(path.stat().st_size for path in files if path.is_file())
