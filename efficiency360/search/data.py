"""The user's images, decoded once a size and split in three: to learn from, to choose by, and to be judged on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.dataset.formats import open_dataset
from efficiency360.dataset.members import SPLIT, has_members, membership
from efficiency360.dataset.preprocess import Preprocess
from efficiency360.dataset.stream import ImageStream
from efficiency360.dataset.together import joined, personal
from efficiency360.errors import InputError
from efficiency360.spec import suggest
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from efficiency360.dataset.core import Dataset
    from efficiency360.search.constraints import Training

FEWEST = 20
"""Images to choose by, and to be judged on: with fewer a single image is worth more than five points."""
_FEWEST_OF_A_CLASS = 5
_SHOWN = 3
_SEED = 360
_BATCH = 256


@dataclass(frozen=True)
class Part:
    """Images (N, C, H, W) uint8 and their classes (N,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True)
class Sized:
    """All parts at one size; `mean` and `std` (C,) of the images to learn from, in [0, 1]."""

    train: Part
    choose: Part
    judge: Part
    mean: NDArray[np.float32]
    std: NDArray[np.float32]


@dataclass
class Images:
    """A data set with labels; `at` decodes it at a size, once."""

    data: Dataset
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    part: NDArray[np.int8]
    """Of each image: 0 to learn from, 1 to choose by, 2 to be judged on."""
    channels: int
    threads: int = 2
    together: tuple[str, ...] = ()
    """Columns: images that share a value in one of them are in one part."""
    _sized: dict[int, Sized] = field(default_factory=dict)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many images each part has."""
        train, choose, judge = (int((self.part == which).sum()) for which in range(3))
        return train, choose, judge

    def guessing(self, *, balanced: bool) -> float:
        """What always answering with the most frequent class would reach on the images to be judged on."""
        if balanced:
            return 1 / len(self.classes)
        judged = self.labels[self.part == 2]  # noqa: PLR2004 - the third part
        return float(np.bincount(judged).max() / len(judged))

    @property
    def identity(self) -> str:
        """A sha256 over images, names, labels and the split."""
        hashes = [f"{which}{one}" for which, one in zip(self.part.tolist(), self.data.image_hashes(), strict=True)]
        return self.data.fingerprint(hashes)

    @property
    def judged(self) -> Dataset:
        """The images to be judged on, which neither training nor choosing saw."""
        return self.data.take(np.flatnonzero(self.part == 2))  # noqa: PLR2004 - the third part

    def preprocess(self, size: int) -> Preprocess:
        """Whole images resized to a square."""
        return Preprocess(size=(size, size), resize=(size, size), channels=1 if self.channels == 1 else 3)

    def at(self, size: int) -> Sized:
        """All images at a size.

        Raises:
            InputError: images cannot be read.
        """
        if size not in self._sized:
            self._sized[size] = self._decoded(size)
        return self._sized[size]

    def _decoded(self, size: int) -> Sized:
        batches = list(ImageStream(self.data, self.preprocess(size), threads=self.threads).batches(_BATCH))
        broken = [self.data.files[at] for at in np.flatnonzero(~np.concatenate([one.readable for one in batches]))]
        if broken:
            shown = ", ".join(map(one_line, broken[:_SHOWN])) + (", ..." if len(broken) > _SHOWN else "")
            raise InputError(f"{self.data.name}: {len(broken)} of {len(self.data)} images cannot be read ({shown})")
        pixels = np.concatenate([one.images for one in batches])
        if pixels.dtype != np.uint8:
            pixels = (pixels.astype(np.float64) * 255).round().astype(np.uint8)
        train, choose, judge = (Part(pixels[self.part == which], self.labels[self.part == which]) for which in range(3))
        planes = train.pixels.astype(np.float64).transpose(1, 0, 2, 3).reshape(pixels.shape[1], -1) / 255
        mean, std = planes.mean(axis=1), planes.std(axis=1).clip(min=1 / 255)
        return Sized(train, choose, judge, mean.astype(np.float32), std.astype(np.float32))


def open_images(source: str, training: Training, *, channels: int, threads: int = 2) -> Images:
    """Open the images of a search and decide what they are for, by class, always the same way.

    Where a column `split` says what is to be trained on, the others are those to be judged on. Images that share a
    value in a column of `training.keep_together` are in one part only.

    Raises:
        InputError: no labels, one class, no such column, a split that parts what belongs together, or too few images
            for a search to mean anything.
    """
    data = open_dataset(source)
    if data.labels is None:
        raise InputError(f"{source} has no labels; give class folders, or metadata.csv with file_name and label")
    names = data.labels.values
    classes = tuple(sorted(set(names), key=lambda name: (int(name) if name.isdecimal() else math.inf, name)))
    if len(classes) < 2:  # noqa: PLR2004 - a choice needs two
        raise InputError(f"{source}: all {len(data)} images are '{one_line(classes[0])}'; a search needs two classes")
    labels = np.array([classes.index(name) for name in names])
    together = personal(data.columns) if training.keep_together is None else training.keep_together
    images = Images(data, classes, labels, _split(data, labels, together, training), channels, threads, together)
    _check(images, source, training)
    return images


def _split(data: Dataset, labels: NDArray[np.int64], together: tuple[str, ...], training: Training) -> NDArray[np.int8]:
    chance = np.random.default_rng(_SEED)
    part = np.zeros(len(labels), np.int8)
    groups = _groups(data, together)
    judged = training.test
    if has_members(data):
        part[membership(data.columns[SPLIT]) == 0] = 2
        judged = 0.0
        _check_leak(data, groups, part)
    counts = np.bincount(labels)
    rarest = np.full(int(groups.max()) + 1, counts.argmax())
    for label in np.argsort(-counts, kind="stable"):
        rarest[groups[labels == label]] = label
    for label in range(len(counts)):
        drawn = chance.permutation(np.unique(groups[(rarest[groups] == label) & (part == 0)]))
        sizes = np.bincount(groups)[drawn]
        middle = (sizes.cumsum() - sizes / 2) / max(1, sizes.sum())
        where = np.where(middle < judged, 2, np.where(middle < judged + training.hold, 1, 0))
        for which in (1, 2):
            part[np.isin(groups, drawn[where == which])] = which
    return part


def _groups(data: Dataset, columns: Sequence[str]) -> NDArray[np.int64]:
    """The group (N,) of each image, for what may not be parted."""
    for name in columns:
        if name not in data.columns:
            hint = suggest(name, map(one_line, data.columns))
            raise InputError(f"training.keep_together: the data has no column '{one_line(name)}'{hint}")
    return joined([data.columns[name] for name in columns], len(data))


def _check_leak(data: Dataset, groups: NDArray[np.int64], part: NDArray[np.int8]) -> None:
    """Refuse a split whose images to be judged on belong together with others."""
    both = np.intersect1d(groups[part == 2], groups[part == 0])  # noqa: PLR2004 - the third part
    if len(both):
        one, other = (data.files[np.flatnonzero((groups == both[0]) & (part == which))[0]] for which in (0, 2))
        raise InputError(
            f"{data.name}: its column '{SPLIT}' parts what training.keep_together keeps together, {len(both)} times"
            f" ({one_line(one)} and {one_line(other)}): move these to one side, or leave the column out"
        )


def _check(images: Images, source: str, training: Training) -> None:
    train, choose, judge = images.counts
    for label, name in enumerate(images.classes):
        if (n := int(((images.labels == label) & (images.part == 0)).sum())) < _FEWEST_OF_A_CLASS:
            raise InputError(
                f"{source}: too small to train on: {n} images of class '{one_line(name)}' are left to learn from, at"
                f" least {_FEWEST_OF_A_CLASS} are needed; add images of it"
            )
    for n, key in ((choose, "hold"), (judge, "test")):
        if n < FEWEST:
            needed = math.ceil(FEWEST / getattr(training, key))
            raise InputError(
                f"{source}: too small for a search: of {train + choose + judge} images training.{key} sets {n} aside,"
                f" at least {FEWEST} are needed; give {needed} images, or a larger share"
            )
