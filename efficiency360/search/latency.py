"""Latency of candidates on this machine, in the manner of the speed axis; and what it will be, learnt from what it was.

Between its stretches a candidate takes turns with one small model that stays the same for the whole search. What slows
both (a neighbour, heat) falls out of their ratio, so times taken an hour apart can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.search.analytic import cost_of
from efficiency360.statistics import timing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from efficiency360.records import Interval
    from efficiency360.zoo.spec import TurboViTSpec

STRETCHES = 8
_SECONDS = 0.05
_WARM_S = 0.5
_P95_RUNS = timing.runs_needed(0.95)
_RIDGE = 1e-2
_FEWEST = 5
_TAIL = 1.5
ALLOWANCE = 0.05
"""As the speed axis allows for what changes between audits of one machine."""


@dataclass(frozen=True)
class Timed:
    """One image at a time: the median, the 95th percentile with its interval, and the median over the pacemaker's."""

    p50_ms: float
    p95_ms: float
    p95: Interval | None
    relative: float
    runs: int


def measure(
    specs: Sequence[TurboViTSpec],
    pace: TurboViTSpec,
    *,
    threads: int,
    seconds: float = _SECONDS,
    stretches: int = STRETCHES,
) -> list[Timed]:
    """Time models that take turns with each other and with the pacemaker.

    Args:
        specs: what to time, with random weights: values do not change how long a product takes.
        pace: the model that all others are compared with.
        threads: of the processor.
        seconds: of each stretch; as many runs as bound the 95th percentile are made in any case.
        stretches: of each model.
    """
    import torch  # noqa: PLC0415 - the rest of the file needs none

    from efficiency360.numerics.timing import Forward, settle, stretch, undisturbed  # noqa: PLC0415
    from efficiency360.zoo.turbovit import TurboViT  # noqa: PLC0415

    device, generator = torch.device("cpu"), torch.Generator().manual_seed(0)
    every = (pace, *specs)
    taken: list[list[list[float]]] = [[] for _ in every]
    with undisturbed(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        runs = [
            Forward(
                TurboViT(spec).eval(),
                (1, spec.channels, *spec.size),
                lambda shape: torch.rand(shape, generator=generator),
            )
            for spec in every
        ]
        middles = [settle(run, device, most_s=_WARM_S)[1] for run in runs]
        for _ in range(stretches):
            for run, ms, found in zip(runs, middles, taken, strict=True):
                least = 1.2 * _P95_RUNS / stretches * ms / 1e3
                found.append(stretch(run, device, seconds=max(seconds, least), mark=lambda: None))
    pacing = np.array([np.median(one) for one in taken[0]])
    return [_timed(found, pacing) for found in taken[1:]]


def _timed(stretches: list[list[float]], pacing: NDArray[np.float64]) -> Timed:
    values = np.concatenate([np.array(one) for one in stretches])
    of = np.repeat(np.arange(len(stretches)), [len(one) for one in stretches])
    return Timed(
        p50_ms=timing.quantile(values, 0.5),
        p95_ms=timing.quantile(values, 0.95),
        p95=timing.tail_interval(values, of, 0.95),
        relative=float(np.median([np.median(one) for one in stretches] / pacing)),
        runs=len(values),
    )


@lru_cache(maxsize=4096)
def features(spec: TurboViTSpec) -> NDArray[np.float64]:
    """What a forward pass's time is made of, (F,): a constant, blocks, MACs by kind, elements written, weights."""
    cost = cost_of(spec)
    linear = sum(stage.linear_macs for stage in cost.stages)
    attention = sum(stage.attention_macs for stage in cost.stages)
    written = sum(stage.elements for stage in cost.stages)
    blocks = sum(stage.blocks for stage in cost.stages)
    in_units = sum(stage.depth * spec.units for stage in spec.stages if "units" in stage.attention)
    counts = [blocks, linear / 1e6, attention / 1e6, cost.stem_macs / 1e6, written / 1e5, in_units, cost.params / 1e6]
    return np.array([1.0, *counts])


class LatencyModel:
    """Predicts a latency from `features` by non-negative least squares of relative errors.

    Parts of a time only add to it, so no coefficient is negative; a small ridge keeps them apart. `jitter` is the 95th
    percentile over the median, the median of what was seen of it.
    """

    def __init__(self, specs: Sequence[TurboViTSpec], times: Sequence[float], jitter: Sequence[float] = ()) -> None:
        self.jitter = float(np.median(jitter)) if len(jitter) else _TAIL
        self._weights = None
        if len(times) >= _FEWEST:
            self._weights = _fit(np.array([features(spec) for spec in specs]), np.array(times))

    def predict(self, spec: TurboViTSpec) -> float | None:
        """The latency to expect, in the unit of what was learnt; None where too few were seen."""
        return None if self._weights is None else float(features(spec) @ self._weights)


def _fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative weights (F,) of least squared relative error."""
    from scipy.optimize import nnls  # noqa: PLC0415 - takes a while to import

    scale, unit = x.max(axis=0).clip(min=1e-12), float(np.median(y))
    rows = np.vstack([x / scale * (unit / y)[:, None], _RIDGE * np.eye(x.shape[1])])
    weights, _ = nnls(rows, np.concatenate([np.ones(len(y)), np.zeros(x.shape[1])]))
    found: NDArray[np.float64] = unit * weights / scale
    return found
