"""The tables of the speed axis: the sweep over batch sizes, the distribution of latencies, the roof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.records import Cell, Series
from efficiency360.statistics import timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.speed.timed import Timed

_BINS = 24
_SHOWN = 0.995
_DIGITS = 4


def series(timed: Timed) -> Iterator[Series]:
    """All tables."""
    yield _sweep(timed)
    yield _distribution(timed)
    yield from _roof(timed)


def _sweep(timed: Timed) -> Series:
    peaks = dict(zip(timed.evidence["peak_batch"].tolist(), timed.evidence["peak_process"].tolist(), strict=False))
    rows: dict[str, list[Cell]] = {"batch": [], "batch_ms": [], "images_per_s": [], "peak_memory_mb": []}
    for batch in timed.batches:
        ms, _ = timed.runs(batch)
        rows["batch"].append(batch)
        rows["batch_ms"].append(_rounded(timing.quantile(ms, 0.5)))
        rows["images_per_s"].append(_rounded(1e3 * batch / float(ms.mean())))
        rows["peak_memory_mb"].append(_rounded(peaks[batch] / 1e6) if batch in peaks else None)
    return Series(name="speed.batch_sweep", title="Batch sizes (median time of a batch, mean rate)", columns=rows)


def _distribution(timed: Timed) -> Series:
    """Runs of single images in bins of equal width up to the 99.5th percentile; the last bin holds all above."""
    ms, _ = timed.runs(1)
    low, high = float(ms.min()), timing.quantile(ms, _SHOWN)
    edges = np.linspace(low, high if high > low else low + 1e-3, _BINS + 1)
    counts, _ = np.histogram(np.minimum(ms, edges[-1]), edges)
    columns: dict[str, list[Cell]] = {
        "from_ms": [_rounded(edge) for edge in edges[:-1]],
        "to_ms": [*(_rounded(edge) for edge in edges[1:-1]), _rounded(max(float(ms.max()), edges[-1]))],
        "runs": counts.tolist(),
    }
    return Series(name="speed.latency_distribution", title="Latencies of single images", columns=columns)


def _roof(timed: Timed) -> Iterator[Series]:
    if "roof" not in timed.evidence or (needed := timed.roof_ms(1)) is None:
        return
    macs_per_s, bytes_per_s = timed.evidence["roof"].tolist()
    rows: dict[str, list[Cell]] = {
        "what": [
            "matrix product, GMACs/s",
            "copy, GB/s",
            "MACs at that rate, ms",
            "bytes at that rate, ms",
            "median, ms",
        ],
        "value": [
            _rounded(number)
            for number in (macs_per_s / 1e9, bytes_per_s / 1e9, *needed, timing.quantile(timed.runs(1)[0], 0.5))
        ],
    }
    yield Series(name="speed.roof", title="The roof of this machine, and one image under it", columns=rows)


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")
