"""Robustness: how often the model is still right when images are attacked, or spoiled as the world spoils them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.robustness import completeness, doubts, numbers
from efficiency360.axes.robustness.seen import Seen
from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.attacks import needs_gradients, specs_of
from efficiency360.numerics.corruptions import NAMES, SEVERITIES, check
from efficiency360.radii import radius
from efficiency360.records import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

_STEPS_AN_IMAGE = 30
"""Forward passes that an image takes on average until it falls or is given up; a rough guess for dry runs."""


def _attacks(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        specs_of(names)
    except InputError as error:
        raise ValueError(str(error)) from error
    return names


def _corruption(name: str) -> str:
    try:
        check(name)
    except InputError as error:
        raise ValueError(str(error)) from error
    return name


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Robustness(Axis):
    """Accuracy under attack for each radius, and under each corruption at each severity.

    Settings: `attacks`, presets (`quick`, `autoattack`, `blackbox`) or names of ours and of torchattacks; `norm` and
    `eps`, radii in units where pixels go from 0 to 1; `corruptions` and `severities`; `images` and `corruption_images`,
    how many of the data at most. An attack finds what it finds: robust accuracy is an upper bound, whatever its
    interval, which covers the sampling of images only. Each adversarial image is checked before it counts: inside the
    ball, inside [0, 1], and misclassified in a forward pass of its own. A figure is that of the attacks named in its
    params; a stronger one may lower it.
    What would make these numbers wrong: gradients that are masked (zero, shattered, random), which the caveats look
    for; a model that knows that it is attacked; preprocessing before the model's input that this attack does not see,
    such as resizing (attacks change the image as the model gets it).
    """

    id: ClassVar[str] = "robustness"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    uses: ClassVar[tuple[str, ...]] = ("accuracy",)
    sees_labels: ClassVar[bool] = True

    attacks: Annotated[tuple[str, ...], AfterValidator(_attacks)] = ("quick",)
    norm: Literal["Linf", "L2"] = "Linf"
    eps: tuple[Annotated[float, BeforeValidator(radius), Field(ge=0, le=1000)], ...] = (1 / 255, 4 / 255)
    corruptions: tuple[Annotated[str, AfterValidator(_corruption)], ...] = NAMES
    severities: tuple[Annotated[int, Field(ge=1, le=5)], ...] = SEVERITIES[::2]
    images: Annotated[int, Field(ge=1)] = 200
    corruption_images: Annotated[int, Field(ge=1)] = 200
    shown: Annotated[int, Field(ge=0, le=64)] = 4
    batch_size: Annotated[int, Field(ge=1)] = 32

    def __post_init__(self) -> None:
        """Refuse radii that are none in the norm, and an axis with nothing to do."""
        if self.norm == "Linf" and any(radius > 1 for radius in self.eps):
            raise ValueError("eps: a pixel cannot change by more than 1 (Linf); give 4/255, for example")
        if not self.attacking and not self.corruptions:
            raise ValueError("attacks or eps, and corruptions, are empty: there is nothing to measure")

    @property
    def attacking(self) -> bool:
        """Whether there is anything to attack with."""
        return bool(self.attacks and self.eps)

    def workload(self, images: int) -> Workload:
        """Forward passes and, three times as dear, steps of attacks."""
        attacked = 3 * _STEPS_AN_IMAGE * min(images, self.images) if self.attacking else 0
        spoiled = len(self.corruptions) * len(self.severities) * min(images, self.corruption_images)
        return Workload(attacked + spoiled, self.batch_size)

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield what the attacks left, image by image, and the classes given to corrupted images; see `seen.Seen`.

        Raises:
            AxisError: attacks that need gradients on a model that gives none, and nothing else to measure.
        """
        from efficiency360.axes.robustness import observing  # noqa: PLC0415 - torch, in the worker only

        if data is None or run.labels is None:
            raise AxisError("no labelled data")
        without = self.attacking and not subject.differentiable and needs_gradients(specs_of(self.attacks))
        if without and not self.corruptions:
            raise AxisError(
                f"its attacks need gradients, and the model gives none ({subject.black_box}); use"
                ' robustness.attacks = ["blackbox"]'
            )
        yield {"without_gradients": np.array([without])}
        if self.attacking and not without:
            yield from observing.attacked(self, subject, data, run)
        if self.corruptions:
            yield from observing.spoiled(self, subject, data, run)

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Count what is still right.

        Raises:
            AxisError: no labels, or what the worker says is not what was asked for, or contradicts itself or the
                answers to the clean images.
        """
        if labels is None:
            raise AxisError("no labels")
        seen = Seen.read(evidence, labels)
        completeness.check(seen, self)
        rng = np.random.default_rng(len(labels.classes))
        found, samples = numbers.measured(seen, self.how, rng)
        return Findings(
            measurements=found,
            series=tuple(numbers.series(seen, self.how)),
            caveats=tuple(doubts.doubts(seen, self)),
            samples=samples,
        )

    @property
    def how(self) -> dict[str, Any]:
        """The params that figures under attack share."""
        return {"attack": "+".join(self.attacks), "norm": self.norm}
