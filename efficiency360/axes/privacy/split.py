"""Which images train and which test: a column, folders, or drawn; what belongs together stays together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.dataset.members import TRAINED, UNSEEN
from efficiency360.dataset.together import joined, personal
from efficiency360.errors import AxisError
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.dataset import Labels

COLUMN = "split"
TRAIN, TEST = 1, 2
_PARTS = {**dict.fromkeys(TRAINED, TRAIN), **dict.fromkeys(UNSEEN, TEST)}
_NEITHER = frozenset({"val", "valid", "validation", "dev"})
LEAST_TRAIN, LEAST_TEST = 50, 20
_LONGEST = 60


@dataclass(frozen=True)
class Split:
    """The part (N,) of each image: 1 trains, 2 tests, 0 does neither.

    `how` says where it comes from; `together` names the columns whose groups were kept together; `largest` is how many
    training images the largest of these groups has.
    """

    part: NDArray[np.int8]
    how: str
    together: tuple[str, ...]
    largest: int

    @property
    def train(self) -> NDArray[np.int64]:
        """Positions of the images that train."""
        return np.flatnonzero(self.part == TRAIN)

    @property
    def test(self) -> NDArray[np.int64]:
        """Positions of the images that test."""
        return np.flatnonzero(self.part == TEST)


def split(labels: Labels, share: float, seed: int, together: Sequence[str] | None) -> Split:
    """Part the images; the same whatever order they come in.

    Args:
        labels: names of files, classes and columns.
        share: of the images of each class that test, where nothing says which do.
        seed: of the draw.
        together: columns whose groups may not be parted; None takes those with names such as patient_id.

    Raises:
        AxisError: a column that is not there, a part that is neither train nor test, a group in both, or parts too
            small to train or to test.
    """
    columns = _columns(labels, together)
    groups = joined([labels.groups[name] for name in columns], len(labels.files))
    given, how = _given(labels)
    if given is None:
        part, how = _drawn(labels, groups, share, seed), f"drawn, {share:.0%} of each class to test"
    else:
        part = given
        _check_leaks(part, {name: labels.groups[name] for name in columns})
    _check_sizes(part, labels)
    largest = int(np.bincount(groups[part == TRAIN]).max())
    return Split(part, how, columns, largest)


def _columns(labels: Labels, together: Sequence[str] | None) -> tuple[str, ...]:
    if together is None:
        return personal(labels.groups)
    for name in together:
        if name not in labels.groups:
            known = ", ".join(one_line(one, _LONGEST) for one in labels.groups) or "none"
            raise AxisError(f"the data has no column '{name}' (privacy.keep_together); it has {known}")
    return tuple(together)


def _given(labels: Labels) -> tuple[NDArray[np.int8] | None, str]:
    """What a column or the folders say; None where they say nothing."""
    column = next((name for name in labels.groups if name.lower() == COLUMN), None)
    if column is not None:
        return _parts(labels.groups[column], labels.files), f"column '{column}'"
    tops = [PurePosixPath(name).parts[0].lower() for name in labels.files]
    if set(tops) <= _PARTS.keys() | _NEITHER and {_PARTS.get(top) for top in tops} >= {TRAIN, TEST}:
        return _parts(tops, labels.files), "folders"
    return None, ""


def _parts(said: Sequence[str], files: Sequence[str]) -> NDArray[np.int8]:
    words = [word.strip().lower() for word in said]
    for word, name in zip(words, files, strict=True):
        if word not in _PARTS and word not in _NEITHER:
            raise AxisError(
                f"{one_line(name, _LONGEST)}: its split is '{one_line(word, _LONGEST)}'; say train, test, or val (which"
                " is left out)"
            )
    return np.array([_PARTS.get(word, 0) for word in words], np.int8)


def _drawn(labels: Labels, groups: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int8]:
    """Groups in an order that their files' names decide, to the test part until its share of each class is full."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups.tolist()):
        members[group].append(index)
    order = sorted(members.values(), key=lambda rows: _lot(min(labels.files[row] for row in rows), seed))
    wanted = np.bincount(labels.classes) * share
    part = np.full(len(groups), TRAIN, np.int8)
    for rows in order:
        classes = np.bincount(labels.classes[rows], minlength=len(wanted))
        if (wanted[classes > 0] >= classes[classes > 0] / 2).all():
            part[rows] = TEST
            wanted = wanted - classes
    return part


def _lot(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def _check_leaks(part: NDArray[np.int8], columns: Mapping[str, Sequence[str]]) -> None:
    for name, values in columns.items():
        trains = {value for value, one in zip(values, part, strict=True) if one == TRAIN and value.strip()}
        tests = {value for value, one in zip(values, part, strict=True) if one == TEST}
        if both := sorted(trains & tests):
            some = ", ".join(f"'{one_line(value, _LONGEST)}'" for value in both[:3])
            raise AxisError(
                f"the split leaks: {len(both)} of {len(trains | tests)} values of '{one_line(name, _LONGEST)}' have"
                f" images to train and to test ({some}); move each to one side, or leave the column 'split' out"
            )


def _check_sizes(part: NDArray[np.int8], labels: Labels) -> None:
    train, test = int((part == TRAIN).sum()), int((part == TEST).sum())
    if train < LEAST_TRAIN or test < LEAST_TEST:
        raise AxisError(
            f"too few images: {train} to train and {test} to test; at least {LEAST_TRAIN} and {LEAST_TEST} are needed"
        )
    trained = np.unique(labels.classes[part == TRAIN])
    if len(trained) == 1:
        raise AxisError(
            f"all {train} images to train on are of one class ('{one_line(labels.name(int(trained[0])), _LONGEST)}');"
            " there is nothing to learn"
        )
