"""One number of two audits: how much worse is it here than there, how sure is that, or why can it not be said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.judge.comparable import of_host, why_not
from efficiency360.records import Comparison, Interval, Measurement
from efficiency360.statistics.differences import mover_p, square_and_add, tango, tango_p
from efficiency360.statistics.intervals import LEVEL
from efficiency360.statistics.paired import group_means_difference, mean_difference
from efficiency360.statistics.paired_gaps import group_gap_difference, larger_gap_difference, lowest_group_difference
from efficiency360.statistics.power import images_for_margin, more_by_width
from efficiency360.statistics.ranks import shift_interval
from efficiency360.statistics.timing import quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from efficiency360.audited import Audited
    from efficiency360.samples import Sample

_SCORES = frozenset({"proportion", "", "nats"})
"""Units of numbers whose differences mean something as they are; of others it is the share of the baseline."""
_OF_GROUPS = {
    "group mean": group_means_difference,
    "group low": lowest_group_difference,
    "group gap": group_gap_difference,
    "larger group gap": larger_gap_difference,
}


@dataclass(frozen=True)
class Found:
    """A comparison, with the one-sided p-value of "it is worse by no more than this margin", and the images it takes.

    `p_worse` is None where nothing was sampled: the comparison is then exact. `needed(margin)` is how many images would
    decide with 80 % power whether the margin is kept, if the difference is as seen.
    """

    comparison: Comparison
    p_worse: Callable[[float], float] | None
    needed: Callable[[float], int | None]


@dataclass(frozen=True)
class _Drop:
    """A difference that is positive where the subject is worse."""

    value: float
    interval: Interval
    p: Callable[[float], float]
    needed: Callable[[float], int | None]


def compare(measurement: Measurement, here: Audited, there: Audited) -> Found | str:
    """As `_compared`; numbers too large or odd to compute with are not compared."""
    try:
        return _compared(measurement, here, there)
    except (ArithmeticError, ValueError) as error:
        return f"the numbers cannot be computed with ({error})"


def _compared(measurement: Measurement, here: Audited, there: Audited) -> Found | str:
    """How a measurement of the audit `here` compares with the same one of the audit `there` (the baseline).

    Right and wrong on the same images: Tango's score interval of the paired difference. Other numbers of the same
    images: a paired bootstrap. Median latencies: Hodges and Lehmann's interval of the shift between stretches on a log
    scale, with the drift between audits added in quadrature (JCGM 100:2008, sec. 5.1.2). All else that was sampled: the
    two intervals by square-and-add, which takes them for independent; on the same images that is on the safe side.

    Returns:
        What was found; or, as text, why the two cannot be compared: other data, another version of the axis, other
        settings, other hardware, or it was not measured there.
    """
    other = counterpart(measurement, there)
    if other is None:
        return f"the baseline holds no {measurement.label}{_why_absent(measurement, there)}"
    if why := why_not(measurement, other, here, there):
        return why
    if why := _contradicted(measurement, here) or _contradicted(other, there):
        return why
    relative = measurement.unit not in _SCORES
    if relative and min(measurement.value, other.value) <= 0 and measurement.value != other.value:
        return f"{measurement.label} is {measurement.value:g} here and {other.value:g} there, which is no share of it"
    drop: _Drop | str | None = _paired(measurement, here, there) or _timed(measurement, other, here, there)
    if drop is None and (measurement.interval or other.interval):
        drop = _by_intervals(measurement, other, relative=relative)
    if isinstance(drop, str):
        return drop
    worse_by = _exact(measurement, other, relative=relative) if drop is None else drop.value
    comparison = Comparison(
        baseline=other.value, worse_by=worse_by, interval=drop.interval if drop else None, relative=relative
    )
    return Found(comparison, drop.p if drop else None, drop.needed if drop else lambda _: None)


def counterpart(measurement: Measurement, there: Audited) -> Measurement | None:
    """The measurement of the other audit with the same name and params (but for the host that took it), or None."""
    axis = there.axis(measurement.name.partition(".")[0])
    same = (one for one in (axis.measurements if axis else ()) if one.name == measurement.name)
    return next((one for one in same if _params(one) == _params(measurement)), None)


def _params(measurement: Measurement) -> dict[str, object]:
    return {key: value for key, value in measurement.params.items() if key != "host"}


def _why_absent(measurement: Measurement, there: Audited) -> str:
    axis = there.axis(measurement.name.partition(".")[0])
    if axis is None:
        return ": it lacks the axis"
    return f": the axis {axis.id} was {axis.status} there, {axis.reason}" if axis.status != "measured" else ""


def _exact(measurement: Measurement, other: Measurement, *, relative: bool) -> float:
    rise = measurement.value - other.value
    if relative and rise:
        rise /= other.value
    return float(rise if measurement.better == "lower" else -rise)


def _samples_of(measurement: Measurement, audit: Audited) -> Sample | None:
    mine = audit.samples.get(measurement.name.partition(".")[0], ())
    return next((one for one in mine if one.name == measurement.name and one.fits(_params(measurement))), None)


def _contradicted(measurement: Measurement, audit: Audited) -> str:
    """What samples say that make another number; empty where they agree or are not there."""
    sample = _samples_of(measurement, audit)
    if sample is None or sample.makes(measurement.value, measurement.n):
        return ""
    if measurement.n != len(sample.values):
        return f"{measurement.label} is of {measurement.n} in the scorecard, its samples are {len(sample.values)}"
    return f"{measurement.label} is {measurement.value:.6g} in the scorecard, its samples make it {sample.value:.6g}"


def _paired(measurement: Measurement, here: Audited, there: Audited) -> _Drop | None:
    """The drop over the same images, as far as both audits kept what each image came to."""
    new, old = _samples_of(measurement, here), _samples_of(measurement, there)
    if new is None or old is None or new.how != old.how or new.how == "median of stretches":
        return None
    rows = _same_images(new, old, here.images, there.images)
    if rows is None:
        return None
    groups = None if new.groups is None else new.groups[rows[0]]
    if groups is not None and old.groups is not None and not np.array_equal(groups, old.groups[rows[1]]):
        return None
    values = [new.values[rows[0]], old.values[rows[1]]]
    worse, better = values if measurement.better == "lower" else values[::-1]
    if new.how == "mean" and _binary(worse) and _binary(better):
        return _of_proportions(worse, better)
    rng = np.random.default_rng(len(worse))
    if groups is None:
        boot = mean_difference(worse, better, rng=rng)
    else:
        boot = _OF_GROUPS[new.how](worse, better, groups, rng=rng)
    interval, n = boot.interval(LEVEL), new.n if new.how == "group low" else len(worse)  # what the number is of

    def needed(margin: float) -> int | None:
        return more_by_width(_width(interval), n, abs(boot.value - margin))

    return _Drop(boot.value, interval, boot.p, needed)


def _same_images(
    new: Sample, old: Sample, here: NDArray[np.bytes_] | None, there: NDArray[np.bytes_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Positions in both samples of the images that both have, the same image at the same place; None without any."""
    if here is None or there is None or max(new.of.max() - len(here), old.of.max() - len(there)) >= 0:
        return None
    places = [np.argsort(np.argsort(images, kind="stable"), kind="stable") for images in (here, there)]
    if not np.array_equal(np.sort(here), np.sort(there)):
        return None
    _, mine, theirs = np.intersect1d(places[0][new.of], places[1][old.of], return_indices=True)
    return (mine, theirs) if len(mine) else None


def _binary(values: NDArray[np.float64]) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _of_proportions(worse: NDArray[np.float64], better: NDArray[np.float64]) -> _Drop:
    """`worse` less `better`, each 0 or 1 an image."""
    n, only_worse, only_better = len(worse), int((worse > better).sum()), int((better > worse).sum())
    value = (only_worse - only_better) / n

    def needed(margin: float) -> int | None:
        return images_for_margin(value, (only_worse + only_better) / n, margin)

    return _Drop(
        value, tango(only_worse, only_better, n), lambda margin: tango_p(only_worse, only_better, n, margin), needed
    )


def _timed(measurement: Measurement, other: Measurement, here: Audited, there: Audited) -> _Drop | None:
    """The drop of a median of timings, as a share of the baseline."""
    new, old = _samples_of(measurement, here), _samples_of(other, there)
    if new is None or old is None or {new.how, old.how} != {"median of stretches"}:
        return None
    shift = shift_interval(_log_medians(new), _log_medians(old), LEVEL)
    if shift is None:
        return None
    centre = math.log(measurement.value / other.value)
    drift = math.hypot(math.log1p(new.drift), math.log1p(old.drift))
    low = centre - math.hypot(max(0.0, centre - shift.low), drift)
    high = centre + math.hypot(max(0.0, shift.high - centre), drift)
    method = "hodges-lehmann of stretches" + (" and drift" if drift else "")
    return _of_logs(centre, Interval(low=low, high=high, level=LEVEL, method=method), lower_is_better=True)


def _log_medians(sample: Sample) -> NDArray[np.float64]:
    """Of each stretch the logarithm of the median."""
    stretches = (sample.values[sample.of == one] for one in np.unique(sample.of))
    return np.log([quantile(values, 0.5) for values in stretches])


def _by_intervals(measurement: Measurement, other: Measurement, *, relative: bool) -> _Drop | str:
    """The drop of two numbers of which all that is known is their intervals."""
    pair = [(one.value, one.interval or _point(one.value)) for one in (measurement, other)]
    lower_is_better = measurement.better == "lower"
    if relative and min(interval.low for _, interval in pair) <= 0:
        return f"the interval of {measurement.label} reaches down to 0, so it is no share of the baseline's"
    if relative:
        pair = [(math.log(value), _logarithms(interval)) for value, interval in pair]
    worse, better = pair if lower_is_better else pair[::-1]
    if worse[1].level != better[1].level:
        return f"the intervals of {measurement.label} are of different levels"
    value, interval = worse[0] - better[0], square_and_add(*worse, *better)
    if relative:
        return _of_logs(value, interval, lower_is_better=lower_is_better)

    def needed(margin: float) -> int | None:
        n = measurement.n if not of_host(measurement) else None
        return more_by_width(_width(interval), n, abs(value - margin)) if n else None

    return _Drop(value, interval, lambda margin: mover_p(*worse, *better, margin), needed)


def _of_logs(centre: float, interval: Interval, *, lower_is_better: bool) -> _Drop:
    """A drop on a log scale as a share of the baseline: of what grows new / old - 1, of what shrinks 1 - new / old."""

    def share(log: float) -> float:
        return math.expm1(log) if lower_is_better else -math.expm1(-log)

    def p(margin: float) -> float:
        if not lower_is_better and margin >= 1:
            return 1.0
        log = math.log1p(margin) if lower_is_better else -math.log1p(-margin)
        return mover_p(centre, interval, 0.0, _point(0.0, interval.level), log)

    shares = Interval(low=share(interval.low), high=share(interval.high), level=interval.level, method=interval.method)
    return _Drop(share(centre), shares, p, lambda _: None)


def _logarithms(interval: Interval) -> Interval:
    return interval.model_copy(update={"low": math.log(interval.low), "high": math.log(interval.high)})


def _point(value: float, level: float = LEVEL) -> Interval:
    return Interval(low=value, high=value, level=level, method="exact")


def _width(interval: Interval) -> float:
    return (interval.high - interval.low) / 2
