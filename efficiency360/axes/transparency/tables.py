"""The tables of the transparency axis: its curves, and what became of the maps as more weights were random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes.transparency.numbers import similarities
from efficiency360.records import Series
from efficiency360.statistics.alike import structural_similarity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.transparency.seen import Seen
    from efficiency360.records import Cell

_DIGITS = 4


def series(seen: Seen) -> Iterator[Series]:
    """All tables."""
    yield _curves(seen)
    if seen.randomised is not None:
        yield _randomisation(seen)


def _curves(seen: Seen) -> Series:
    """Mean probabilities by the share of cells that were deleted or inserted.

    `random` is random deletion and insertion in one: each order is taken both ways.
    """
    columns: dict[str, list[Cell]] = {"changed": _rounded(seen.fractions)}
    for name, curves in (("deletion", seen.deletion), ("insertion", seen.insertion)):
        for column, method in enumerate(seen.methods):
            columns[f"{name}_{method}"] = _rounded(curves[:, column].mean(axis=0))
    random = seen.random.mean(axis=(0, 1))
    columns["deletion_random"] = _rounded(random)
    columns["insertion_random"] = _rounded(random[::-1])
    return Series(
        name="transparency.curves", title="Probability of the class by the share of cells changed", columns=columns
    )


def _randomisation(seen: Seen) -> Series:
    """Similarity of maps to those under random weights, from the head down: means over images."""
    assert seen.randomised is not None  # noqa: S101 - the caller looked
    own = seen.maps[: seen.randomised.shape[1]]
    rows: list[tuple[Cell, ...]] = []
    for column, method in enumerate(seen.methods):
        for level, random in zip(seen.levels, seen.randomised, strict=True):
            ranks = similarities(own[:, column], random[:, column])
            shapes = _shapes(own[:, column], random[:, column])
            rows.append((method, level, seen.layers, _mean(ranks), _mean(shapes), int(np.isfinite(ranks).sum())))
    names = ("method", "random_layers", "layers", "rank_correlation", "ssim", "n")
    cells: list[list[Cell]] = [list(column) for column in zip(*rows, strict=True)]
    return Series(
        name="transparency.randomisation",
        title="Likeness of maps when layers are randomised, from the head down",
        columns=dict(zip(names, cells, strict=True)),
    )


def _shapes(maps: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """SSIM (n,); NaN where a map is not finite or too small."""
    found = [structural_similarity(one, other) for one, other in zip(maps, others, strict=True)]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _mean(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return round(float(finite.mean()), _DIGITS) if len(finite) else None


def _rounded(values: NDArray[np.float64]) -> list[Cell]:
    return [round(float(value), _DIGITS) for value in values]
