"""Images that are not of the data's kind, for asking whether a model notices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from efficiency360.dataset.stream import Batch, ImageStream
    from efficiency360.subject.subject import Subject

_GRID = 4


def noise(images: Tensor, generator: Generator) -> Tensor:
    """Uniform noise in [0, 1) of the shape of `images`; `generator` lives on the CPU."""
    return torch.rand(images.shape, generator=generator).to(images.device)


def patches(images: Tensor, generator: Generator) -> Tensor:
    """The images (N, C, H, W) with a 4 x 4 grid of patches shuffled, alike for all; what the grid leaves over stays."""
    height, width = images.shape[2] // _GRID, images.shape[3] // _GRID
    shuffled = images.clone()
    order = torch.randperm(_GRID * _GRID, generator=generator).tolist()
    for target, source in enumerate(order):
        shuffled[_patch(target, height, width)] = images[_patch(source, height, width)]
    return shuffled


def _patch(number: int, height: int, width: int) -> tuple[slice, slice, slice, slice]:
    row, column = divmod(number, _GRID)
    rows = slice(row * height, (row + 1) * height)
    return slice(None), slice(None), rows, slice(column * width, (column + 1) * width)


FOREIGN: dict[str, Callable[[Tensor, Generator], Tensor]] = {"noise": noise, "patches": patches}


def first_batches(stream: ImageStream, limit: int, size: int) -> Iterator[Batch]:
    """The first `limit` images of a stream in batches of `size`; the last may be smaller."""
    for batch in stream.batches(size) if limit else ():
        left = limit - batch.start
        yield replace(batch, images=batch.images[:left], readable=batch.readable[:left])
        if left <= size:
            return


def answers(subject: Subject, images: Tensor) -> NDArray[np.generic]:
    """Logits (N, K) float32 of images (N, C, H, W) in [0, 1], on the CPU."""
    with torch.inference_mode():
        logits: NDArray[np.generic] = subject.logits(images).float().cpu().numpy()
    return logits
