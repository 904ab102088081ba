"""Privacy: the accuracy that private fine-tuning keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.privacy import numbers
from efficiency360.axes.privacy.doubts import doubts
from efficiency360.axes.privacy.seen import Seen
from efficiency360.axes.privacy.split import Split, split
from efficiency360.errors import AxisError
from efficiency360.numerics.private.recipe import Recipe
from efficiency360.records import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

Method = Literal["head", "bitfit", "full"]
_MOST_EPSILON, _LEAST_EPSILON = 100.0, 0.01
_MOST_EXPECTED = 4096
_STEP_SIZE: dict[str, float] = {"head": 1.0, "bitfit": 0.1, "full": 0.1}
_A_STEP = 3
"""Forward passes that a training step takes the time of."""


def _distinct(epsilons: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(epsilons)) < len(epsilons):
        raise ValueError("an epsilon stands there twice")
    return tuple(sorted(epsilons))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Privacy(Axis):
    """Accuracy after differentially private fine-tuning at each epsilon, and after the same without privacy.

    Settings: `method`: `head` trains a new last layer on features that stay as they are, `bitfit` the biases and a new
    last layer, `full` everything that can be trained privately; `epsilons`; `seeds`, how many trainings each; `delta`,
    1 / (10 n) of n training images unless given; `steps`, `batch` (images a step on average: half of them unless given,
    4,096 at most), `clip`, `learning_rate` and `momentum` of the training; `test_share` and `split_seed` where nothing
    says which images test; `keep_together`, columns whose groups are not parted (unless given, those with names such
    as patient_id); `physical_batch`, images in memory at once.

    Nothing is chosen by results: all of these are fixed before the first image is seen, so no choice has to be paid
    for, and images that test are seen once, at the end. Trainings of one seed take the same images in the same steps
    with the same noise but for its size, so their differences are paired. The last layer is new and starts from 0,
    also where the model has one for these classes: what counts is what the training images teach. Epsilon is that of
    one training, under adding or removing one image, by a PRV accountant; its noise comes from seeded generators, as
    measuring needs and releasing forbids.
    What would make these numbers wrong: a model that was trained on these images before (epsilon says nothing of that,
    and accuracy on those that test comes out too high), images of one person on both sides of the split, labels that
    are wrong, training settings that suit this data badly (private accuracy could be better than shown).
    """

    id: ClassVar[str] = "privacy"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    sees_labels: ClassVar[bool] = True

    method: Method = "head"
    epsilons: Annotated[
        tuple[Annotated[float, Field(ge=_LEAST_EPSILON, le=_MOST_EPSILON, allow_inf_nan=False)], ...],
        Field(min_length=1),
        AfterValidator(_distinct),
    ] = (1.0, 3.0, 8.0)
    seeds: Annotated[int, Field(ge=5, le=100)] = 5
    delta: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    steps: Annotated[int, Field(ge=1, le=100_000)] = 100
    batch: Annotated[int, Field(ge=1)] | None = None
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.9
    test_share: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.3
    split_seed: Annotated[int, Field(ge=0)] = 0
    keep_together: tuple[str, ...] | None = None
    physical_batch: Annotated[int, Field(ge=1)] = 32

    def workload(self, images: int) -> Workload:
        """Every image once for `head`; else every training image in about as many steps as it is taken in."""
        if self.method == "head":
            return Workload(images, self.physical_batch, seconds=10)
        taken = self.steps * min((1 - self.test_share) * images / 2, self.batch or _MOST_EXPECTED)
        trainings = self.seeds * (len(self.epsilons) + 1)
        return Workload(images + _A_STEP * taken * trainings, self.physical_batch, seconds=10)

    def briefing(self, labels: Labels) -> Evidence:
        """The part (N,) of each image: 1 trains, 2 tests, 0 does neither.

        Raises:
            AxisError: the data cannot be parted, see `split.split`, or a batch is larger than the training part.
        """
        parts = self.parted(labels)
        self.recipe(len(parts.train))
        return {"part": parts.part}

    def parted(self, labels: Labels) -> Split:
        """Which images train and which test."""
        return split(labels, self.test_share, self.split_seed, self.keep_together)

    def recipe(self, n: int) -> Recipe:
        """How n images are trained on.

        Raises:
            AxisError: a batch is larger than n.
        """
        if self.batch is not None and self.batch > n:
            raise AxisError(
                f"a batch of {self.batch} images does not fit {n} to train on; give a smaller privacy.batch"
            )
        rate = self.batch / n if self.batch is not None else min(0.5, _MOST_EXPECTED / n)
        step_size = _STEP_SIZE[self.method] if self.learning_rate is None else self.learning_rate
        return Recipe(n, self.steps, rate, self.clip, step_size, self.momentum)

    def delta_of(self, n: int) -> float:
        """Delta for n training images: as given, or 1 / (10 n), rounded down to three digits."""
        if self.delta is not None:
            return self.delta
        whole = 1 / (10 * n)
        unit = 10.0 ** (math.floor(math.log10(whole)) - 2)
        return float(f"{math.floor(whole / unit * (1 + 1e-12)) * unit:.3g}")

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield what the trained classifiers say of the images that test, and what each training did; see `Seen`.

        Raises:
            AxisError: no labelled data, or the subject cannot be trained by this method.
        """
        from efficiency360.axes.privacy import finetuning  # noqa: PLC0415 - torch, in the worker only

        if data is None or run.labels is None:
            raise AxisError("no labelled data")
        yield from finetuning.observed(self, subject, data, run)

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Count what is right.

        Raises:
            AxisError: no labels, or what the worker says does not fit the split, the recipe or the claimed epsilon.
        """
        if labels is None:
            raise AxisError("no labels")
        seen = Seen.read(evidence, labels, self)
        found, samples = numbers.measured(seen, np.random.default_rng(len(labels.classes)))
        return Findings(
            measurements=found,
            series=tuple(numbers.series(seen, found)),
            caveats=tuple(doubts(seen, found)),
            samples=samples,
        )
