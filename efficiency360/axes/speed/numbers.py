"""The measurements of the speed axis, and what casts doubt on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Interval, Measurement
from efficiency360.samples import Sample
from efficiency360.statistics import timing
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.speed.timed import Timed
    from efficiency360.records import Param

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_SENSORS = {"cuda": ("gpu_j", "NVML"), "cpu": ("package_j", "RAPL")}


def measurements(timed: Timed) -> Iterator[Measurement]:
    """All numbers, as far as they could be measured."""
    yield from filter(None, (_latency(timed, stat) for stat in QUANTILES))
    for batch in timed.batches:
        yield from _throughput(timed, batch)
    yield from _memory(timed)
    yield from _cold_start(timed)
    yield from _energy(timed)
    yield from (fraction for fraction in _fractions(timed) if not _above_roof(fraction))
    for variant in timed.variants:
        yield from _variant(timed, variant)


def samples(timed: Timed) -> Iterator[Sample]:
    """The runs behind the median latency; the other numbers compare by their intervals."""
    for median in filter(None, [_latency(timed, "p50")]):
        ms, of = timed.runs(1)
        yield Sample(median.name, median.params, "median of stretches", ms, of, drift=timed.allowance)


def _bounds(ms: NDArray[np.float64], of: NDArray[np.int64], stat: str) -> Interval | None:
    return timing.median_interval(ms, of) if stat == "p50" else timing.tail_interval(ms, of, QUANTILES[stat])


def _latency(timed: Timed, stat: str, variant: str = "") -> Measurement | None:
    ms, of = timed.runs(1, variant)
    interval = _bounds(ms, of, stat)
    params: dict[str, Param] = {"stat": stat, "batch": 1, **timed.how}
    if interval is None:
        return None
    return Measurement(
        name="speed.variant_latency_ms" if variant else "speed.latency_ms",
        value=timing.quantile(ms, QUANTILES[stat]),
        unit="ms",
        better="lower",
        n=len(ms),
        interval=timed.allowed(interval),
        params={**params, "variant": variant} if variant else params,
    )


def _throughput(timed: Timed, batch: int) -> Iterator[Measurement]:
    ms, of = timed.runs(batch)
    if (interval := timing.mean_interval(ms, of)) is None:
        return
    ends = (1e3 * batch / interval.high, 1e3 * batch / max(interval.low, float(ms.min())))
    yield Measurement(
        name="speed.throughput",
        value=1e3 * batch / float(ms.mean()),
        unit="images/s",
        better="higher",
        n=len(ms),
        interval=timed.allowed(Interval(low=ends[0], high=ends[1], level=interval.level, method=interval.method)),
        params={"batch": batch, **timed.how},
    )


def _memory(timed: Timed) -> Iterator[Measurement]:
    evidence = timed.evidence
    for scope in ("process", "device"):
        for batch, peak in zip(
            evidence["peak_batch"].tolist(), evidence.get(f"peak_{scope}", np.array([])), strict=False
        ):
            params: dict[str, Param] = {"scope": scope, "batch": batch, **timed.how}
            yield Measurement(
                name="speed.peak_memory_bytes", value=int(peak), unit="bytes", better="lower", params=params
            )


def _cold_start(timed: Timed) -> Iterator[Measurement]:
    ms = 1e3 * timed.evidence.get("start_s", np.array([])).astype(np.float64)
    if len(ms) and (interval := timing.quantile_interval(ms, np.zeros(len(ms), np.int64), QUANTILES["p50"])):
        yield Measurement(
            name="speed.cold_start_ms",
            value=timing.quantile(ms, QUANTILES["p50"]),
            unit="ms",
            better="lower",
            n=len(ms),
            interval=interval,
            params={"stat": "p50", **timed.how},
        )


def _energy(timed: Timed) -> Iterator[Measurement]:
    """Joules an image at batch 1: of the whole processor package or GPU, whatever else runs there."""
    reading, sensor = _SENSORS.get(str(timed.evidence["device"][0]), ("", ""))
    joules = timed.stretches.during(reading)
    if joules is None:
        return
    chosen = timed.mask(1)
    runs = np.bincount(timed.stretches.of, minlength=len(chosen))[chosen]
    each = joules[chosen] / runs
    if interval := timing.mean_interval(each, np.arange(len(each))):
        yield Measurement(
            name="speed.energy_j",
            value=float(each.mean()),
            unit="J",
            better="lower",
            n=int(runs.sum()),
            interval=interval,
            params={"batch": 1, "sensor": sensor, **timed.how},
        )


def _above_roof(fraction: Measurement) -> bool:
    """Whether the model is faster than its roof, for certain: then the roof was measured too low."""
    return fraction.interval is not None and fraction.interval.low > 1


def _fractions(timed: Timed) -> Iterator[Measurement]:
    """The roof's time over the median's, for one image and for the batch with the highest rate."""
    best = max(timed.batches, key=lambda batch: batch / float(timed.runs(batch)[0].mean()))
    for batch in dict.fromkeys((1, best)):
        (ms, of), needed = timed.runs(batch), timed.roof_ms(batch)
        interval = timing.median_interval(ms, of)
        if needed is None or interval is None:
            continue
        roof, interval = max(needed), timed.allowed(interval)
        yield Measurement(
            name="speed.roofline_fraction",
            value=roof / timing.quantile(ms, QUANTILES["p50"]),
            unit="",
            better="higher",
            n=len(ms),
            interval=Interval(
                low=roof / interval.high, high=roof / interval.low, level=interval.level, method=interval.method
            ),
            params={"batch": batch, **timed.how},
        )


def _variant(timed: Timed, variant: str) -> Iterator[Measurement]:
    """A variant's latency, its ratio to the model as it is from neighbouring stretches, and how its outputs differ."""
    yield from filter(None, (_latency(timed, stat, variant) for stat in QUANTILES))
    params: dict[str, Param] = {"variant": variant, "batch": 1, **timed.how}
    logs = np.log(_middles(timed, variant) / _middles(timed, ""))
    if spread := timing.mean_interval(logs, np.arange(len(logs))):
        low, value, high = np.exp([spread.low, logs.mean(), spread.high]).tolist()
        yield Measurement(
            name="speed.variant_ratio",
            value=value,
            unit="",
            better="lower",
            n=len(logs),
            interval=Interval(low=low, high=high, level=spread.level, method="paired stretches"),
            params=params,
        )
    before, after = (timed.evidence[name].astype(np.float64) for name in ("logits", f"logits_{variant}"))
    if before.shape != after.shape or not np.isfinite(before).all():
        raise AxisError(f"the variant {variant} returns logits of another shape, or none that are finite")
    same = int((before.argmax(axis=1) == after.argmax(axis=1)).sum())
    yield Measurement(
        name="speed.variant_agreement",
        value=same / len(before),
        unit="proportion",
        better="higher",
        n=len(before),
        interval=wilson(same, len(before)),
        params=params,
    )
    yield Measurement(
        name="speed.variant_change",
        value=float(np.nan_to_num(_change(before, after), nan=np.finfo(np.float64).max)),
        unit="",
        better="lower",
        n=len(before),
        params=params,
    )


def _change(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """The largest difference of a logit, as a share of the span of its image's logits."""
    return float((np.abs(after - before).max(axis=1) / np.maximum(np.ptp(before, axis=1), 1e-12)).max())


def _middles(timed: Timed, variant: str) -> NDArray[np.float64]:
    ms, of = timed.runs(1, variant)
    return np.array([np.median(ms[of == stretch]) for stretch in np.unique(of)])


def caveats(timed: Timed) -> Iterator[Caveat]:
    """Under which conditions the numbers hold, and which of them could not be had and why."""
    evidence = timed.evidence
    ms, of = timed.runs(1)
    threads, processors = int(evidence["threads"][0]), int(evidence["processors"][0])
    yield Caveat(
        id="speed.conditions",
        severity="info",
        text=f"The forward pass alone, inputs ready on the device ({len(ms)} single images in {len(np.unique(of))}"
        f" stretches, {threads} of {processors} processors); reading and decoding images is not in it. Intervals allow"
        f" {timed.allowance:.0%} for drift between audits of one machine (speed.allowance).",
    )
    if evidence.get("keeps_memory", np.array([False]))[0]:
        text = (
            "The process keeps freed memory (MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ are set to 1 GiB), as a"
            " service should: without that a process may by chance be much slower, by half and more."
        )
        yield Caveat(id="speed.keeps_memory", severity="info", text=text)
    if threads > processors:
        text = f"{threads} threads on {processors} processors: they wait for each other."
        yield Caveat(id="speed.too_many_threads", severity="warning", text=text)
    if not evidence["settled"][0]:
        text = "After the longest warm-up the runs were still getting faster; the figures hold that in them."
        yield Caveat(id="speed.not_settled", severity="warning", text=text)
    yield from _unresolved(ms, of)
    for why in evidence.get("stopped", np.array([])).tolist():
        yield Caveat(id="speed.sweep_stopped", severity="info", text=f"The sweep over batch sizes ended: {why}.")
    yield from _not_measurable(timed)


def _unresolved(ms: NDArray[np.float64], of: NDArray[np.int64]) -> Iterator[Caveat]:
    open_ones = [stat for stat in QUANTILES if _bounds(ms, of, stat) is None]
    if not open_ones:
        return
    text = (
        f"Not measurable here: {' and '.join(open_ones)} of the latency, of which {len(ms)} runs cannot tell; it takes"
        f" {timing.runs_needed(QUANTILES[open_ones[0]])} at least. Give it more time (speed.seconds)."
    )
    yield Caveat(id="speed.unresolved", severity="warning", text=text)


def _not_measurable(timed: Timed) -> Iterator[Caveat]:
    evidence = timed.evidence
    reading, sensor = _SENSORS.get(str(evidence["device"][0]), ("", ""))
    if not reading or f"mark.{reading}" not in evidence:
        why = str(evidence["mark.energy_missing"][0]) or f"the device {evidence['device'][0]} has no counter here"
        yield Caveat(id="speed.energy_missing", severity="info", text=f"Energy is not measurable here: {why}.")
    else:
        text = f"Energy is that of the whole package ({sensor}), idle power and other programs included."
        yield Caveat(id="speed.energy_of_package", severity="info", text=text)
    if timed.roof_ms(1) is None:
        text = "The distance from the roof is not known: the model's compute was not counted in full (axis cost)."
        yield Caveat(id="speed.roof_missing", severity="info", text=text)
    elif any(map(_above_roof, _fractions(timed))):
        text = (
            "The distance from the roof is not known: the model is faster than the roof that was measured, on a busy"
            " machine or because its numbers stay in the cache."
        )
        yield Caveat(id="speed.roof_too_low", severity="info", text=text)
    if not len(evidence.get("start_s", np.array([]))):
        text = "The cold start was not measured: that takes a process of its own and speed.cold_starts above 0."
        yield Caveat(id="speed.cold_start_missing", severity="info", text=text)
    problems = (evidence.get(name, np.array([])).tolist() for name in ("problem_variant", "problem"))
    for variant, problem in zip(*problems, strict=True):
        text = f"The variant {variant} does not run here: {problem}"
        yield Caveat(id="speed.variant_failed", severity="warning", text=text)
