"""Timing a forward pass: until the device is done, after warm-up, in stretches, with nothing of ours in between."""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

_INPUTS = 4
_WINDOW = 5
_SETTLED = 0.97
_STEADY_WINDOWS = 2
_NANO_TO_MS = 1e-6


class Forward:
    """A model's forward pass on inputs that are ready on the device; each call takes the next of a few.

    Different inputs, so that a model which remembers its last answer gains nothing; `renew` makes others.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, ...], example: Callable[[tuple[int, ...]], Tensor]) -> None:
        self.module, self.batch = module, shape[0]
        self.example: Callable[[], Tensor] = lambda: example(shape)
        self.kinds = _INPUTS if self.batch == 1 else 2
        self._inputs: list[Tensor] = []
        self._calls = 0
        self.renew()

    def __call__(self) -> object:
        """Run once."""
        self._calls += 1
        return self.module(self._inputs[self._calls % self.kinds])

    def renew(self) -> None:
        """Take new inputs, once the memory of the old ones is free."""
        self._inputs.clear()
        self._inputs += [self.example() for _ in range(self.kinds)]


def time_once(run: Callable[[], object], device: torch.device) -> float:
    """Milliseconds from asking for an answer until the device has it: CUDA events there, else the monotonic clock."""
    if device.type == "cuda":
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        began.record()
        run()
        ended.record()
        ended.synchronize()
        return float(began.elapsed_time(ended))
    start = time.perf_counter_ns()
    run()
    if device.type == "mps":
        torch.mps.synchronize()
    return (time.perf_counter_ns() - start) * _NANO_TO_MS


def settle(run: Callable[[], object], device: torch.device, *, most_s: float) -> tuple[bool, float]:
    """Run until two windows of five runs in a row are no longer clearly faster than the best before them.

    Returns:
        Whether that came before `most_s` seconds, and the median of the best window in milliseconds.
    """
    deadline, best, steady = time.monotonic() + most_s, float("inf"), 0
    while steady < _STEADY_WINDOWS:
        window = []
        for _ in range(_WINDOW):
            window.append(time_once(run, device))
            if time.monotonic() > deadline:
                return False, min(best, _middle(window))
        steady = steady + 1 if _middle(window) > _SETTLED * best else 0
        best = min(best, _middle(window))
    return True, best


def _middle(window: list[float]) -> float:
    return sorted(window)[len(window) // 2]


def stretch(
    run: Callable[[], object], device: torch.device, *, seconds: float, mark: Callable[[], None]
) -> list[float]:
    """Milliseconds of consecutive runs for about `seconds` and at least one run, between two marks of the auditor.

    One run goes before, so that caches hold this model and not what ran last.
    """
    time_once(run, device)
    taken: list[float] = []
    mark()
    deadline = time.monotonic() + seconds
    while not taken or time.monotonic() < deadline:
        taken.append(time_once(run, device))
    mark()
    return taken


@contextmanager
def undisturbed(threads: int) -> Iterator[None]:
    """No gradients, no garbage collection, this many threads; everything as before afterwards."""
    before = torch.get_num_threads()
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, before)
        torch.set_num_threads(threads)
        gc.collect()
        if gc.isenabled():
            stack.callback(gc.enable)
            gc.disable()
        stack.enter_context(torch.inference_mode())
        yield
