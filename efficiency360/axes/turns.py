"""One turn of a model that is timed beside others: what `e360 compare --interleaved` observes, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need
from efficiency360.axes.stretches import Stretches, interference
from efficiency360.records import Findings, Measurement
from efficiency360.statistics import timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Turns(Axis):
    """Forward passes of one image for `seconds`, as one stretch between two marks of the auditor.

    With `warm_s` above 0 it warms up before, for at most so many seconds, and settles garbage for the turns to come.
    `turn` numbers the turns of a process, so that none sees the images of another. Who is timed next, and how the
    turns are compared, the auditing process decides: see `engine.interleaved` and `statistics.turns`.
    What would make its times wrong: answers that the model remembers from one run to the next, which the speed axis of
    an audit looks for and this does not.
    """

    id: ClassVar[str] = "turns"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset()
    timed: ClassVar[bool] = True

    seconds: Annotated[float, Field(gt=0, le=3600)] = 0.05
    warm_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    turn: Annotated[int, Field(ge=0)] = 0

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:  # noqa: ARG002
        """Yield one stretch (see `axes.stretches`) with its `stretch_turn` (1,)."""
        import gc  # noqa: PLC0415
        import os  # noqa: PLC0415

        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics.timing import Forward, settle, stretch, undisturbed  # noqa: PLC0415

        generator = torch.Generator().manual_seed(run.seed + self.turn)

        def example(shape: tuple[int, ...]) -> torch.Tensor:
            return subject.normalised(torch.rand(shape, generator=generator).to(subject.device))

        with undisturbed(run.threads):
            forward = Forward(subject.module, (1, *subject.input_shape), example)
            if self.warm_s:
                settle(forward, subject.device, most_s=self.warm_s)
                gc.freeze()  # else each turn would begin with a tenth of a second of looking for garbage
            taken = stretch(forward, subject.device, seconds=self.seconds, mark=run.mark)
        yield {
            "ms": np.array(taken),
            "of": np.zeros(len(taken), np.int64),
            "stretch_turn": np.array([self.turn]),
            "device": np.array([subject.device.type]),
            "processors": np.array([os.cpu_count() or 1]),
        }

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002
        """The median of all runs of some turns, and what disturbed them.

        Raises:
            AxisError: the timings cannot be trusted.
        """
        stretches = Stretches.read(evidence)
        median = timing.quantile(stretches.ms, 0.5)
        return Findings(
            measurements=(Measurement(name="turns.latency_ms", value=median, unit="ms", n=len(stretches.ms)),),
            caveats=tuple(interference(stretches, self.id)),
        )


def medians(evidence: Evidence) -> NDArray[np.float64]:
    """The median of each turn (T,) in milliseconds.

    Raises:
        AxisError: the timings cannot be trusted.
    """
    stretches = Stretches.read(evidence)
    return np.array([np.median(stretches.ms[stretches.of == turn]) for turn in range(stretches.count)])
