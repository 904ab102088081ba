"""Group figures with 1,000 resamples: the fairness axis against `MetricFrame(n_boot=1000)`, which resamples rows.

10,000 rows, three attributes. Theirs is accuracy and selection rate of each group with intervals; ours is all that the
axis measures: error rates, intersections, gaps, permutation p-values, the search for subgroups and the what-if besides.
Also whether resampled counts give the intervals that resampled rows do. Takes minutes, nearly all of them fairlearn's.
Run: python benchmarks/fairness.py
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from fairlearn.metrics import MetricFrame, selection_rate
from sklearn.metrics import accuracy_score

from efficiency360.axes.fairness import Fairness
from efficiency360.dataset import Labels
from efficiency360.statistics.groups import Shares, resampled_rates

if TYPE_CHECKING:
    from numpy.typing import NDArray

N, KINDS, RESAMPLES, ROUNDS = 10_000, (5, 6, 4), 1000, 3
LIMIT_S, LIMIT_RATIO = 1.0, 50.0
TAILS = [0.025, 0.975]
METRICS = {"accuracy": accuracy_score, "selection rate": selection_rate}


def made() -> tuple[NDArray[np.float32], NDArray[np.int64], dict[str, NDArray[np.str_]]]:
    """Logits of two classes, labels, and the attributes."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, N)
    logits = rng.normal(size=(N, 2)).astype(np.float32)
    logits[np.arange(N), classes] += 2
    return logits, classes, {f"attribute {k}": rng.integers(0, k, N).astype(str) for k in KINDS}


def ours(logits: NDArray[np.float32], classes: NDArray[np.int64], groups: dict[str, NDArray[np.str_]]) -> float:
    """Seconds of the axis's measure."""
    columns = {name: tuple(column.tolist()) for name, column in groups.items()}
    labels = Labels(classes, ("no", "yes"), tuple(map(str, range(N))), columns)
    axis = Fairness(groups=tuple(columns), resamples=RESAMPLES)
    began = time.perf_counter()
    axis.measure({"accuracy.logits": logits, "accuracy.readable": np.ones(N, bool)}, labels)
    return time.perf_counter() - began


def theirs(
    predicted: NDArray[np.int64], classes: NDArray[np.int64], groups: dict[str, NDArray[np.str_]]
) -> tuple[float, dict[str, MetricFrame]]:
    """Seconds of fairlearn's frames, and the frames."""
    began = time.perf_counter()
    frames = {
        name: MetricFrame(
            metrics=METRICS,
            y_true=classes,
            y_pred=predicted,
            sensitive_features=column,
            n_boot=RESAMPLES,
            ci_quantiles=TAILS,
            random_state=0,
        )
        for name, column in groups.items()
    }
    return time.perf_counter() - began, frames


def farthest(
    frames: dict[str, MetricFrame], right: NDArray[np.bool_], groups: dict[str, NDArray[np.str_]]
) -> tuple[float, float]:
    """How far ends of accuracy's intervals lie apart at most, and how far two frames of other seeds would (2 s. e.)."""
    rng, apart, allowed = np.random.default_rng(1), 0.0, 0.0
    for name, frame in frames.items():
        kinds, codes = np.unique(groups[name], return_inverse=True)
        draws = resampled_rates(Shares.of(right, codes, len(kinds)), rng=rng, resamples=RESAMPLES)
        ends = np.quantile(draws, TAILS, axis=0)
        given = np.array([[low["accuracy"][kind] for kind in kinds] for low in frame.by_group_ci])
        apart = max(apart, float(np.abs(ends - given).max()))
        density = np.exp(-(1.96**2) / 2) / np.sqrt(2 * np.pi)
        error = np.sqrt(TAILS[0] * TAILS[1] / RESAMPLES) / density * draws.std(axis=0)
        allowed = max(allowed, float((3 * np.sqrt(2) * error).max()))
    return apart, allowed


def main() -> None:
    """Print both times, their ratio, and how the intervals compare."""
    logits, classes, groups = made()
    predicted = logits.argmax(axis=1)
    mine = min(ours(logits, classes, groups) for _ in range(ROUNDS))
    print(f"fairness axis: {mine:.2f} s (limit {LIMIT_S:g} s)", flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other, frames = theirs(predicted, classes, groups)
    apart, allowed = farthest(frames, predicted == classes, groups)
    print(f"MetricFrame(n_boot={RESAMPLES}), {len(KINDS)} frames: {other:.1f} s")
    print(f"ratio {other / mine:.0f} (limit: at least {LIMIT_RATIO:g})")
    print(f"ends of intervals at most {apart:.4f} apart (resampling error: up to {allowed:.4f})")


if __name__ == "__main__":
    main()
