"""One model over input sizes: which it takes, and what each costs in compute, memory and time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.errors import AxisError
from efficiency360.numerics import memory
from efficiency360.numerics.complexity import count
from efficiency360.numerics.timing import Forward, settle, stretch, undisturbed
from efficiency360.words import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.base import Run
    from efficiency360.subject.subject import Subject

ROUNDS = 5
_WARM_S = 2.0
Shape = tuple[int, int]


def scaled(own: Shape, short_side: int) -> Shape:
    """(H, W) with this short side and, as near as whole pixels allow, the ratio of `own`."""
    factor = short_side / min(own)
    return round(own[0] * factor), round(own[1] * factor)


def default_sizes(own: Shape) -> tuple[int, ...]:
    """Short sides from a half to one and a half of `own`, on the grid that most networks need (32, or 4 for small)."""
    short = min(own)
    grid = 32 if short >= 128 else 4  # noqa: PLR2004 - where networks begin to divide by 32
    near = (max(grid, round(share * short / grid) * grid) for share in (0.5, 0.75, 1.25, 1.5))
    return tuple(sorted({short, *near}))


class Curve:
    """A subject at several sizes; `taken` are those it takes once `timings` has run."""

    def __init__(self, subject: Subject, run: Run, sizes: Sequence[int], *, seconds: float) -> None:
        self._subject, self._run, self._sizes, self._seconds = subject, run, sizes, seconds
        self.taken: dict[int, Subject] = {}

    def timings(self) -> Iterator[dict[str, NDArray[np.generic]]]:
        """Yield evidence; its names are explained in `axes.resolution`."""
        forwards: dict[int, Forward] = {}
        with undisturbed(self._run.threads):
            yield {
                "device": np.array([self._subject.device.type]),
                "processors": np.array([os.cpu_count() or 1]),
                "threads": np.array([self._run.threads]),
            }
            for size in self._sizes:
                yield from self._tried(size, forwards)
            for done in range(ROUNDS):
                for size, forward in forwards.items():
                    taken = stretch(forward, self._subject.device, seconds=self._seconds / ROUNDS, mark=self._run.mark)
                    number = done * len(forwards) + list(forwards).index(size)
                    yield {
                        "ms": np.array(taken),
                        "of": np.full(len(taken), number),
                        "stretch_size": np.array([size]),
                    }
        for size in forwards:
            yield {"counted_size": np.array([size]), "macs": np.array([self._macs(self.taken[size])])}

    def _tried(self, size: int, forwards: dict[int, Forward]) -> Iterator[dict[str, NDArray[np.generic]]]:
        resized = self._subject.at(*scaled(self._subject.preprocess.size, size))
        memory.reset_peaks(resized.device)
        try:
            forward = Forward(resized.module, (1, *resized.input_shape), _examples(resized, self._run.seed))
            resized.logits(torch.zeros((1, *resized.input_shape), device=resized.device))
            settle(forward, resized.device, most_s=_WARM_S)
        except Exception as error:  # noqa: BLE001 - whatever a model raises at a size that it does not take
            yield {"rejected_size": np.array([size]), "rejected": np.array([told(error)])}
            return
        forwards[size], self.taken[size] = forward, resized
        yield {"peak_size": np.array([size]), **memory.peaks(resized.device)}

    def _macs(self, subject: Subject) -> int:
        """Multiply-adds of one image, or -1 where they cannot be counted."""
        if subject.black_box:
            return -1
        try:
            image = torch.zeros((1, *subject.input_shape), device=subject.device)
            return count(subject.module, subject.normalised(image)).macs
        except AxisError:
            return -1


def _examples(subject: Subject, seed: int) -> Callable[[tuple[int, ...]], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def example(shape: tuple[int, ...]) -> torch.Tensor:
        return subject.normalised(torch.rand(shape, generator=generator).to(subject.device))

    return example
