"""Privacy: the accuracy that private fine-tuning keeps, and what the model gives away of what it was trained on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.privacy import canaries, group_costs, leaks, membership, membership_seen, numbers
from efficiency360.axes.privacy.doubts import doubts
from efficiency360.axes.privacy.seen import Seen
from efficiency360.axes.privacy.split import Split, split
from efficiency360.errors import AxisError
from efficiency360.numerics.private.recipe import Recipe
from efficiency360.records import Caveat, Findings
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    """What private fine-tuning would cost, and how well training images are told from others.

    Fine-tuning: accuracy after differentially private training at each epsilon, and after the same without privacy.
    Settings: `method`: `head` trains a new last layer on features that stay as they are, `bitfit` the biases and a new
    last layer, `full` everything that can be trained privately; `epsilons`; `seeds`, how many trainings each; `delta`,
    1 / (10 n) of n training images unless given; `steps`, `batch` (images a step on average: half of them unless given,
    4,096 at most), `clip`, `learning_rate` and `momentum` of the training; `test_share` and `split_seed` where nothing
    says which images test; `keep_together`, columns whose groups are not parted (unless given, those with names such
    as patient_id); `physical_batch`, images in memory at once; `canaries`, how many examples a further training of the
    last layer at each epsilon has planted in it, or left out, by fair coins (0: no such training): what its weights
    give away of the coins is `privacy.epsilon_lower_bound`, the epsilon of the most noise that right guesses allow,
    by the whole trade-off curve of such training (Mahloujifar et al. 2025), and beside it what all right would prove.

    Nothing is chosen by results: all of these are fixed before the first image is seen, so no choice has to be paid
    for, and images that test are seen once, at the end. Trainings of one seed take the same images in the same steps
    with the same noise but for its size, so their differences are paired. The last layer is new and starts from 0,
    also where the model has one for these classes: what counts is what the training images teach. Epsilon is that of
    one training, under adding or removing one image, by a PRV accountant; its noise comes from seeded generators, as
    measuring needs and releasing forbids.
    What would make these numbers wrong: a model that was trained on these images before (epsilon says nothing of that,
    and accuracy on those that test comes out too high), images of one person on both sides of the split, labels that
    are wrong, training settings that suit this data badly (private accuracy could be better than shown).

    Membership inference, where there are members: a column `split` (train or member, test or non-member) of the data,
    folders train/ and test/ with class folders, or `members`, a path as for `--data` with images trained on, beside
    data that were not. Both kinds reach the model in one stream and in an order that tells nothing.
    The attack `loss` (Yeom et al. 2018) takes a high probability of the label as a sign; `calibrated` corrects it for
    how hard an image is for `references` linear heads on the model's features that never saw its label.
    `privacy.mia_auc` is the chance that a member scores above a non-member; `privacy.mia_tpr` is the share of members
    found while a share `fpr` of non-members is accused, given only where so many non-members resolve it.
    `mia_group_auc` and `mia_group_tpr` are the same within classes and groups of at least `min_group` images each way.
    `privacy.epsilon_lower_bound` is given where the manifest says that fair coins chose the members.
    The `exposed` surest members are listed by their place; `shown_exposed` adds file names. No image is ever shown.
    What would make these numbers wrong: members and non-members that differ in more than membership (time, place,
    camera), which an attack picks up though the model remembers nothing; non-members that were trained on after all,
    which duplicates reveal; stronger attacks, which find more.
    """

    id: ClassVar[str] = "privacy"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    wants: ClassVar[frozenset[Need]] = frozenset({Need.MEMBERS})
    sees_labels: ClassVar[bool] = True
    own_classes: ClassVar[bool] = True
    of_the_data: ClassVar[frozenset[str]] = frozenset({"members", "keep_together"})

    method: Method = "head"
    epsilons: Annotated[
        tuple[Annotated[float, Field(ge=_LEAST_EPSILON, le=_MOST_EPSILON, allow_inf_nan=False)], ...],
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
    physical_batch: Annotated[int, Field(ge=1)] = 16
    canaries: Annotated[int, Field(ge=0, le=100_000)] = 500

    members: str | None = None
    attacks: tuple[membership.Attack, ...] = ("loss", "calibrated")
    references: Annotated[int, Field(ge=4, le=256)] = 16
    min_group: Annotated[int, Field(ge=membership_seen.FEWEST)] = 30
    exposed: Annotated[int, Field(ge=0, le=1000)] = 10
    shown_exposed: bool = False
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.01

    def __post_init__(self) -> None:
        """Refuse an axis with nothing to do."""
        if not (self.epsilons or self.attacks):
            raise ValueError("epsilons and attacks are empty: there is nothing to measure")

    @property
    def data_sets(self) -> Mapping[str, str]:
        """The images trained on, where they are given beside the data."""
        return {leaks.MEMBERS: self.members} if self.members else {}

    def workload(self, images: int) -> Workload:
        """Every image and member once; but for `head` every training image in as many steps as take it, too."""
        attacked = (2 * images if self.members else images) if self.attacks else 0
        if not self.epsilons or self.method == "head":
            return Workload(max(attacked, images), self.physical_batch, seconds=15)
        taken = self.steps * min((1 - self.test_share) * images / 2, self.batch or _MOST_EXPECTED)
        trainings = self.seeds * (len(self.epsilons) + 1)
        return Workload(attacked + images + _A_STEP * taken * trainings, self.physical_batch, seconds=15)

    def briefing(self, labels: Labels) -> Evidence:
        """The part (N,) of each image: 1 trains, 2 tests, 0 does neither; or `untuned`, why they cannot be parted."""
        if not self.epsilons:
            return {}
        try:
            parts = self.parted(labels)
            self.recipe(len(parts.train))
        except AxisError as error:
            return {"untuned": np.array([str(error)])}
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
        """Yield what attacks need of members and others, then what trained classifiers say of images that test.

        See `membership_observing.observed` and `Seen`; `untuned` is why nothing was trained.

        Raises:
            AxisError: no labelled data, or neither part can be done.
        """
        if data is None or run.labels is None:
            raise AxisError("no labelled data")
        from efficiency360.axes.privacy import finetuning, membership_observing  # noqa: PLC0415 - torch, in the worker
        from efficiency360.axes.privacy.remembered import Remembered  # noqa: PLC0415 - torch

        attacked, model = bool(self.attacks) and leaks.MEMBERS in run.sources, Remembered(subject)
        if attacked:
            heads = self.references if "calibrated" in self.attacks else 0
            yield from membership_observing.observed(model, run, heads=heads, batch_size=self.physical_batch)
        if not self.epsilons:
            return
        try:
            yield from finetuning.observed(self, model, data, run)
        except AxisError as error:
            if not attacked:
                raise
            yield {"untuned": np.array([str(error)])}

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Count what is right, and attack.

        Raises:
            AxisError: no labels, what the worker says does not fit the split, the recipe or the claimed epsilon, or a
                claim in the manifest that is disproven.
        """
        if labels is None:
            raise AxisError("no labels")
        trained, leaked = self._tuning(evidence, labels), leaks.findings(self, evidence, labels)
        if not trained.measurements and not leaked.measurements:
            raise AxisError(leaks.why_none(labels))
        return Findings(
            measurements=(*trained.measurements, *leaked.measurements),
            series=(*trained.series, *leaked.series),
            caveats=(*trained.caveats, *leaked.caveats),
            samples=trained.samples,
        )

    def _tuning(self, evidence: Evidence, labels: Labels) -> Findings:
        if not self.epsilons:
            return Findings(measurements=())
        if "untuned" in evidence:
            why = one_line(str(evidence["untuned"][0]))
            text = f"Nothing was trained privately: {why}."
            return Findings(measurements=(), caveats=(Caveat(id="privacy.untuned", severity="warning", text=text),))
        seen = Seen.read(evidence, labels, self)
        rng = np.random.default_rng(len(labels.classes))
        found, samples = numbers.measured(seen, rng)
        return Findings(
            measurements=(*found, *(one for proof in seen.proofs for one in canaries.measured(proof))),
            series=(*numbers.series(seen, found), *group_costs.table(seen, self.min_group, rng)),
            caveats=tuple(doubts(seen, found)),
            samples=samples,
        )
