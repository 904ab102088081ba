"""The measurements of the robustness axis, their samples, and the tables for its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.axes.proportions import proportion
from efficiency360.radii import DIGITS
from efficiency360.records import Measurement, Series
from efficiency360.samples import Sample
from efficiency360.statistics import calibration, timing
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from efficiency360.axes.robustness.seen import Seen

_NONE_FOUND = 1e9


def measured(
    seen: Seen, how: Mapping[str, Any], rng: np.random.Generator
) -> tuple[tuple[Measurement, ...], tuple[Sample, ...]]:
    """All numbers, and what each was made of."""
    found = [*_under_attack(seen, how), *_corrupted(seen, rng)]
    distances = _distance(seen, how)
    return (*(number for number, _ in found), *distances), tuple(sample for _, sample in found)


def _under_attack(seen: Seen, how: Mapping[str, Any]) -> Iterator[tuple[Measurement, Sample]]:
    if seen.attacked is None:
        return
    for index, radius in enumerate(seen.eps):
        params = {**how, "eps": round(radius, DIGITS)}
        yield _proportion("robustness.adversarial_accuracy", seen.survived(index), seen.attacked, params)


def _corrupted(seen: Seen, rng: np.random.Generator) -> Iterator[tuple[Measurement, Sample]]:
    if seen.spoiled is None:
        return
    for column, (name, severity) in enumerate(pairs(seen)):
        params = {"corruption": name, "severity": severity}
        yield _proportion("robustness.corruption_accuracy", seen.correct[:, column], seen.spoiled, params)
    shares = seen.correct.mean(axis=1)
    yield _mean("robustness.mean_corruption_accuracy", shares, seen.spoiled, rng)


def pairs(seen: Seen) -> list[tuple[str, int]]:
    """The corruptions with their severities, in the order of the columns of `correct`."""
    evidence = seen.evidence
    return [(str(a), int(b)) for a, b in zip(evidence["corruption"], evidence["severity"], strict=True)]


def _proportion(
    name: str, right: NDArray[np.bool_], of: NDArray[np.int64], params: dict[str, Any]
) -> tuple[Measurement, Sample]:
    number = proportion(name, int(right.sum()), len(right), params)
    return number, Sample(name, params, "mean", right.astype(np.float64), of)


def _mean(
    name: str, values: NDArray[np.float64], of: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Measurement, Sample]:
    """The mean over images of the share of an image's corruptions under which it is right."""
    n, value = len(values), float(values.mean())
    interval = calibration.bootstrap(lambda rows: float(values[rows].mean()), n, rng=rng)
    number = Measurement(
        name=name,
        value=value,
        unit="proportion",
        better="higher",
        n=n,
        interval=calibration.cautious(interval, value, n, (0.0, 1.0)),
    )
    return number, Sample(name, {}, "mean", values, of)


def _distance(seen: Seen, how: Mapping[str, Any]) -> Iterator[Measurement]:
    """The median of the smallest change that was found, where at least half of the images were changed at all."""
    if seen.attacked is None:
        return
    distance = np.minimum(seen.evidence["attacked_distance"].astype(np.float64), _NONE_FOUND)
    interval = timing.quantile_interval(distance, np.arange(len(distance)), 0.5)
    if interval is not None and interval.high < _NONE_FOUND:
        yield Measurement(
            name="robustness.median_distance",
            value=timing.quantile(distance, 0.5),
            unit="",
            better="higher",
            n=len(distance),
            interval=interval,
            params=dict(how),
        )


def series(seen: Seen, how: Mapping[str, Any]) -> Iterator[Series]:
    """The curve over radii, and the table of corruptions."""
    if seen.attacked is not None:
        kept = [wilson(int(seen.survived(index).sum()), len(seen.right)) for index in range(len(seen.eps))]
        clean = wilson(int(seen.right.sum()), len(seen.right))
        shares = [seen.right.mean(), *(seen.survived(index).mean() for index in range(len(seen.eps)))]
        yield Series(
            name="robustness.curve",
            title=f"Accuracy under attack by radius ({how['norm']})",
            columns={
                "eps": [0.0, *(round(radius, DIGITS) for radius in seen.eps)],
                "accuracy": [round(float(share), 4) for share in shares],
                "low": [round(one.low, 4) for one in (clean, *kept)],
                "high": [round(one.high, 4) for one in (clean, *kept)],
            },
        )
    if seen.spoiled is not None:
        yield _table(seen)


def _table(seen: Seen) -> Series:
    """Accuracy by corruption and severity, the clean accuracy of the same images beside it."""
    found = {pair: float(seen.correct[:, column].mean()) for column, pair in enumerate(pairs(seen))}
    names = list(dict.fromkeys(name for name, _ in found))
    severities = sorted({severity for _, severity in found})
    columns: dict[str, list[Any]] = {"corruption": names, "clean": [round(float(seen.clean.mean()), 4)] * len(names)}
    for severity in severities:
        columns[f"severity_{severity}"] = [round(found[name, severity], 4) for name in names]
    means = [float(np.mean([found[name, severity] for severity in severities])) for name in names]
    columns["mean"] = [round(mean, 4) for mean in means]
    return Series(name="robustness.corruptions", title="Accuracy by corruption and severity", columns=columns)
