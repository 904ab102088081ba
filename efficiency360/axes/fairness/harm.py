"""Where the harm is: the subgroups that fare worst, and the classes that go wrong in one group more than elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.dataset.groups import AND
from efficiency360.errors import AxisError
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.subgroups import Subgroup, distinct, worst_subgroups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.axes.fairness.answers import Answers, Judged
    from efficiency360.dataset.groups import Attribute

_SUBGROUPS, _SLICES = 12, 12
_LEAST_SHORT = 1.0
_DIGITS = 4
ALPHA = 0.05


def found_subgroups(  # noqa: PLR0913 - the search has three bounds
    attributes: Sequence[Attribute],
    answers: Answers,
    *,
    depth: int,
    least: int,
    rng: np.random.Generator,
    resamples: int,
) -> list[Subgroup]:
    """The worst subgroups over all attributes (each of one column), the worst first.

    Raises:
        AxisError: there are too many attributes.
    """
    codes = [attribute.codes[answers.rows] for attribute in attributes]
    try:
        found = worst_subgroups(codes, answers.right, rng=rng, depth=depth, least=least, resamples=resamples)
    except ValueError as error:
        raise AxisError(f"{error}; name fewer groups, or set fairness.depth") from error
    return distinct(found, _SUBGROUPS)


def described(subgroup: Subgroup, attributes: Sequence[Attribute]) -> str:
    """A subgroup in words, as `race=Asian, age_group=0-9`."""
    return ", ".join(f"{attributes[one].name}={attributes[one].groups[code]}" for one, code in subgroup.members)


def subgroup_rows(found: Sequence[Subgroup], attributes: Sequence[Attribute]) -> list[dict[str, Any]]:
    """The table of the worst subgroups."""
    return [
        {
            "subgroup": described(one, attributes),
            "n": one.n,
            **_share(one.hits, one.n),
            "standard_errors_below": round(one.score, 2),
            "p_value": round(one.p, _DIGITS),
        }
        for one in found
    ]


def _share(hits: int, n: int) -> dict[str, float]:
    interval = wilson(hits, n)
    numbers = {"accuracy": hits / n, "low": interval.low, "high": interval.high}
    return {name: round(number, _DIGITS) for name, number in numbers.items()}


def slice_rows(judged: Sequence[Judged], answers: Answers, least: int) -> list[dict[str, Any]]:
    """Classes within a group that are recognised worse than in the other groups: those furthest below, first."""
    found = [row for one in judged for row in _slices(one, answers, least)]
    found.sort(key=lambda row: -row["standard_errors_below"])
    return found[:_SLICES]


def _slices(judged: Judged, answers: Answers, least: int) -> Iterator[dict[str, Any]]:
    classes, predicted = answers.classes[judged.at], answers.predicted[judged.at]
    right = predicted == classes
    for label in np.unique(classes).tolist():
        so = classes == label
        for group in np.unique(judged.codes[so]).tolist():
            mine = so & (judged.codes == group)
            others = so & ~mine
            n, m = int(mine.sum()), int(others.sum())
            if n < least or m < least:
                continue
            p = float(right[so].mean())
            error = np.sqrt(p * (1 - p) * (1 / n + 1 / m))
            short = float(right[others].mean() - right[mine].mean())
            if not error or short / error < _LEAST_SHORT:
                continue
            wrong = predicted[mine & ~right]
            yield {
                "class": answers.labels.name(label),
                "attribute": judged.attribute.name,
                "group": judged.groups[group],
                "n": n,
                **_share(int(right[mine].sum()), n),
                "elsewhere": round(float(right[others].mean()), _DIGITS),
                "standard_errors_below": round(short / error, 2),
                "mostly_taken_for": answers.labels.name(int(np.bincount(wrong).argmax())) if len(wrong) else None,
            }


def crossed(attributes: Sequence[Attribute], size: int) -> list[Attribute]:
    """The intersections of two up to `size` of these attributes that are not among them already."""
    there = {attribute.name for attribute in attributes}
    single = [attribute for attribute in attributes if len(attribute.columns) == 1]
    found: list[Attribute] = []
    level = [(index, attribute) for index, attribute in enumerate(single)]
    for _ in range(size - 1):
        level = [
            (later, joined.crossed(single[later])) for index, joined in level for later in range(index + 1, len(single))
        ]
        found += [joined for _, joined in level if AND.join(joined.columns) not in there]
    return found
