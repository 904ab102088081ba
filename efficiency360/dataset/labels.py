"""From labels as written to class indices."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.spec import suggest
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.dataset.core import Dataset, RawLabels

_INDEX = re.compile(r"(-?[0-9]{1,18})(\.0*)?")


@dataclass(frozen=True)
class Labels:
    """Ground truth, kept away from the model: `classes` (N,) indices, names of classes and images, group columns.

    `own` says that the classes are those of the data and none of the model's: nothing that it answers can be right.
    """

    classes: NDArray[np.int64]
    names: tuple[str, ...]
    files: tuple[str, ...]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    caveats: tuple[Caveat, ...] = ()
    own: bool = False

    def name(self, index: int) -> str:
        """The name of a class; its index where it has none."""
        return self.names[index] if index < len(self.names) else str(index)


class OtherClassesError(InputError):
    """No label is a class of the model, nor nearly: they speak of another task, or its classes have no names."""


def resolve_labels(data: Dataset, *, num_classes: int, names: Sequence[str] | None) -> Labels | None:
    """Class indices of a data set for a model with `num_classes` outputs, called `names` where that is known.

    Labels are looked up by name first, then read as indices (`3.0`, as some tools write 3, is an index too). Where the
    model's classes have no names and the labels are text, alphabetical order is assumed (as class folders imply) if the
    counts agree, with a caveat. Classes that share a name are told apart by their index, as in `crane (134)`.

    Raises:
        OtherClassesError: no label at all is a class of the model.
        InputError: a label is missing, unknown or out of range, with its place.
    """
    if data.labels is None:
        return None
    if names is not None and len(names) != num_classes:
        raise InputError(
            f"the class list has {len(names)} names but the model has {num_classes} outputs; mend [labels] names in the"
            " manifest"
        )
    if num_classes < 2:  # noqa: PLR2004 - a classifier
        raise InputError("the model has one output; accuracy needs a logit for each of at least two classes")
    _check_given(data.labels)
    caveats: tuple[Caveat, ...] = ()
    present = data.labels.vocabulary
    indices = {text: int(match[1]) for text in present if (match := _INDEX.fullmatch(text))}
    if names is None and len(indices) < len(present):
        names, caveats = _alphabetical(present, num_classes), (_ASSUMED_ORDER,)
    names = _distinct(names or ())
    lookup = {name: index for index, name in enumerate(names)}
    if not set(present) <= lookup.keys() and len(indices) == len(present):
        lookup = indices
    kind = OtherClassesError if not _alike(present) & _alike(lookup) else InputError
    classes = _look_up(data.labels, lookup, num_classes, names, kind)
    return Labels(classes, names, data.files, data.columns, caveats)


def own_labels(data: Dataset, num_classes: int) -> Labels:
    """The classes of the data itself, in alphabetical order, where they are none of the model's `num_classes`.

    Raises:
        InputError: a label is missing, with its place.
    """
    assert data.labels is not None  # noqa: S101 - they were looked up
    _check_given(data.labels)
    names = data.labels.vocabulary
    index = {text: number for number, text in enumerate(names)}
    classes = np.array([index[text] for text in data.labels.values], np.int64)
    text = (
        f"The labels ({len(names)} such as '{one_line(names[0], 60)}') are none of the model's {num_classes} classes:"
        " what compares its answers with labels was left out. If they are, give [labels] names in a manifest, in the"
        " order of the model's outputs."
    )
    caveat = Caveat(id="labels.own_classes", severity="warning", text=text)
    return Labels(classes, names, data.files, data.columns, (caveat,), own=True)


_ASSUMED_ORDER = Caveat(
    id="labels.order_assumed",
    severity="warning",
    text="The model's class list is not known; classes were taken in alphabetical order."
    " Give [labels] names in a manifest.",
)


def _check_given(labels: RawLabels) -> None:
    for text, place in zip(labels.values, labels.places, strict=True):
        if not text.strip():
            raise InputError(f"{place}: no label; give one, or leave the image out")


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    times = Counter(names)
    return tuple(f"{name} ({index})" if times[name] > 1 else name for index, name in enumerate(names))


def _alphabetical(present: Sequence[str], num_classes: int) -> list[str]:
    if len(present) == num_classes:
        return list(present)
    raise OtherClassesError(
        f"the labels are {len(present)} names such as '{present[0]}', the model has {num_classes} outputs and no class"
        " list; give [labels] names = [...] in a manifest, in the order of the model's outputs"
    )


def _alike(words: Iterable[str]) -> set[str]:
    """Words without what makes no other word of them: case and separators."""
    return {re.sub(r"[\s_-]+", " ", word).strip().casefold() for word in words}


def _look_up(
    labels: RawLabels, lookup: Mapping[str, int], num_classes: int, names: Sequence[str], unknown: type[InputError]
) -> NDArray[np.int64]:
    classes = np.empty(len(labels.values), dtype=np.int64)
    for row, (text, place) in enumerate(zip(labels.values, labels.places, strict=True)):
        index = lookup.get(text)
        if index is None:
            raise unknown(f"{place}: label '{text}' is not one of the {num_classes} classes{suggest(text, names)}")
        if not 0 <= index < num_classes:
            raise InputError(
                f"{place}: label {index} is out of range: the model has {num_classes} classes, 0 to {num_classes - 1}"
            )
        classes[row] = index
    return classes
