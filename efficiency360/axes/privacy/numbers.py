"""The measurements of private fine-tuning, their samples, and the tables for its figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.numerics.private.recipe import ADJACENCY
from efficiency360.records import Measurement, Series
from efficiency360.samples import Sample
from efficiency360.statistics.crossed import with_trainings
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.paired import mean_difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from efficiency360.axes.privacy.seen import Seen
    from efficiency360.records import Cell, Param

ACCURACY, COST, WITHOUT = "privacy.dp_accuracy", "privacy.dp_cost", "privacy.nonprivate_accuracy"


def measured(seen: Seen, rng: np.random.Generator) -> tuple[tuple[Measurement, ...], tuple[Sample, ...]]:
    """Accuracy at each epsilon and without privacy, and what privacy costs: intervals cover trainings and images."""
    found: list[tuple[Measurement, Sample]] = []
    method: dict[str, Param] = {"method": seen.axis.method}
    for column, epsilon in enumerate(seen.axis.epsilons):
        params = {"epsilon": epsilon, "delta": seen.delta, **method}
        found.append(_accuracy(ACCURACY, seen.right[:, column], seen.test, params))
    found.append(_accuracy(WITHOUT, seen.right[:, -1], seen.test, method))
    for column, epsilon in enumerate(seen.axis.epsilons):
        found.append(_cost(seen, column, {"epsilon": epsilon, **method}, rng))
    return tuple(number for number, _ in found), tuple(sample for _, sample in found)


def _accuracy(
    name: str, right: NDArray[np.bool_], of: NDArray[np.int64], params: dict[str, Param]
) -> tuple[Measurement, Sample]:
    """The mean of `right` (S, M) over trainings and images."""
    shares = right.mean(axis=0)
    value, n = float(shares.mean()), len(shares)
    number = Measurement(
        name=name,
        value=value,
        unit="proportion",
        better="higher",
        n=n,
        interval=with_trainings(wilson(value * n, n), value, right.mean(axis=1), (0.0, 1.0)),
        params=params,
    )
    return number, Sample(name, params, "mean", shares, of)


def _cost(seen: Seen, column: int, params: dict[str, Param], rng: np.random.Generator) -> tuple[Measurement, Sample]:
    """By how much accuracy drops, paired by training and by image."""
    without, private = seen.right[:, -1].mean(axis=0), seen.right[:, column].mean(axis=0)
    drops = seen.right[:, -1].mean(axis=1) - seen.right[:, column].mean(axis=1)
    paired = mean_difference(without, private, rng=rng)
    number = Measurement(
        name=COST,
        value=paired.value,
        unit="",
        better="lower",
        n=len(without),
        interval=with_trainings(paired.interval(), paired.value, drops, (-1.0, 1.0)),
        params=params,
    )
    return number, Sample(COST, params, "mean", without - private, seen.test)


def series(seen: Seen, found: Sequence[Measurement]) -> Iterator[Series]:
    """The table behind the figure, and what is needed to do it again."""
    by_name = {name: [one for one in found if one.name == name] for name in (ACCURACY, COST, WITHOUT)}
    points = [*by_name[ACCURACY], *by_name[WITHOUT]]
    costs = [*by_name[COST], None]
    yield Series(
        name="privacy.tradeoff",
        title="Accuracy against epsilon",
        columns={
            "epsilon": [*seen.axis.epsilons, None],
            "accuracy": [_rounded(one.value) for one in points],
            "low": [_end(one, "low") for one in points],
            "high": [_end(one, "high") for one in points],
            "cost": [None if one is None else _rounded(one.value) for one in costs],
            "cost_low": [_end(one, "low") for one in costs],
            "cost_high": [_end(one, "high") for one in costs],
        },
    )
    yield _training(seen)


def _training(seen: Seen) -> Series:
    recipe, n = seen.recipe, len(seen.axis.epsilons)
    shared: dict[str, Cell] = {
        "delta": seen.delta,
        "sampling_rate": recipe.rate,
        "steps": recipe.steps,
        "clipping": recipe.clip,
        "learning_rate": recipe.learning_rate,
        "momentum": recipe.momentum,
        "images": recipe.n,
        "seeds": seen.axis.seeds,
        "accountant": "PRV",
        "adjacency": ADJACENCY,
    }
    columns: dict[str, list[Cell]] = {
        "epsilon": list(seen.axis.epsilons),
        "epsilon_prv": [_rounded(one) for one in seen.spent],
        "epsilon_rdp": [_rounded(one) for one in seen.bound],
        "noise_multiplier": [float(f"{one:.6g}") for one in seen.sigma],
        **{name: [value] * n for name, value in shared.items()},
    }
    return Series(name="privacy.training", title="How it was trained, and what that spends", columns=columns)


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _end(one: Measurement | None, which: str) -> float | None:
    return None if one is None or one.interval is None else _rounded(getattr(one.interval, which))
