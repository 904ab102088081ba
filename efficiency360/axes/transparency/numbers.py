"""The measurements of the transparency axis, and what each was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.records import Interval, Measurement
from efficiency360.samples import Sample
from efficiency360.statistics import calibration
from efficiency360.statistics.alike import rank_correlation
from efficiency360.statistics.intervals import LEVEL
from efficiency360.statistics.timing import t_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.transparency.seen import Seen
    from efficiency360.records import Better

    Floats = NDArray[np.float64]
    Found = tuple[Measurement, Sample]


def measured(seen: Seen, rng: np.random.Generator) -> tuple[tuple[Measurement, ...], tuple[Sample, ...]]:
    """All numbers, and what each was made of."""
    found = [*_curves(seen, rng), *_similarities(seen), *_stabilities(seen)]
    passes = [_passes(method, float(spent.sum())) for method, spent in zip(seen.methods, seen.passes, strict=True)]
    return (*(number for number, _ in found), *passes), tuple(sample for _, sample in found)


def area(fractions: Floats, curves: Floats) -> Floats:
    """The area under curves (..., P) over fractions (P,) from 0 to 1, by trapezoids: a mean probability."""
    return np.asarray(np.trapezoid(curves, fractions, axis=-1), np.float64)


def random_areas(seen: Seen) -> Floats:
    """The area under each image's random curves (n,), averaged over its orders.

    What deletes in one order inserts in the opposite one, so this is the area of random insertion too.
    """
    return np.asarray(area(seen.fractions, seen.random).mean(axis=1))


def similarities(maps: Floats, others: Floats) -> Floats:
    """Rank correlations (n,) of maps (n, rows, columns); NaN where one is not finite."""
    return np.array([_similarity(one, other) for one, other in zip(maps, others, strict=True)])


def _similarity(one: Floats, other: Floats) -> float:
    finite = np.isfinite(one).all() and np.isfinite(other).all()
    return rank_correlation(one, other) if finite else float("nan")


def _curves(seen: Seen, rng: np.random.Generator) -> Iterator[Found]:
    random = random_areas(seen)
    yield _area("random_auc", random, seen.positions, rng, None, {})
    for column, method in enumerate(seen.methods):
        how = {"method": method}
        deletion, insertion = (area(seen.fractions, some[:, column]) for some in (seen.deletion, seen.insertion))
        yield _area("deletion_auc", deletion, seen.positions, rng, "lower", how)
        yield _area("insertion_auc", insertion, seen.positions, rng, "higher", how)
        yield _gain("deletion_gain", random - deletion, seen.positions, how)
        yield _gain("insertion_gain", insertion - random, seen.positions, how)


def _area(  # noqa: PLR0913, PLR0917 - a number is all of these
    name: str,
    values: Floats,
    of: NDArray[np.int64],
    rng: np.random.Generator,
    better: Better | None,
    params: dict[str, Any],
) -> Found:
    """A mean area, with its bootstrap interval."""
    value = float(values.mean().clip(0, 1))
    interval = calibration.bootstrap(lambda rows: float(values[rows].mean().clip(0, 1)), len(values), rng=rng)
    interval = calibration.cautious(interval, value, len(values), (0.0, 1.0))
    return _number(name, value, "proportion", better, interval, values, of, params)


def _gain(name: str, values: Floats, of: NDArray[np.int64], params: dict[str, Any]) -> Found:
    """A mean difference of two areas of the same images, with Student's interval of the differences."""
    interval = _student(values, (-1.0, 1.0))
    return _number(name, float(values.mean()), "", "higher", interval, values, of, params)


def _similarities(seen: Seen) -> Iterator[Found]:
    if seen.randomised is None:
        return
    own, random = seen.maps[: seen.randomised.shape[1]], seen.randomised[-1]
    for column, method in enumerate(seen.methods):
        found = similarities(own[:, column], random[:, column])
        yield from _of_few("randomisation_similarity", found, seen, (-1.0, 1.0), {"method": method})


def _stabilities(seen: Seen) -> Iterator[Found]:
    if seen.changes is None:
        return
    for column, method in enumerate(seen.methods):
        found = seen.changes[:, column].max(axis=1)  # NaN where the map is 0
        yield from _of_few("stability", found, seen, (0.0, np.inf), {"method": method})


def _of_few(
    name: str, values: Floats, seen: Seen, bounds: tuple[float, float], params: dict[str, Any]
) -> Iterator[Found]:
    """The mean over the images that were checked and have a number, with Student's interval."""
    rows = np.flatnonzero(np.isfinite(values))
    if not len(rows):
        return
    finite = values[rows]
    value = float(finite.mean())
    interval = _student(finite, bounds)
    yield _number(name, value, "", "lower", interval, finite, seen.positions[rows], params)


def _student(values: Floats, bounds: tuple[float, float]) -> Interval:
    """Student's interval for a mean, within bounds; of values all alike, what their number leaves open."""
    n, mean = len(values), float(values.mean())
    spread = float(values.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    if spread <= 1e-9 * max(1.0, abs(mean)):  # what rounding leaves of no difference
        flat = Interval(low=mean, high=mean, level=LEVEL, method="bootstrap")
        top = bounds[1] if np.isfinite(bounds[1]) else max(1.0, 2 * mean)
        return calibration.cautious(flat, mean, n, (bounds[0], top))
    reach = t_quantile((1 + LEVEL) / 2, n - 1) * spread
    low, high = max(bounds[0], mean - reach), min(bounds[1], mean + reach)
    return Interval(low=low, high=high, level=LEVEL, method="student-t")


def _number(  # noqa: PLR0913, PLR0917 - a number is all of these
    name: str,
    value: float,
    unit: str,
    better: Better | None,
    interval: Interval,
    values: Floats,
    of: NDArray[np.int64],
    params: dict[str, Any],
) -> Found:
    full = f"transparency.{name}"
    number = Measurement(
        name=full, value=value, unit=unit, better=better, n=len(values), interval=interval, params=params
    )
    return number, Sample(full, params, "mean", values, of)


def _passes(method: str, passes: float) -> Measurement:
    return Measurement(
        name="transparency.extra_passes", value=passes, unit="passes", better="lower", params={"method": method}
    )
