"""Deletion and insertion (Petsiuk, Das and Saenko 2018, RISE, section 4.2): does the answer follow the map?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from efficiency360.numerics.attribution.cells import Cells
    from efficiency360.numerics.attribution.model import Model


def orders(values: NDArray[np.floating], generators: Sequence[np.random.Generator]) -> NDArray[np.int64]:
    """The rank of each cell, 0 for the highest value: (N, cells) -> (N, cells); equal values in random order.

    So a constant map is a random order, whatever the image. NaN comes last.
    """
    ranks = np.empty(values.shape, np.int64)
    for row, generator in enumerate(generators):
        shuffled = generator.permutation(values.shape[1])
        first = shuffled[np.argsort(-values[row, shuffled], kind="stable")]
        ranks[row, first] = np.arange(len(first))
    return ranks


def counts(cells: int, steps: int) -> NDArray[np.int64]:
    """How many cells are changed at each point of a curve, from 0 to all: (points,), at most `steps` + 1 of them."""
    return np.unique(np.rint(np.linspace(0, cells, steps + 1)).astype(np.int64))


def exchanged(  # noqa: PLR0913, PLR0917 - an experiment is these things
    model: Model,
    first: Tensor,
    second: Tensor,
    classes: Tensor,
    ranks: NDArray[np.int64],
    cells: Cells,
    changed: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The probability of the class as cells of the first image are exchanged for those of the second.

    Deletion goes from the image to its baseline, insertion from the baseline to the image, both in the order of a map.

    Args:
        model: the model.
        first: (N, C, H, W) in [0, 1].
        second: (N, C, H, W) in [0, 1].
        classes: (N,) indices.
        ranks: (N, cells), in which order cells are exchanged; see `orders`.
        cells: the grid.
        changed: (points,) how many cells are; see `counts`.

    Returns:
        (N, points) in [0, 1].
    """
    rank = torch.from_numpy(ranks).view(-1, cells.rows, cells.columns).to(first.device)
    number = torch.from_numpy(changed).to(first.device)
    pairs = torch.arange(len(first) * len(number), device=first.device)
    found = [first.new_empty(0)]
    for some in torch.split(pairs, model.batch):
        row, point = some // len(number), some % len(number)
        over = cells.spread(rank[row] < number[point].view(-1, 1, 1))[:, None]
        found.append(model.probabilities(torch.where(over, second[row], first[row]), classes[row]))
    return torch.cat(found).view(len(first), len(number)).cpu().numpy()
