"""Which images were trained on: a `split` column, folders train/ and test/, or two data sets put together."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from efficiency360.dataset.core import Dataset, RawLabels
from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

SPLIT: Final = "split"
TRAINED: Final = frozenset({"train", "training", "member", "members", "in"})
UNSEEN: Final = frozenset({"test", "testing", "nonmember", "nonmembers", "non-member", "non-members", "holdout", "out"})
_TRAIN, _TEST = "train", "test"


def membership(split: Sequence[str]) -> NDArray[np.int8]:
    """Of each image (N,): 1 trained on, 0 never seen, -1 something else, such as validation, which steers choices."""
    words = [text.strip().casefold() for text in split]
    return np.array([1 if word in TRAINED else 0 if word in UNSEEN else -1 for word in words], np.int8)


def is_split(names: Iterable[str]) -> bool:
    """Whether these words, such as names of folders, tell training from test images; every one has to mean one."""
    words = {name.strip().casefold() for name in names}
    return bool(words & TRAINED) and bool(words & UNSEEN) and words <= TRAINED | UNSEEN | {"val", "valid", "validation"}


def has_members(data: Dataset) -> bool:
    """Whether the data say of some images that they were trained on, and of some that they were not."""
    return SPLIT in data.columns and {0, 1} <= set(membership(data.columns[SPLIT]).tolist())


def trained_on(columns: dict[str, tuple[str, ...]]) -> Iterator[Caveat]:
    """Say so where a `split` column marks training images: numbers over all images are not those of unseen ones."""
    member = membership(columns.get(SPLIT, ()))
    if some := int((member == 1).sum()):
        text = (
            f"{some} of {len(member)} images were trained on (column split): numbers over all images are not those of"
            " images that the model never saw."
        )
        yield Caveat(id="data.trained_on", severity="warning", text=text)


def joined(others: Dataset, members: Dataset) -> Dataset:
    """Both data sets as one, with a `split` column; files are named from the folder that holds both.

    Raises:
        InputError: they are the same data, one has labels and the other none, or they are of unlike kinds.
    """
    if (others.labels is None) != (members.labels is None):
        raise InputError(f"{(others if others.labels is None else members).name} has no labels, the other data have")
    columns = {key: (*column, *members.columns.get(key, ())) for key, column in others.columns.items()}
    shared = {key: column for key, column in columns.items() if key in members.columns and key != SPLIT}
    split = (*(_TEST for _ in others.files), *(_TRAIN for _ in members.files))
    files, root, arrays = _images(others, members)
    return replace(
        others,
        name=f"{others.name} and {members.name}",
        labels=_both(others.labels, members.labels),
        columns={**shared, SPLIT: split},
        available=others.available + members.available,
        caveats=tuple(dict.fromkeys((*others.caveats, *members.caveats))),
        files=files,
        root=root,
        arrays=arrays,
    )


def _images(others: Dataset, members: Dataset) -> tuple[tuple[str, ...], Path | None, NDArray[np.generic] | None]:
    """Names of files, and the folder that they are below or the arrays that they are."""
    if others.root is not None and members.root is not None:
        roots = [root.resolve() for root in (others.root, members.root)]
        if roots[0] == roots[1]:
            raise InputError(f"{members.name}: the member data are the data itself; give the images trained on")
        above = Path(os.path.commonpath(roots))
        names = [
            (root.relative_to(above) / name).as_posix()
            for root, data in zip(roots, (others, members), strict=True)
            for name in data.files
        ]
        return tuple(names), above, None
    if others.arrays is not None and members.arrays is not None:
        if others.arrays.shape[1:] == members.arrays.shape[1:] and others.arrays.dtype == members.arrays.dtype:
            names = [f"{kind} {name}" for kind, data in ((_TEST, others), (_TRAIN, members)) for name in data.files]
            return tuple(names), None, np.concatenate([others.arrays, members.arrays])
        raise InputError(
            f"{members.name}: its images are {members.arrays.shape[1:]} {members.arrays.dtype}, the data's"
            f" {others.arrays.shape[1:]} {others.arrays.dtype}; give both in one form"
        )
    raise InputError(
        f"{one_line(members.name)}: one of the two is image files, the other arrays; give both in one form"
    )


def _both(others: RawLabels | None, members: RawLabels | None) -> RawLabels | None:
    if others is None or members is None:
        return None
    vocabulary = tuple(sorted({*others.vocabulary, *members.vocabulary}))
    return RawLabels((*others.values, *members.values), (*others.places, *members.places), vocabulary)
