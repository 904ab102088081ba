"""Where observation happens: in a worker process (see `remote`), or in this one for a module that the caller holds."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

import numpy as np

from efficiency360.engine.host import Host, Marks
from efficiency360.errors import AxisError, E360Error, InputError
from efficiency360.words import one_line, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import nn

    from efficiency360.axes import Evidence
    from efficiency360.engine.job import Observation
    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.request import SubjectRequest

MOST_EVIDENCE_BYTES = 4 << 30


class Executor(Protocol):
    """Loads one subject, then observes it axis by axis."""

    @property
    def isolation(self) -> tuple[str, ...]:
        """What keeps the subject from the rest of the machine, in words."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Layers that this machine does not give."""

    def load(self, request: SubjectRequest) -> SubjectInfo:
        """Load the subject; raises InputError where it cannot be."""

    def start_anew(self) -> float | None:
        """Load the subject in a new process; seconds from its start to the first answer, None where there is none."""

    def observe(self, asked: Observation) -> Evidence:
        """Observe one axis; raises AxisError where that fails."""

    def close(self) -> None:
        """Leave nothing running."""


class InProcess:
    """For an `nn.Module` in memory: the caller's own code, so no wall; the module is copied."""

    isolation: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def load(self, request: SubjectRequest) -> SubjectInfo:
        """Copy the module and find out its shapes."""
        from efficiency360.engine.observer import Observer  # noqa: PLC0415 - imports torch

        try:
            with _left_alone():
                self._observer = Observer(request, self._module)
        except E360Error:
            raise
        except Exception as error:
            raise InputError(f"the module cannot be audited ({told(error)})") from error
        return self._observer.info

    def start_anew(self) -> float | None:
        """There is no process to start."""
        return None

    def observe(self, asked: Observation) -> Evidence:
        """Observe one axis here; whatever the module raises fails that axis only."""
        marks = Marks(Host(), os.getpid())
        try:
            with _left_alone():
                pieces = join_pieces(self._observer.observe(asked, asked.data_sets, marks.note))
                return {**pieces, **marks.evidence()}
        except E360Error as error:
            raise AxisError(str(error)) from error
        except Exception as error:
            raise AxisError(told(error)) from error

    def close(self) -> None:
        """Nothing was started."""


@contextlib.contextmanager
def _left_alone() -> Iterator[None]:
    """Give the caller's process back its random generators and threads as they were."""
    import torch  # noqa: PLC0415 - the caller has it, or there would be no module

    from efficiency360.numerics.chance import same_chance  # noqa: PLC0415 - imports torch

    threads = torch.get_num_threads()
    try:
        with same_chance(), torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)


def join_pieces(pieces: Iterable[Evidence]) -> dict[str, NDArray[np.generic]]:
    """All arrays of one name joined along their first axis.

    Raises:
        AxisError: they do not fit together, or would take up more than 4 GB: text is as wide as the widest.
    """
    gathered: defaultdict[str, list[NDArray[np.generic]]] = defaultdict(list)
    for piece in pieces:
        for name, array in piece.items():
            gathered[name].append(array)
    try:
        if sum(map(_joined_bytes, gathered.values())) > MOST_EVIDENCE_BYTES:
            raise AxisError("the evidence would take up more than 4 GB")
        return {name: np.concatenate(arrays) if len(arrays) > 1 else arrays[0] for name, arrays in gathered.items()}
    except (ValueError, TypeError) as error:
        raise AxisError(f"the evidence does not fit together: {one_line(str(error))}") from error


def _joined_bytes(arrays: list[NDArray[np.generic]]) -> int:
    """Bytes of the arrays in the type that holds them all."""
    return np.result_type(*{array.dtype for array in arrays}).itemsize * sum(array.size for array in arrays)
