"""One model's timings: latency in rounds, a sweep over batch sizes between them, variants beside them, then the roof.

Everything is yielded as evidence as soon as it is there. The stretches of one kind lie apart in time, so that what
drifts shows between them; what is compared with each other lies close together.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from efficiency360.errors import AxisError
from efficiency360.numerics import memory, variants
from efficiency360.numerics.roofline import fastest_macs_per_s, measure_roof
from efficiency360.numerics.sweep import Sweep
from efficiency360.numerics.timing import Forward, settle, stretch, undisturbed
from efficiency360.numerics.unseen import asked, beside_unseen, only_then
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Piece = dict[str, NDArray[np.generic]]
ROUNDS = 20
_LONGEST = 3
_WARM_S = 3.0
_CHUNK = 16


@dataclass(frozen=True)
class Plan:
    """How to time: `seconds` of latency, or as long as `enough` runs take, within three times that.

    No `batches`: doubled for as long as it pays; `dtype` None: as the weights are. `mark` and `progress` as in `Run`.
    """

    seconds: float
    enough: int
    batches: tuple[int, ...]
    dtype: torch.dtype | None
    threads: int
    variants: tuple[str, ...]
    mark: Callable[[], None]
    progress: Callable[[int, int], None]


class Bench:
    """A module under a plan.

    `example` makes normalised inputs of a shape (N, C, H, W) on the device; `images`, normalised too, are what the
    variants' outputs are compared on; `logits` picks the (N, K) logits out of what the module returns.
    """

    def __init__(
        self,
        module: nn.Module,
        plan: Plan,
        example: Callable[[tuple[int, ...]], Tensor],
        images: Tensor,
        logits: Callable[[object, int], Tensor],
    ) -> None:
        self._plan, self._example, self._images, self._logits = plan, example, images, logits
        self._device, self._shape = images.device, tuple(images.shape[1:])
        self._module, self._dtype = module, images.dtype
        self._stretches = 0

    def run(self) -> Iterator[Piece]:
        """Yield evidence; its names are explained in `axes.speed`.

        Raises:
            AxisError: the model does not run in the type asked for.
        """
        module, image = self._module, self._example((1, *self._shape))
        before = asked(module, image)
        with undisturbed(self._plan.threads):
            self._change_type()
            yield self._conditions()
            single = self._forward(1)
            settled, ms = settle(single, self._device, most_s=_WARM_S)
            yield {"settled": np.array([settled]), **self._peak(1)}
            yield from self._rounds(single, ms)
            yield self._beside_unseen(single)
            meanwhile = asked(module, image)
            yield from self._roof()
        yield {"timed_differently": np.array([only_then(before, meanwhile, asked(module, image))])}

    def _change_type(self) -> None:
        dtype = self._plan.dtype
        if dtype is None or dtype is self._dtype:
            return
        try:
            self._module, self._dtype = variants.as_type(self._module, dtype), dtype
            self._forward(1)()
        except (RuntimeError, TypeError) as error:
            what = f"the model does not run in {dtype} on {self._device} (speed.dtype)"
            raise AxisError(f"{what}: {told(error)}") from error

    def _conditions(self) -> Piece:
        return {
            "threads": np.array([self._plan.threads]),
            "dtype": np.array([str(self._dtype).removeprefix("torch.")]),
            "device": np.array([self._device.type]),
            "processors": np.array([os.cpu_count() or 1]),
            "keeps_memory": np.array(["MALLOC_MMAP_THRESHOLD_" in os.environ]),
        }

    def _forward(self, batch: int, module: nn.Module | None = None, variant: str = "") -> Forward:
        def example(shape: tuple[int, ...]) -> Tensor:
            return variants.prepared(variant, self._example(shape).to(self._dtype))

        return Forward(self._module if module is None else module, (batch, *self._shape), example)

    def _peak(self, batch: int) -> Piece:
        return {"peak_batch": np.array([batch]), **memory.peaks(self._device)}

    def _rounds(self, single: Forward, ms: float) -> Iterator[Piece]:
        """Latency, each variant and a step of the sweep in turn; what is left of the sweep follows."""
        plan = self._plan
        seconds = min(max(plan.seconds, plan.enough * ms / 1e3), _LONGEST * plan.seconds) / ROUNDS
        beside, problems = self._variants()
        sweep = self._sweep(2 * seconds, ms)
        for done in range(ROUNDS):
            single.renew()
            yield self._timed(single, seconds)
            for name, forward in beside.items():
                forward.renew()
                yield self._timed(forward, seconds / 2, name)
            yield from next(sweep, [])
            plan.progress(done + 1, ROUNDS)
        for pieces in sweep:
            yield from pieces
        yield {name: np.array(column) for name, column in problems.items()}
        yield from self._outputs(beside)

    def _timed(self, forward: Forward, seconds: float, variant: str = "") -> Piece:
        taken = stretch(forward, self._device, seconds=seconds, mark=self._plan.mark)
        self._stretches += 1
        return {
            "ms": np.array(taken),
            "of": np.full(len(taken), self._stretches - 1),
            "stretch_batch": np.array([forward.batch]),
            "stretch_variant": np.array([variant]),
        }

    def _sweep(self, seconds: float, ms: float) -> Iterator[list[Piece]]:
        """Batch after batch, a list of pieces each; then why it ended, where it ended early."""
        sweep = Sweep(self._plan.batches, self._device, ms, self._forward, most_ms=1e3 * self._plan.seconds)
        for forward in sweep:
            timed = self._timed(forward, seconds)
            sweep.took(forward.batch, float(np.median(timed["ms"].astype(np.float64))))
            yield [timed, self._peak(forward.batch)]
        if sweep.stopped:
            yield [{"stopped": np.array([sweep.stopped])}]

    def _variants(self) -> tuple[dict[str, Forward], dict[str, list[str]]]:
        """The variants that run, warmed up, and for those that do not their name and why."""
        beside: dict[str, Forward] = {}
        problems: dict[str, list[str]] = {"problem_variant": [], "problem": []}
        for name in self._plan.variants:
            try:
                with torch.inference_mode(mode=False):  # a compiler wants tensors with version counters
                    module = variants.MODULES[name](self._module)
                beside[name] = self._forward(1, module, name)
                beside[name]()
                settle(beside[name], self._device, most_s=_WARM_S)
            except Exception as error:  # noqa: BLE001 - a compiler may fail in any way, which is then a finding
                beside.pop(name, None)
                problems["problem_variant"].append(name)
                problems["problem"].append(_in_short(error))
        return beside, problems if problems["problem"] else {}

    def _outputs(self, beside: dict[str, Forward]) -> Iterator[Piece]:
        """Logits of the comparison images, by the model as it is and by each variant."""
        if beside:
            yield {"logits": self._answers(self._module, "")}
        for name, forward in beside.items():
            yield {f"logits_{name}": self._answers(forward.module, name)}

    def _answers(self, module: nn.Module, variant: str) -> NDArray[np.generic]:
        answers = []
        for images in torch.split(self._images, 1 if variant == "compile" else _CHUNK):  # a new size compiles anew
            inputs = variants.prepared(variant, images.to(self._dtype))
            answers.append(self._logits(module(inputs), len(images)).float().cpu().numpy())
        return np.concatenate(answers)

    def _beside_unseen(self, single: Forward) -> Piece:
        def read(answer: object) -> float:
            return float(self._logits(answer, 1).sum())

        return beside_unseen(single, self._device, read, seconds=2 * self._plan.seconds / ROUNDS)

    def _roof(self) -> Iterator[Piece]:
        seconds = min(1.0, self._plan.seconds / ROUNDS)
        yield {"fastest_macs_per_s": np.array([fastest_macs_per_s(self._device, seconds=seconds)])}
        try:
            roof = measure_roof(self._device, self._dtype, seconds=seconds)
        except RuntimeError:
            return
        yield {"roof": np.array([roof.macs_per_s, roof.bytes_per_s])}


def _in_short(error: Exception) -> str:
    return str(error) if isinstance(error, AxisError) else told(error)
