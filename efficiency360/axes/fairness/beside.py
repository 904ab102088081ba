"""Other axes' results by group: what attacks and corruptions leave of each group's accuracy, where they were tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.axes.fairness.answers import Judged
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Measurement
from efficiency360.samples import Sample
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.multiplicity import largest_gap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels
    from efficiency360.dataset.groups import Attribute
    from efficiency360.records import Param

_DIGITS = 4
_KINDS = {"adversarial": "attacked", "corruption": "corrupted"}


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


@dataclass(frozen=True)
class Broken:
    """What stress does to groups: gaps, what they are made of, a row for each group, and what is to be said."""

    measurements: tuple[Measurement, ...]
    samples: tuple[Sample, ...]
    rows: tuple[dict[str, Any], ...]
    caveats: tuple[Caveat, ...]


def by_group(found: Sequence[Stress], attributes: Sequence[Attribute], least: int, rng: np.random.Generator) -> Broken:
    """Each attribute's groups under each stress: those of at least `least` such images compared, the others shown."""
    each = [(stress, Judged.of(one, stress.at, least)) for stress in found for one in attributes]
    pairs = [_gap(stress, judged, rng) for stress, judged in each if judged.count > 1]
    return Broken(
        tuple(number for number, _ in pairs),
        tuple(sample for _, sample in pairs),
        tuple(row for stress, judged in each for row in _rows(stress, judged)),
        tuple(_small(each, least)),
    )


def _gap(stress: Stress, judged: Judged, rng: np.random.Generator) -> tuple[Measurement, Sample]:
    values = stress.right[judged.at]
    means = np.bincount(judged.codes, values) / np.bincount(judged.codes)
    interval = largest_gap(values, judged.codes, rng=rng)
    name, params = f"fairness.{stress.name}_accuracy_gap", {"attribute": judged.attribute.name, **stress.params}
    number = Measurement(
        name=name,
        value=float(np.ptp(means)),
        unit="proportion",
        better="lower",
        n=len(values),
        interval=interval.model_copy(update={"high": min(1.0, interval.high)}),
        params=params,
        note=f"worst for {judged.groups[int(means.argmin())]}, best for {judged.groups[int(means.argmax())]}",
    )
    return number, Sample(name, params, "group gap", values, stress.at[judged.at], judged.codes)


def _rows(stress: Stress, judged: Judged) -> Iterator[dict[str, Any]]:
    """A row for each group that has such images, judged or not."""
    attribute = judged.attribute
    codes, enough = attribute.codes[stress.at], set(judged.groups)
    for index, group in enumerate(attribute.groups):
        mine = stress.right[codes == index]
        if not len(mine):
            continue
        interval = wilson(float(mine.sum()), len(mine))  # no mean of shares varies more than a proportion
        yield {
            "under": stress.how,
            "attribute": attribute.name,
            "group": group,
            "n": len(mine),
            "judged": group in enough,
            "accuracy": round(float(mine.mean()), _DIGITS),
            "low": round(interval.low, _DIGITS),
            "high": round(interval.high, _DIGITS),
        }


def _small(each: Sequence[tuple[Stress, Judged]], least: int) -> Iterator[Caveat]:
    """How many groups were too small under each kind of stress; robustness looks at fewer images than accuracy."""
    for kind, what in _KINDS.items():
        mine = {judged.attribute.name: judged for stress, judged in each if stress.name == kind}
        small = [f"{name} {len(one.small)} of {len(one.small) + one.count}" for name, one in mine.items() if one.small]
        if small:
            text = f"Groups with fewer than {least} {what} images are shown, not judged: {', '.join(small)}."
            yield Caveat(id="fairness.small_under_stress", severity="info", text=text)
