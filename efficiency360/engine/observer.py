"""Loading and observing, as both the worker process and the in-process path do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.axes import Run, make_axis
from efficiency360.dataset.stream import ImageStream
from efficiency360.engine.guard import REPLACED, Guard
from efficiency360.numerics.chance import seed_all
from efficiency360.subject.load import load_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn

    from efficiency360.axes import Evidence
    from efficiency360.dataset import ImageSource
    from efficiency360.engine.job import Observation
    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.request import SubjectRequest

_NAMED = 100


class Observer:
    """Holds one loaded subject."""

    def __init__(self, request: SubjectRequest, module: nn.Module | None = None) -> None:
        torch.set_num_threads(request.threads)
        self._request = request
        self._guard = Guard() if module is not None or request.runs_code else None
        self._subject, self.info = load_subject(request, module)

    info: SubjectInfo

    def observe(
        self, asked: Observation, sources: Mapping[str, ImageSource], mark: Callable[[], None]
    ) -> Iterator[Evidence]:
        """Yield an axis's evidence in pieces, from freshly seeded generators; `mark` as in `Run`."""
        seed, threads = self._request.seed, self._request.threads
        seed_all(seed)
        streams = {name: ImageStream(source, self.info.preprocess, threads) for name, source in sources.items()}
        run = Run(seed, threads, asked.progress, mark, streams, asked.labels, asked.given)
        yield from make_axis(asked.axis_id, asked.settings).observe(self._subject, streams.get("data"), run)
        if self._guard is not None and (replaced := self._guard.replaced()):
            yield {REPLACED: np.array(replaced[:_NAMED], dtype=np.str_)}
