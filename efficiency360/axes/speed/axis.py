"""Speed: how long an answer takes on this machine, how many a second, in how much memory, for how much energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.speed import numbers, tables
from efficiency360.axes.speed.doubts import doubts
from efficiency360.axes.speed.timed import Timed
from efficiency360.axes.stretches import DRIFT, Stretches, interference, unsteadiness
from efficiency360.records import Findings
from efficiency360.statistics import timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

Variant = Literal["channels_last", "bf16", "compile"]
_STARTS = timing.runs_needed(0.5)
_ENOUGH = 1.5  # times the runs that would bound the 99th percentile if they were independent, which they are not
_COMPARED, _MADE = 64, 16
_AUTO = 16


def _enough_starts(value: int) -> int:
    if 0 < value < _STARTS:
        raise ValueError(f"give 0, or at least {_STARTS}: fewer starts do not bound their median at 95 %")
    return value


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Speed(Axis):
    """Latency, throughput, memory, cold start, energy and distance from the roof, on the machine of the audit.

    The model's forward pass alone is timed, on normalised inputs that lie on the device: reading and decoding images is
    not in it. `speed.latency_ms` is of one image at a time (MLPerf's single stream), `speed.throughput` of batches.
    Settings: `seconds` of latency runs (up to three times as many where a slow model needs them for the percentiles),
    `batches` (none: doubled while it pays), `threads`, `dtype`, `variants`, `cold_starts`.
    The auditor brackets every stretch with its own clock and notes what else the machine did. Intervals cover the
    variation within the audit, and `allowance` (0.05: 5 % to both sides) what changes between audits of one machine:
    neighbours, heat, the luck of a process. That is a type B component (JCGM 100:2008, sec. 4.3): the median of one
    model drifted by 3 % over twenty audits on a shared virtual machine. Another load or machine it cannot cover.
    `speed.peak_memory_bytes` at batch 1 is the process as audited, loading included: Python, torch and the model. At
    larger batches it is the peak while they run. `speed.cold_start_ms` is from the start of a process to the first
    answer, files in the page cache. `speed.roofline_fraction` is the time that the counted MACs and bytes would need at
    the measured matrix-product rate and copy bandwidth, over the median latency (Williams et al. 2009).
    What would make these numbers wrong: a machine that is busy with something else, which a caveat names; compute that
    is not finished when the forward pass returns and that torch does not wait for.
    """

    id: ClassVar[str] = "speed"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset()
    wants: ClassVar[frozenset[Need]] = frozenset({Need.DATA})
    may_use: ClassVar[tuple[str, ...]] = ("cost",)
    timed: ClassVar[bool] = True

    seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    batches: tuple[Annotated[int, Field(ge=1, le=1 << 20)], ...] = ()
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    variants: tuple[Variant, ...] = ()
    allowance: Annotated[float, Field(ge=0, lt=1)] = DRIFT
    cold_starts: Annotated[int, Field(ge=0, le=100), AfterValidator(_enough_starts)] = _STARTS

    @property
    def fresh_starts(self) -> int:
        """At least one: memory is measured in a process that has done nothing else."""
        return max(1, self.cold_starts)

    @property
    def compiles(self) -> bool:
        """For the variant that torch.compile makes."""
        return "compile" in self.variants

    def workload(self, images: int) -> Workload:  # noqa: ARG002
        """Latency, about as much again for the sweep, variants, and the roof."""
        return Workload(
            images=20, batch=max(self.batches, default=_AUTO), seconds=(2 + len(self.variants)) * self.seconds + 5
        )

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield runs in stretches (see `axes.stretches`), conditions, memory, the roof and the variants' outputs.

        Of each stretch `stretch_batch` and `stretch_variant` (S,); `threads`, `dtype`, `device`, `processors`,
        `keeps_memory` (bool), `input_elements`, `settled` (bool), each (1,); `peak_batch`, `peak_process` and on a GPU
        `peak_device` (B,) bytes; `stopped` (1,) text where the sweep ended early; `roof` (2,): MACs/s and bytes/s;
        `fastest_macs_per_s` (1,) in whatever type; `unseen_ms` and `seen_ms` (see `numerics.unseen`);
        `timed_differently` (1,) bool. For variants `logits` and `logits_VARIANT` (N, K), and text `problem_variant` and
        `problem`.
        """
        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics.bench import Bench, Plan  # noqa: PLC0415
        from efficiency360.subject.subject import select_logits, weights_dtype  # noqa: PLC0415

        generator = torch.Generator().manual_seed(run.seed)

        def example(shape: tuple[int, ...]) -> torch.Tensor:
            return subject.normalised(torch.rand(shape, generator=generator).to(subject.device))

        few = next(iter(data.batches(_COMPARED))).images if data is not None and self.variants else None
        n = _MADE if self.variants else 1
        images = example((n, *subject.input_shape)) if few is None else subject.normalised(subject.to_input(few))
        plan = Plan(
            seconds=self.seconds,
            enough=round(_ENOUGH * timing.runs_needed(0.99)),
            batches=self.batches,
            dtype=getattr(torch, self.dtype) if self.dtype else weights_dtype(subject.module),
            threads=self.threads or run.threads,
            variants=self.variants,
            mark=run.mark,
            progress=run.progress,
        )
        yield {"input_elements": np.array([int(np.prod(subject.input_shape))])}
        bench = Bench(subject.module, plan, example, images, lambda answer, n: select_logits(answer, subject.output, n))
        yield from bench.run()

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002
        """Turn the runs into quantiles, rates and fractions, with what casts doubt on them.

        Raises:
            AxisError: the timings cannot be trusted.
        """
        timed = Timed(Stretches.read(evidence), self.allowance)
        ms, of = timed.runs(1)
        return Findings(
            measurements=tuple(numbers.measurements(timed)),
            series=tuple(tables.series(timed)),
            caveats=(
                *numbers.caveats(timed),
                *doubts(timed),
                *interference(timed.stretches, self.id),
                *unsteadiness(ms, of, self.id),
            ),
            samples=tuple(numbers.samples(timed)),
        )
