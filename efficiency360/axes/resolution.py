"""Resolution: what smaller or larger images would cost and bring, with the weights as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.proportions import proportion
from efficiency360.axes.stretches import DRIFT, Stretches, interference
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Cell, Findings, Measurement, Series
from efficiency360.samples import Sample
from efficiency360.statistics import timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.records import Param
    from efficiency360.subject.subject import Subject

_SIZES, _MORE = 5, 1.15  # sizes without a list of them, and their mean area in units of the model's own


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Resolution(Axis):
    """MACs, median latency, peak memory and, with labels, top-1 accuracy over input sizes.

    A size is the short side in pixels; the other side and the resize before the crop keep their ratios. Without `sizes`
    it is the model's own and 1/2, 3/4, 5/4 and 3/2 of it. Latency and memory are of one image at a time, as in `speed`;
    accuracy is on the first `images` images of the audit. Sizes that the model does not take are named.
    What would make these numbers wrong: a model that accepts other sizes but resizes inside; accuracy here is without
    retraining for the size, so training for it may do better.
    """

    id: ClassVar[str] = "resolution"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset()
    wants: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    timed: ClassVar[bool] = True

    sizes: tuple[Annotated[int, Field(ge=1, le=1 << 14)], ...] = ()
    seconds: Annotated[float, Field(gt=0, le=3600)] = 2.0
    images: Annotated[int, Field(ge=1)] = 256
    batch_size: Annotated[int, Field(ge=1)] = 32

    @property
    def fresh_starts(self) -> int:
        """One: memory is measured in a process that has done nothing else."""
        return 1

    def workload(self, images: int) -> Workload:
        """Every size: its timings, and as many of the images as the settings allow."""
        return Workload(_SIZES * _MORE * min(images, self.images), self.batch_size, seconds=_SIZES * (self.seconds + 1))

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield runs in stretches (see `axes.stretches`), and what each size costs and answers.

        `stretch_size` (S,), `own` (1,), `threads` (1,). Of the accepted sizes `peak_size`, `peak_process`, on a GPU
        `peak_device` (A,) bytes, `counted_size`, `macs` (A,), -1 where not counted; of the others `rejected_size` and
        `rejected`, text. For each accepted size its images in order: `seen_size` (N,), `seen` (N, K) float32 logits,
        `readable` (N,) bool.
        """
        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics.curve import Curve, default_sizes  # noqa: PLC0415

        yield {"own": np.array([min(subject.preprocess.size)])}
        curve = Curve(
            subject, run, sorted(set(self.sizes)) or default_sizes(subject.preprocess.size), seconds=self.seconds
        )
        yield from curve.timings()
        total = min(self.images, len(data)) if data is not None else 0
        done = 0
        with torch.inference_mode():
            for size, resized in curve.taken.items():
                if data is None:
                    break
                stream = replace(data, preprocess=resized.preprocess)
                for piece in _answers(resized, stream, total, self.batch_size):
                    yield {**piece, "seen_size": np.full(len(piece["readable"]), size)}
                    done += len(piece["readable"])
                    run.progress(done, total * len(curve.taken))

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Compare the sizes.

        Raises:
            AxisError: the model takes none of the sizes, or its timings cannot be trusted.
        """
        rejected = _rejected(evidence)
        if "ms" not in evidence:
            raise AxisError(f"the model takes none of the sizes: {rejected}")
        stretches = Stretches.read({**evidence, "stretch_batch": evidence["stretch_size"]})
        sizes = np.unique(evidence["stretch_size"]).tolist()
        found = {size: tuple(_numbers(size, stretches, labels)) for size in sizes}
        samples = (sample for row in found.values() for number in row for sample in _samples(number, stretches, labels))
        return Findings(
            measurements=tuple(measurement for row in found.values() for measurement in row),
            series=(_curve(found),),
            caveats=(*_caveats(evidence, rejected), *interference(stretches, self.id)),
            samples=tuple(samples),
        )


def _numbers(size: int, stretches: Stretches, labels: Labels | None) -> Iterator[Measurement]:
    """What is known of one size."""
    evidence = stretches.evidence
    for macs in evidence["macs"][evidence["counted_size"] == size].tolist():
        if macs >= 0:
            yield Measurement(name="resolution.macs", value=macs, unit="MACs", better="lower", params={"size": size})
    ms, of = stretches.chosen(evidence["stretch_size"] == size)
    if interval := timing.median_interval(ms, of):
        how: dict[str, Param] = {"size": size, "stat": "p50", "batch": 1, "threads": int(evidence["threads"][0])}
        yield Measurement(
            name="resolution.latency_ms",
            value=timing.quantile(ms, 0.5),
            unit="ms",
            better="lower",
            n=len(ms),
            interval=interval,
            params=how,
        )
    for scope in ("process", "device"):
        if f"peak_{scope}" not in evidence:
            continue
        for peak in evidence[f"peak_{scope}"][evidence["peak_size"] == size].tolist():
            params: dict[str, Param] = {"size": size, "scope": scope}
            yield Measurement(
                name="resolution.peak_memory_bytes", value=int(peak), unit="bytes", better="lower", params=params
            )
    yield from _accuracy(size, evidence, labels)


def _samples(number: Measurement, stretches: Stretches, labels: Labels | None) -> Iterator[Sample]:
    """What a number was made of, where that is images or runs."""
    size = int(number.params["size"])
    if number.name == "resolution.latency_ms":
        ms, of = stretches.chosen(stretches.evidence["stretch_size"] == size)
        yield Sample(number.name, number.params, "median of stretches", ms, of, drift=DRIFT)
    if number.name == "resolution.top1" and labels is not None:
        right, rows = _right(size, stretches.evidence, labels)
        yield Sample(number.name, number.params, "mean", right.astype(np.float64), rows)


def _right(size: int, evidence: Evidence, labels: Labels) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Of the images that could be read: whether the model is right, and which images these are."""
    mine = evidence["seen_size"] == size
    logits, rows = evidence["seen"][mine], np.flatnonzero(evidence["readable"][mine].astype(bool))
    if not np.isfinite(logits[rows]).all():
        raise AxisError(f"the model returned NaN or infinity at size {size}")
    return logits[rows].argmax(axis=1) == labels.classes[rows], rows


def _accuracy(size: int, evidence: Evidence, labels: Labels | None) -> Iterator[Measurement]:
    if labels is None or "seen" not in evidence:
        return
    right, _ = _right(size, evidence, labels)
    if len(right):
        yield proportion("resolution.top1", int(right.sum()), len(right), {"size": size})


def _curve(found: dict[int, tuple[Measurement, ...]]) -> Series:
    columns: dict[str, list[Cell]] = {"size": list(found)}
    for column, name, unit in (
        ("gmacs", "macs", 1e9),
        ("latency_ms", "latency_ms", 1),
        ("memory_mb", "peak_memory_bytes", 1e6),
        ("top1", "top1", 1),
    ):
        cells = [_first(row, f"resolution.{name}", unit) for row in found.values()]
        if any(cell is not None for cell in cells):
            columns[column] = cells
    return Series(name="resolution.curve", title="Over input sizes (short side in pixels)", columns=columns)


def _first(row: tuple[Measurement, ...], name: str, unit: float) -> Cell:
    return next((float(f"{found.value / unit:.4g}") for found in row if found.name == name), None)


def _rejected(evidence: Evidence) -> str:
    """The sizes, each with its reason unless all have the same kind of error."""
    sizes, reasons = (evidence.get(name, np.array([])).tolist() for name in ("rejected_size", "rejected"))
    if len({why.partition(":")[0] for why in reasons}) == 1:
        return f"{', '.join(map(str, sizes))} ({reasons[0]})"
    return "; ".join(f"{size} ({why})" for size, why in zip(sizes, reasons, strict=True))


def _caveats(evidence: Evidence, rejected: str) -> Iterator[Caveat]:
    own = int(evidence["own"][0])
    text = f"The model's own size is {own}; the others are a what-if without retraining, one image at a time."
    yield Caveat(id="resolution.what_if", severity="info", text=text)
    if rejected:
        text = f"Sizes that the model rejects: {rejected}."
        yield Caveat(id="resolution.rejected", severity="warning", text=text)


def _answers(subject: Subject, stream: ImageStream, total: int, batch_size: int) -> Iterator[Evidence]:
    for batch in stream.batches(batch_size):
        kept = total - batch.start
        if kept <= 0:
            return
        logits = subject.logits(subject.to_input(batch.images[:kept]))
        yield {"seen": logits.float().cpu().numpy(), "readable": batch.readable[:kept]}
