"""Other axes' results by group: what attacks and corruptions leave of each group's accuracy, where they were tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.axes.fairness.answers import Judged
from efficiency360.errors import AxisError
from efficiency360.records import Measurement
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.multiplicity import largest_gap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels
    from efficiency360.dataset.groups import Attribute
    from efficiency360.records import Param

_DIGITS = 4


@dataclass(frozen=True)
class Stress:
    """Images under stress: positions `at` (S,) in the data, and each one's share (S,) of right answers, 0 to 1."""

    name: str
    how: str
    params: dict[str, Param]
    at: NDArray[np.int64]
    right: NDArray[np.float64]


def stresses(evidence: Evidence, labels: Labels) -> list[Stress]:
    """What robustness did to the images: each radius of the attacks, and all corruptions together.

    Raises:
        AxisError: the evidence of robustness does not fit together.
    """
    try:
        return [*_attacked(evidence), *_corrupted(evidence, labels)]
    except (LookupError, ValueError, TypeError) as error:
        raise AxisError(f"the evidence of robustness does not fit together ({error})") from error


def _attacked(evidence: Evidence) -> Iterator[Stress]:
    if "robustness.attacked" not in evidence:
        return
    at, eps = evidence["robustness.attacked"].astype(np.int64), evidence["robustness.eps"].astype(float)
    right, fell = (evidence[f"robustness.attacked_{what}"].astype(np.int64) for what in ("right", "fell_at"))
    if not len(at) == len(right) == len(fell):
        raise ValueError("not one outcome an attacked image")
    for index, radius in enumerate(eps.tolist()):
        kept = right.astype(bool) & ((fell < 0) | (fell > index))
        yield Stress("adversarial", f"attack, radius {radius:.3g}", {"eps": round(radius, 6)}, at, kept.astype(float))


def _corrupted(evidence: Evidence, labels: Labels) -> Iterator[Stress]:
    if "robustness.spoiled" not in evidence:
        return
    at, predicted = evidence["robustness.spoiled"].astype(np.int64), evidence["robustness.spoiled_predicted"]
    if predicted.ndim != 2 or len(predicted) != len(at):  # noqa: PLR2004 - an image, a corruption
        raise ValueError("not one answer a corrupted image")
    right = (predicted == labels.classes[at][:, None]).mean(axis=1)
    yield Stress("corruption", "corruptions, mean of all", {}, at, right)


def by_group(
    found: Sequence[Stress], attributes: Sequence[Attribute], least: int, rng: np.random.Generator
) -> tuple[list[Measurement], list[dict[str, Any]]]:
    """The gap of each attribute under each stress, and a table of the groups with at least `least` such images."""
    numbers, rows = [], []
    for stress in found:
        for attribute in attributes:
            judged = Judged.of(attribute, stress.at, least)
            if judged.count > 1:
                numbers.append(_gap(stress, judged, rng))
                rows += list(_rows(stress, judged))
    return numbers, rows


def _gap(stress: Stress, judged: Judged, rng: np.random.Generator) -> Measurement:
    values = stress.right[judged.at]
    means = np.bincount(judged.codes, values) / np.bincount(judged.codes)
    interval = largest_gap(values, judged.codes, rng=rng)
    return Measurement(
        name=f"fairness.{stress.name}_accuracy_gap",
        value=float(np.ptp(means)),
        unit="proportion",
        better="lower",
        n=len(values),
        interval=interval.model_copy(update={"high": min(1.0, interval.high)}),
        params={"attribute": judged.attribute.name, **stress.params},
        note=f"worst for {judged.groups[int(means.argmin())]}, best for {judged.groups[int(means.argmax())]}",
    )


def _rows(stress: Stress, judged: Judged) -> Iterator[dict[str, Any]]:
    for index, group in enumerate(judged.groups):
        mine = stress.right[judged.at][judged.codes == index]
        interval = wilson(float(mine.sum()), len(mine))  # no mean of shares varies more than a proportion
        yield {
            "under": stress.how,
            "attribute": judged.attribute.name,
            "group": group,
            "n": len(mine),
            "accuracy": round(float(mine.mean()), _DIGITS),
            "low": round(interval.low, _DIGITS),
            "high": round(interval.high, _DIGITS),
        }
