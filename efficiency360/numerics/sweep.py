"""Which batch sizes to time: doubled while it pays, or those asked for, and never one that memory or time forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.numerics import memory
from efficiency360.numerics.timing import time_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from efficiency360.numerics.timing import Forward

_GAIN = 1.05
_PATIENCE = 2
_LARGEST = 12
_SAFE = 0.8
_MARGIN = 1.2


class Sweep:
    """Iterates over the forward passes of larger and larger batches, each run once; `took` reports their timings.

    On a processor, running out of memory would end the process, so each batch's need is foretold from those before it,
    and steps of more than a doubling are felt out by single runs. `stopped` says why the sweep ended, where it ended
    before the batches did.
    """

    def __init__(
        self,
        batches: tuple[int, ...],
        device: torch.device,
        ms: float,
        forward: Callable[[int], Forward],
        *,
        most_ms: float,
    ) -> None:
        self._batches, self._device, self._forward, self._most_ms = batches, device, forward, most_ms
        self._ms, self._peaks = {1: ms}, {0: memory.process_now(), 1: memory.process_peak()}
        self.stopped = ""

    def __iter__(self) -> Iterator[Forward]:
        """Yield each batch's forward pass."""
        for batch in self._wanted():
            for step in self._steps_to(batch):
                self.stopped = self._why_not(step)
                forward = None if self.stopped else self._tried(step)
                if forward is None:
                    return
                if step == batch:
                    yield forward

    def took(self, batch: int, ms: float) -> None:
        """Learn the median time of a run."""
        self._ms[batch] = ms
        self._peaks[batch] = memory.process_peak()

    def _wanted(self) -> Iterator[int]:
        if self._batches:
            yield from sorted({batch for batch in self._batches if batch > 1})
            return
        best, since = 1 / self._ms[1], 0
        for batch in (2**k for k in range(1, _LARGEST + 1)):
            yield batch
            rate = batch / self._ms[batch]
            best, since = (rate, 0) if rate > _GAIN * best else (best, since + 1)
            if since >= _PATIENCE:
                return

    def _steps_to(self, batch: int) -> Iterator[int]:
        step = 2 * max(self._ms)
        while step < batch:
            yield step
            step *= 2
        yield batch

    def _why_not(self, batch: int) -> str:
        last = max(self._ms)
        foretold_ms = self._ms[last] / last * batch
        if foretold_ms > self._most_ms:
            return f"one run of batch {batch} would take about {foretold_ms / 1e3:.3g} s (speed.seconds)"
        lower, upper = sorted(self._peaks)[-2:]
        each = max(0.0, (self._peaks[upper] - self._peaks[lower]) / (upper - lower))
        more = self._peaks[upper] + _MARGIN * each * (batch - upper) - memory.process_now()
        if self._device.type == "cpu" and more > _SAFE * memory.process_available():
            left = memory.process_available()
            return f"batch {batch} would need about {more / 1e9:.3g} GB more and {left / 1e9:.3g} GB are free"
        return ""

    def _tried(self, batch: int) -> Forward | None:
        """The batch's forward pass after one run; None, with the reason in `stopped`, where it does not run."""
        memory.reset_peaks(self._device)
        try:
            forward = self._forward(batch)
            self.took(batch, time_once(forward, self._device))
        except (RuntimeError, MemoryError) as error:  # torch's running out of memory is a RuntimeError
            self.stopped = f"batch {batch} does not run: {(str(error).splitlines() or ['out of memory'])[0]}"
            return None
        return forward
