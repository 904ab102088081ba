"""Whom privacy costs most: what private fine-tuning loses within each class and group of the images that test.

Clipping and noise weigh most on what is rare (Bagdasaryan, Poursaeed and Shmatikov 2019, arXiv 1905.12101), which an
average over all images hides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes.privacy.split import COLUMN
from efficiency360.records import Cell, Series
from efficiency360.statistics.crossed import with_trainings
from efficiency360.statistics.paired import mean_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.privacy.seen import Seen

_FEWEST_SHOWN, _MOST_SMALL = 3, 30


def table(seen: Seen, min_group: int, rng: np.random.Generator) -> Iterator[Series]:
    """Accuracy without privacy, at each epsilon, and the drop with its interval; nothing where there are no groups.

    Groups of fewer than `min_group` images stand last and are not to be judged: the largest of them, if there are many.
    """
    found = [one for one in _groups(seen) if len(one[2]) >= _FEWEST_SHOWN]
    enough = [one for one in found if len(one[2]) >= min_group]
    few = sorted((one for one in found if len(one[2]) < min_group), key=lambda one: -len(one[2]))[:_MOST_SMALL]
    rows: list[dict[str, Cell]] = [
        {
            "attribute": attribute,
            "group": group,
            "n": len(places),
            "epsilon": epsilon,
            **_cost(seen.right[:, column, places], seen.right[:, -1, places], rng),
            "judged": "yes" if len(places) >= min_group else "too few",
        }
        for attribute, group, places in (*enough, *few)
        for column, epsilon in enumerate(seen.axis.epsilons)
    ]
    if rows:
        columns: dict[str, list[Cell]] = {name: [row[name] for row in rows] for name in rows[0]}
        yield Series(name="privacy.group_costs", title="What privacy costs by class and group", columns=columns)


def _groups(seen: Seen) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    """Attribute, group, and the places of its images among those that test."""
    labels = seen.labels
    columns = {"class": [labels.name(int(index)) for index in labels.classes]}
    columns |= {name: list(column) for name, column in labels.groups.items() if name.lower() != COLUMN}
    for attribute, column in columns.items():
        values = np.array(column)[seen.test]
        for group in np.unique(values):
            yield attribute, str(group), np.flatnonzero(values == group)


def _cost(private: NDArray[np.bool_], without: NDArray[np.bool_], rng: np.random.Generator) -> dict[str, Cell]:
    """Of what is right (S, M) in S trainings."""
    paired = mean_difference(without.mean(axis=0), private.mean(axis=0), rng=rng)
    drops = without.mean(axis=1) - private.mean(axis=1)
    interval = with_trainings(paired.interval(), paired.value, drops, (-1.0, 1.0))
    return {
        "accuracy": round(float(private.mean()), 4),
        "without": round(float(without.mean()), 4),
        "cost": round(paired.value, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
    }
