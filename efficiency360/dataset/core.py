"""The data set as the rest of the project sees it: an ordered list of images, read when asked for."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from efficiency360.errors import InputError
from efficiency360.files import sha256_bytes, sha256_json
from efficiency360.records import Caveat, DatasetRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Encoded = "bytes | NDArray[np.uint8] | NDArray[np.float32]"
"""One image as it is stored: a file's bytes, or an array (H, W) or (H, W, C), uint8 or float32 in [0, 1]."""


class ImageSource(Protocol):
    """Where encoded images come from; all that the measured model's process gets to see of a data set."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read(self, start: int, stop: int) -> list[bytes | NDArray[np.generic]]:
        """Images `start` to `stop` (exclusive), encoded as they are stored."""


@dataclass(frozen=True)
class RawLabels:
    """Labels as written in the source: text, one an image, with the place each was found (for error messages).

    `vocabulary` holds the different labels of the whole source, sorted; a sample keeps it, so that they mean the same.
    """

    values: tuple[str, ...]
    places: tuple[str, ...]
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Collect the vocabulary where this is the whole source."""
        if not self.vocabulary:
            object.__setattr__(self, "vocabulary", tuple(sorted(set(self.values))))

    def take(self, indices: NDArray[np.int64]) -> RawLabels:
        """The labels at these positions."""
        return RawLabels(
            tuple(self.values[i] for i in indices), tuple(self.places[i] for i in indices), self.vocabulary
        )


@dataclass(frozen=True)
class Dataset:
    """Images by name, with raw labels and group columns beside them.

    Images are files below `root`, or rows of `arrays` (N, H, W) or (N, H, W, C). `columns` maps a metadata column to
    one text an image. `available` is the number of images before sampling.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    labels: RawLabels | None = None
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    root: Path | None = None
    arrays: NDArray[np.generic] | None = None
    available: int = 0
    caveats: tuple[Caveat, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty data set."""
        if not self.files:
            raise InputError(
                f"{self.name}: no images found; give class folders, a folder with metadata.csv, or an .npz"
            )
        if not self.available:
            object.__setattr__(self, "available", len(self.files))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(C, H, W) where all images are known to share it, else None."""
        if self.arrays is None:
            return None
        height, width = self.arrays.shape[1:3]
        return (self.arrays.shape[3] if self.arrays.ndim == 4 else 1, height, width)  # noqa: PLR2004 - N, H, W, C

    def read(self, start: int, stop: int) -> list[bytes | NDArray[np.generic]]:
        """Images `start` to `stop` (exclusive); a file that cannot be read comes back as no bytes."""
        if self.arrays is not None:
            return list(self.arrays[start:stop])
        return [self._file_bytes(name) for name in self.files[start:stop]]

    def _file_bytes(self, name: str) -> bytes:
        assert self.root is not None  # noqa: S101 - a data set has files or arrays
        try:
            return (self.root / name).read_bytes()
        except OSError:
            return b""

    def image_hashes(self) -> list[str]:
        """The sha256 of each image as stored, in order."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(self._hash, range(len(self))))

    def _hash(self, index: int) -> str:
        image = self.read(index, index + 1)[0]
        if isinstance(image, bytes):
            return sha256_bytes(image)
        return sha256_bytes(f"{image.dtype.str}{image.shape}".encode() + np.ascontiguousarray(image).tobytes())

    def fingerprint(self, hashes: list[str]) -> str:
        """A sha256 over images, names and labels; the order of the images does not matter."""
        return fingerprint_of(self.files, hashes, self.labels.values if self.labels else None)

    def record(self, hashes: list[str]) -> DatasetRecord:
        """How the scorecard names this data."""
        return DatasetRecord(
            name=self.name,
            kind=self.kind,
            fingerprint=self.fingerprint(hashes),
            n=len(self),
            available=self.available,
            groups=tuple(self.columns),
            caveats=self.caveats,
        )

    def take(self, indices: NDArray[np.int64]) -> Dataset:
        """The images at these positions, in this order."""
        return replace(
            self,
            files=tuple(self.files[i] for i in indices),
            labels=self.labels.take(indices) if self.labels else None,
            columns={key: tuple(column[i] for i in indices) for key, column in self.columns.items()},
            arrays=self.arrays[indices] if self.arrays is not None else None,
        )

    def sample(self, limit: int | None, *, seed: int) -> Dataset:
        """At most `limit` images in a seeded order that does not give the labels away.

        Stratified by label where every class keeps at least one image; else uniform, with a caveat. The same images in
        another order give the same sample in the same order, as evidence that is kept by content needs. Names and
        labels are in the seed: a model's code knows the audit's seed, and files often lie sorted by class.
        """
        by_name = np.argsort(np.array(self.files), kind="stable")
        rng = np.random.default_rng([seed, self._secret(by_name)])
        if limit is None or limit >= len(self):
            return self.take(by_name[rng.permutation(len(self))])
        chosen = None if self.labels is None else _stratified(np.array(self.labels.values)[by_name], limit, rng)
        sampled = self.take(by_name[rng.permutation(len(self))[:limit] if chosen is None else rng.permutation(chosen)])
        how = "uniform, because not every class could keep an image" if chosen is None else "stratified by label"
        severity = "warning" if chosen is None and self.labels is not None else "info"
        if self.labels is None:
            how = "uniform"
        text = f"{limit} of {len(self)} images were used: a seeded sample, {how}."
        return replace(sampled, caveats=(*self.caveats, Caveat(id="data.sampled", severity=severity, text=text)))

    def _secret(self, by_name: NDArray[np.int64]) -> int:
        """A number made of all names and labels, in the order of names."""
        labels = None if self.labels is None else np.array(self.labels.values)[by_name].tolist()
        return int(sha256_json([np.array(self.files)[by_name].tolist(), labels]), 16)


def fingerprint_of(files: Sequence[str], hashes: Sequence[str], labels: Sequence[str] | None) -> str:
    """A sha256 over the images of a data set, their names and their labels as written (None: they have none)."""
    digest = hashlib.sha256()
    for row in sorted(zip(files, hashes, labels or ("",) * len(files), strict=True)):
        digest.update("\0".join(row).encode() + b"\n")
    return digest.hexdigest()


def _stratified(labels: NDArray[np.str_], limit: int, rng: np.random.Generator) -> NDArray[np.int64] | None:
    """Positions of a sample with each class's share kept and at least one image a class; None where that cannot be."""
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if limit < len(classes):
        return None
    quota = _quotas(counts, limit)
    picked = [rng.permutation(np.flatnonzero(codes == k))[: quota[k]] for k in range(len(classes))]
    chosen: NDArray[np.int64] = np.concatenate(picked)
    return chosen


def _quotas(counts: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Whole numbers >= 1 that sum to `limit`, as near to the shares of `counts` as that allows."""
    ideal = counts * (limit / counts.sum())
    quota: NDArray[np.int64] = np.maximum(1, np.floor(ideal).astype(np.int64))
    while (excess := int(quota.sum()) - limit) != 0:
        surplus = np.where((quota > 1) if excess > 0 else (quota < counts), quota - ideal, np.nan)
        quota[np.nanargmax(surplus) if excess > 0 else np.nanargmin(surplus)] -= np.sign(excess)
    return quota
