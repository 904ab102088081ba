"""A short look at a model for a dry run: time and memory of one image and of a batch, and time to decode an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need
from efficiency360.records import Findings, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

BATCH = 8
_UNITS = {"image_ms": "ms", "batch_ms": "ms", "decode_ms": "ms", "image_bytes": "bytes", "batch_bytes": "bytes"}


@dataclass(frozen=True)
class Probe(Axis):
    """Best of three runs of one image and of a batch of eight, the process's peak memory in each, decoding of eight.

    For estimates only: no warm-up worth the name, no intervals.
    """

    id: ClassVar[str] = "probe"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset()
    wants: ClassVar[frozenset[Need]] = frozenset({Need.DATA})

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield `image_ms`, `batch_ms`, `decode_ms` (an image), `image_bytes`, `batch_bytes`, each (1,)."""
        import time  # noqa: PLC0415

        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics import memory  # noqa: PLC0415
        from efficiency360.numerics.timing import time_once, undisturbed  # noqa: PLC0415

        with undisturbed(run.threads):
            for name, n in (("image", 1), ("batch", BATCH)):
                images = torch.rand(n, *subject.input_shape, device=subject.device)
                best = min(time_once(lambda images=images: subject.logits(images), subject.device) for _ in range(3))  # type: ignore[misc]
                yield {f"{name}_ms": np.array([best]), f"{name}_bytes": np.array([memory.process_peak()])}
        began = time.perf_counter()
        if data is not None:
            next(iter(data.batches(BATCH)))
        yield {"decode_ms": np.array([1e3 * (time.perf_counter() - began) / BATCH])}

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002
        """The numbers as they are."""
        return Findings(
            measurements=tuple(
                Measurement(name=f"probe.{name}", value=float(evidence[name][0]), unit=unit)
                for name, unit in _UNITS.items()
            )
        )
