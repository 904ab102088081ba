"""Explaining a subject's answers, and testing the explanations, in the worker; images stream by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.errors import AxisError
from efficiency360.numerics import attribution
from efficiency360.numerics.attribution import Cells, How, Model
from efficiency360.numerics.fixed_batch import FixedBatch
from efficiency360.statistics.calibration import are_probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Run
    from efficiency360.axes.transparency.axis import Transparency
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

_PIXELS = 8 * 224 * 224
_LEAST, _MOST = 4, 128
_RANDOM, _TIES, _NOISE = range(3)
"""What random numbers are for; each has its own, image by image, so that batches do not matter."""


@dataclass(frozen=True)
class Work:
    """A model to explain: by which methods, over which cells, and how."""

    axis: Transparency
    subject: Subject
    model: Model
    cells: Cells
    how: How
    methods: tuple[str, ...]
    seed: int

    def explain(self, method: str, images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W), (N,) -> maps over cells (N, rows, columns)."""
        return self.cells.means(attribution.METHODS[method].explain(self.model, images, classes, self.how))

    def generators(self, positions: Sequence[int], purpose: int) -> list[np.random.Generator]:
        """One for each image."""
        return [np.random.default_rng([self.seed, position, purpose]) for position in positions]


@dataclass(frozen=True)
class Chunk:
    """Images (n, C, H, W) with their positions in the data, the classes (n,) that they are given, and their maps."""

    positions: list[int]
    images: torch.Tensor
    classes: torch.Tensor
    maps: tuple[torch.Tensor, ...] = ()

    def first(self, n: int) -> Chunk:
        """The first n images."""
        maps = tuple(some[:n] for some in self.maps)
        return Chunk(self.positions[:n], self.images[:n], self.classes[:n], maps)


def observed(axis: Transparency, subject: Subject, data: ImageStream, run: Run) -> Iterator[Evidence]:
    """Yield rows of images as they come by, and then what the checks on the first of them came to.

    Raises:
        AxisError: no image can be read, or none of the methods can explain the model.
    """
    total = min(axis.images, len(data))
    checks = min(axis.checked, total)
    work: Work | None = None
    kept: list[Chunk] = []
    passes = []
    for positions, images in _chunks(subject, data, total, _batch(axis, subject)):
        if work is None:
            work, lacking = _begin(axis, subject, images, run.seed)
            said = [f"{name}: {why}" for name, why in lacking.items()]
            yield {"methods": np.array(work.methods), "lacking": np.array(said, np.str_)}
        outputs = work.model.outputs(images)
        chunk, spent = _explained(work, Chunk(positions, images, outputs.nan_to_num().argmax(dim=1)))
        passes.append(spent)
        yield {"outputs": outputs.cpu().numpy(), **_rows(work, chunk), **_shown(axis, kept, chunk)}
        kept.append(chunk.first(max(checks, axis.shown)))
        run.progress(positions[-1] + 1, total + checks)
    if work is None:
        raise AxisError("none of the images could be read")
    yield {"passes": np.concatenate(passes)}
    if checks:
        yield from _checks(
            work, _joined(kept, checks), lambda part: run.progress(total + part * checks // 4, total + checks)
        )


def _batch(axis: Transparency, subject: Subject) -> int:
    """As many images as fit into the processor's caches; a program of a fixed batch takes what it takes."""
    if isinstance(subject.module, FixedBatch):
        return subject.module.most
    _, height, width = subject.input_shape
    return axis.batch_size or min(max(_PIXELS // (height * width), _LEAST), _MOST)


def _chunks(subject: Subject, data: ImageStream, total: int, size: int) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Readable images as the model gets them, with their positions, of the first `total`."""
    for batch in data.batches(size):
        rows = np.flatnonzero(batch.readable)
        rows = rows[batch.start + rows < total]
        if len(rows):
            yield (batch.start + rows).tolist(), subject.to_input(np.ascontiguousarray(batch.images[rows]))
        if batch.start + len(batch.readable) >= total:
            return


def _begin(axis: Transparency, subject: Subject, images: torch.Tensor, seed: int) -> tuple[Work, dict[str, str]]:
    """Find out which methods explain this model, on its first images; and why others do not.

    Raises:
        AxisError: none does.
    """
    model = Model(subject.module, partial(_logits, subject), _batch(axis, subject), black_box=subject.black_box)
    model.gives_probabilities = are_probabilities(model.outputs(images).cpu().numpy())
    methods, lacking = attribution.choose(model, images[:1], axis.methods)
    if not methods:
        raise AxisError("; ".join(f"{name} cannot explain it: {why}" for name, why in lacking.items()))
    how = How(axis.baseline, axis.path_steps, max(1, (axis.grid + 1) // 2))
    cells = Cells.of(images.shape[2], images.shape[3], axis.grid)
    return Work(axis, subject, model, cells, how, tuple(methods), seed), lacking


def _logits(subject: Subject, images: torch.Tensor) -> torch.Tensor:
    """The logits, of images laid out with channels last: the same but for rounding, and faster on processors."""
    return subject.logits(images.contiguous(memory_format=torch.channels_last))


def _explained(work: Work, chunk: Chunk) -> tuple[Chunk, NDArray[np.float64]]:
    """The chunk with a map by each method, and the passes that each took, forwards and back (n, methods, 2)."""
    maps, passes = [], []
    for method in work.methods:
        before = np.array([work.model.forwards, work.model.backwards])
        maps.append(work.explain(method, chunk.images, chunk.classes))
        passes.append(np.array([work.model.forwards, work.model.backwards]) - before)
    n = len(chunk.positions)
    return Chunk(chunk.positions, chunk.images, chunk.classes, tuple(maps)), np.stack([np.stack(passes) / n] * n)


def _rows(work: Work, chunk: Chunk) -> Evidence:
    """Maps and the curves of each method; of random orders deletion only, for inserted backwards they are the same."""
    ends = (chunk.images, attribution.baselines(chunk.images, work.axis.baseline))
    generators = work.generators(chunk.positions, _TIES)
    flat = [some.flatten(1).cpu().numpy() for some in chunk.maps]
    ranks = [attribution.orders(some, generators) for some in flat]
    chance = work.generators(chunk.positions, _RANDOM)
    random = [attribution.orders(np.zeros_like(flat[0]), chance) for _ in range(work.axis.random_orders)]
    return {
        "explained": np.array(chunk.positions),
        "maps": torch.stack(chunk.maps, dim=1).cpu().numpy(),
        "sums": torch.stack([work.cells.totals(some) for some in chunk.maps], dim=1).cpu().numpy(),
        "baseline_outputs": work.model.outputs(ends[1]).cpu().numpy(),
        "deletion": _curves(work, ends, chunk.classes, ranks),
        "insertion": _curves(work, ends[::-1], chunk.classes, ranks),
        "random": _curves(work, ends, chunk.classes, random),
    }


def _curves(
    work: Work, ends: tuple[torch.Tensor, ...], classes: torch.Tensor, ranks: Sequence[NDArray[np.int64]]
) -> NDArray[np.float32]:
    """The points between the ends (n, orders, points)."""
    first, second = ends
    changed = attribution.counts(len(work.cells), work.axis.steps)[1:-1]
    found = [attribution.exchanged(work.model, first, second, classes, some, work.cells, changed) for some in ranks]
    return np.stack(found, axis=1)


def _shown(axis: Transparency, kept: Sequence[Chunk], chunk: Chunk) -> Evidence:
    """The first images, for the report."""
    before = sum(len(one.positions) for one in kept)
    few = chunk.first(max(0, axis.shown - before))
    if not few.positions:
        return {}
    pixels = (few.images.cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    return {"shown": np.array(few.positions), "shown_images": pixels.numpy()}


def _joined(chunks: Sequence[Chunk], n: int) -> Chunk:
    """The first n images of several chunks."""
    maps = zip(*(chunk.maps for chunk in chunks), strict=True)
    return Chunk(
        [position for chunk in chunks for position in chunk.positions],
        torch.cat([chunk.images for chunk in chunks]),
        torch.cat([chunk.classes for chunk in chunks]),
        tuple(torch.cat(some) for some in maps),
    ).first(n)


def _checks(work: Work, chunk: Chunk, done: Callable[[int], None]) -> Iterator[Evidence]:
    """Yield how far maps move with their images, and the maps under random weights."""
    yield {"checked": np.array(chunk.positions), "changes": _moved(work, chunk)}
    done(1)
    model = work.model
    if model.black_box or not attribution.has_weights(model.module):
        why = model.black_box or "no weights were found in it that could be random"
        yield {"not_randomised": np.array([why])}
        return
    given = work.subject.normalised(chunk.images)
    layers = attribution.layers(model.module, given[: model.batch])
    levels = sorted({1, (len(layers) + 1) // 2, len(layers)})
    yield {"levels": np.array(levels), "layers": np.array([len(layers)])}
    for stage, level in enumerate(levels):
        generator = torch.Generator().manual_seed(work.seed)
        with attribution.shuffled(model.module, layers[:level], given, generator):
            maps = [work.explain(method, chunk.images, chunk.classes) for method in work.methods]
        yield {"randomised": torch.stack(maps, dim=1)[None].cpu().numpy()}
        done(2 + stage)


def _moved(work: Work, chunk: Chunk) -> NDArray[np.float32]:
    """Relative changes of maps under noise (n, methods, draws)."""
    generators = work.generators(chunk.positions, _NOISE)
    shape = (work.axis.draws, *chunk.images.shape[1:])
    noise = np.stack([one.uniform(-1, 1, shape).astype(np.float32) for one in generators], axis=1)
    noises = torch.from_numpy(noise).to(chunk.images.device)
    found = []
    for method, maps in zip(work.methods, chunk.maps, strict=True):
        explain = partial(_explain, work, method, chunk.classes)
        found.append(attribution.relative_changes(explain, chunk.images, maps, noises, work.axis.noise))
    return torch.stack(found, dim=1).cpu().numpy()


def _explain(work: Work, method: str, classes: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    return work.explain(method, images, classes)
