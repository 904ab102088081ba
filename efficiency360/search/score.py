"""What a candidate is worth: its indicators against the limits, NetScore, and fronts of accuracy against latency."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.search.constraints import Limits, Weights
    from efficiency360.search.space import Genome

_MILLION = 1e6
_LEAST = 1e-9


@dataclass(frozen=True)
class Seen:
    """A candidate as strategies know it.

    `latency_ms` is the median, comparable between candidates; `p95_ms` as it was measured, None where it was not.
    `accuracy` is what it reaches, or would at the last rung, on the images to choose by; None where it was not trained.
    `rungs` maps epochs to the accuracy after them.
    """

    genome: Genome
    key: str
    macs: int
    params: int
    memory_bytes: int
    latency_ms: float | None = None
    p95_ms: float | None = None
    accuracy: float | None = None
    rungs: Mapping[int, float] = field(default_factory=dict)
    proxies: Mapping[str, float] = field(default_factory=dict)


def overshoot(seen: Seen, limits: Limits) -> dict[str, float]:
    """By how much each limit is missed, as a share of it: above 0 where it is. What was not measured is not judged."""
    values = {
        "macs": (seen.macs, limits.macs),
        "params": (seen.params, limits.params),
        "memory_mb": (seen.memory_bytes / _MILLION, limits.memory_mb),
        "latency_p95_ms": (seen.p95_ms, limits.latency_p95_ms),
    }
    known = {key: pair for key, pair in values.items() if None not in pair}
    found = {key: value / limit - 1 for key, (value, limit) in known.items() if value is not None and limit is not None}
    if limits.accuracy is not None and seen.accuracy is not None:
        found["accuracy"] = (limits.accuracy - seen.accuracy) / max(limits.accuracy, _LEAST)
    return found


def feasible(seen: Seen, limits: Limits) -> bool:
    """Whether nothing that was measured misses a limit."""
    return all(value <= 0 for value in overshoot(seen, limits).values())


def netscore(accuracy: float, params: float, macs: float, latency_ms: float, weights: Weights) -> float:
    """The universal performance function, in decibels: accuracy in percent, parameters and MACs in millions.

    Source: Wong, NetScore, 2018, equation 1; the last factor, latency in milliseconds, is ours.
    """
    return 20 * (
        weights.accuracy * math.log10(max(100 * accuracy, _LEAST))
        - weights.params * math.log10(max(params / _MILLION, _LEAST))
        - weights.macs * math.log10(max(macs / _MILLION, _LEAST))
        - weights.latency * math.log10(max(latency_ms, _LEAST))
    )


def score_of(seen: Seen, weights: Weights) -> float:
    """The NetScore of a trained candidate; minus infinity where it was not trained or timed."""
    if seen.accuracy is None or seen.latency_ms is None:
        return -math.inf
    return netscore(seen.accuracy, seen.params, seen.macs, seen.latency_ms, weights)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which of (accuracy, latency) no other beats, in the order of latency; of equal ones the first."""
    order = sorted(range(len(points)), key=lambda index: (points[index][1], -points[index][0], index))
    best, kept = -math.inf, []
    for index in order:
        if points[index][0] > best:
            best = points[index][0]
            kept.append(index)
    return kept


def layers(points: Sequence[tuple[float, float]]) -> NDArray[np.int64]:
    """The number of each point's front, (N,): 0 where none beats it, 1 where only those of front 0 do, and so on."""
    found = np.zeros(len(points), np.int64)
    left, number = list(range(len(points))), 0
    while left:
        chosen = {left[index] for index in front([points[index] for index in left])}
        alike = {index for index in left if any(points[index] == points[other] for other in chosen)}
        for index in chosen | alike:
            found[index] = number
        left = [index for index in left if index not in chosen | alike]
        number += 1
    return found


def hypervolume(points: Sequence[tuple[float, float]], worst: tuple[float, float], span: float) -> float:
    """The share of a rectangle that a front beats: accuracy from `worst[0]` to 1, log latency from `worst[1]` down.

    Args:
        points: accuracy and latency of each model.
        worst: the accuracy and latency that count for nothing.
        span: the fastest latency of the rectangle.
    """
    floor, slowest = worst
    area, left = 0.0, math.log(slowest)
    for index in reversed(front(points)):
        accuracy, latency = points[index]
        at = max(math.log(max(latency, _LEAST)), math.log(span))
        if accuracy <= floor or at >= left:
            continue
        area += (left - at) * (min(1.0, accuracy) - floor)
        left = at
    return area / ((math.log(slowest) - math.log(span)) * (1 - floor))
