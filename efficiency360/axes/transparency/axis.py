"""Transparency: whether maps that explain the model's answers point at what the answers depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.transparency import doubts, numbers, tables
from efficiency360.axes.transparency.seen import Seen
from efficiency360.errors import AxisError
from efficiency360.records import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

Name = Literal["auto", "integrated_gradients", "grad_cam", "attention_rollout", "occlusion"]
_GRADIENT = 3
"""What forward and backward pass take together, in forward passes of an image."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Transparency(Axis):
    """Faithfulness of explanations against random ones, their dependence on the weights, their stability, their cost.

    A map says of each cell of a `grid` x `grid` over the image how much it speaks for the class that the model gives.
    `deletion_auc` is the area under the softmax probability of that class while cells become the baseline image, the
    most important first, in `steps` steps (lower is better); `insertion_auc` while they come back (higher is better;
    Petsiuk et al. 2018, section 4.2). `deletion_gain` and `insertion_gain` are how much better that is than
    `random_orders` random orders of the same cells of the same images; equal values of a map are taken in random order
    too. `baseline` is what is left of a cell: the image's `mean` colour, the image under a `blur`, or `black`; there
    integrated gradients begin (`path_steps` gradients) and what occlusion covers with. `randomisation_similarity` is
    the mean rank correlation (Spearman) of a map with that of the same image and class after all weights were shuffled
    (Adebayo et al. 2018); `stability` is the largest relative change of a map when no value of the image moves by more
    than `noise`, over `draws` draws (max-sensitivity, Yeh et al. 2019, a lower bound); both on the first `checked`
    images. `extra_passes` are the passes through the model that one explanation takes, forward ones and those back to
    the image, which count as one each, beside the one that every answer takes.
    Settings beside these: `methods`, `auto` or names; `images`, how many at most; `shown` in the report.

    What would make these numbers wrong: a baseline that the model still recognises, or that is no image that it could
    meet, so that cells count for their edges; an answer so sure that taking cells away shows only at the end. Caveats
    look for the first and the last; `doubts` says where each draws its line, and why. Intervals cover the choice of
    images. What a map means to people is not measured.
    """

    id: ClassVar[str] = "transparency"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA})
    may_use: ClassVar[tuple[str, ...]] = ("accuracy",)

    methods: Annotated[tuple[Name, ...], Field(min_length=1)] = ("auto",)
    images: Annotated[int, Field(ge=2)] = 50
    steps: Annotated[int, Field(ge=2, le=1000)] = 12
    grid: Annotated[int, Field(ge=2, le=64)] = 14
    baseline: Literal["mean", "blur", "black"] = "mean"
    random_orders: Annotated[int, Field(ge=1, le=100)] = 2
    path_steps: Annotated[int, Field(ge=1, le=1000)] = 20
    checked: Annotated[int, Field(ge=0)] = 12
    noise: Annotated[float, Field(gt=0, le=1)] = 0.02
    draws: Annotated[int, Field(ge=1, le=100)] = 3
    shown: Annotated[int, Field(ge=0, le=64)] = 4
    batch_size: Annotated[int, Field(ge=1)] | None = None

    def workload(self, images: int) -> Workload:
        """Passes of integrated gradients and one method without them, as most models get."""
        n, checks = min(images, self.images), min(images, self.images, self.checked)
        explained = _GRADIENT * (self.path_steps + 1)
        orders = (4 + self.random_orders) * self.steps
        return Workload(n * (explained + orders) + checks * explained * (self.draws + 3), self.batch_size or 8)

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield maps, curves and what came of the checks; see `seen.Seen`.

        Raises:
            AxisError: no image can be read, or none of the methods can explain the model.
        """
        from efficiency360.axes.transparency import observing  # noqa: PLC0415 - torch, in the worker only

        if data is None:
            raise AxisError("no data")
        yield from observing.observed(self, subject, data, run)

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002
        """Areas, similarities and what they are worth.

        Raises:
            AxisError: the evidence does not fit together, or contradicts what the model answered before.
        """
        seen = Seen.read(evidence)
        found, samples = numbers.measured(seen, np.random.default_rng(len(seen.positions)))
        return Findings(
            measurements=found,
            series=tuple(tables.series(seen)),
            caveats=tuple(doubts.doubts(self, seen, found)),
            samples=samples,
        )
