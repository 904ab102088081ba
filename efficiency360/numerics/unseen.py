"""Whether timed runs do the work: inputs that were never seen, their answers read, beside runs as they are timed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.numerics.chance import same_chance
from efficiency360.numerics.timing import time_once
from efficiency360.numerics.untraced import apart, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from efficiency360.numerics.timing import Forward

_TRIES, _LEAST = 16, 3


def beside_unseen(
    forward: Forward, device: torch.device, read: Callable[[object], object], *, seconds: float
) -> dict[str, NDArray[np.generic]]:
    """Run on new inputs and on those timed last, in turn, so that both meet the same caches and the same neighbours.

    Args:
        forward: what was timed.
        device: where it runs.
        read: waits for an answer and reads it.
        seconds: about how long, though three times at least and sixteen at most.

    Returns:
        `unseen_ms` (N,) until the answer to a new input was read, `seen_ms` (N,) of runs as they are timed.
    """
    for _ in range(forward.kinds):
        read(forward())
    deadline = time.monotonic() + seconds
    unseen: list[float] = []
    seen: list[float] = []
    while len(unseen) < _LEAST or (len(unseen) < _TRIES and time.monotonic() < deadline):
        image = forward.example()
        unseen.append(time_once(lambda image=image: read(forward.module(image)), device))  # type: ignore[misc]
        seen.append(time_once(forward, device))
    return {"unseen_ms": np.array(unseen), "seen_ms": np.array(seen)}


def asked(module: nn.Module, image: Tensor) -> list[Tensor]:
    """What a module answers, from the same random numbers each time."""
    devices = [image.device] if image.is_cuda else []
    with torch.inference_mode(), torch.random.fork_rng(devices=devices), same_chance():
        return values(module(image.clone()))


def only_then(before: list[Tensor], then: list[Tensor], after: list[Tensor]) -> bool:
    """Whether an answer stands alone between two that agree."""
    return apart(before, then) and apart(after, then) and not apart(before, after)
