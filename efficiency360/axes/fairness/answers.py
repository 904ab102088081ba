"""What the model answered, and which of the answers are compared between groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.errors import AxisError, InputError
from efficiency360.spec import suggest
from efficiency360.statistics import calibration, confidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels
    from efficiency360.dataset.groups import Attribute


@dataclass(frozen=True)
class Answers:
    """The answers to the M readable images, which stand at `rows` (M,) of the data.

    `classes` and `predicted` (M,) are class indices; `confidence` (M,) is the largest softmax probability;
    `positive` is the class that was named, or the second of two, as in fairlearn; None for one of many. `of_positive`
    (M,) is its probability.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    of_positive: NDArray[np.float64] | None
    positive: int | None
    labels: Labels
    num_classes: int

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer (M,) is right."""
        right: NDArray[np.bool_] = self.predicted == self.classes
        return right

    @classmethod
    def read(cls, evidence: Evidence, labels: Labels, positive: str | int | None) -> Answers:
        """Take the answers of the accuracy axis.

        Raises:
            AxisError: they do not fit the labels or are not finite, or there is no such positive class.
        """
        logits, readable = evidence["accuracy.logits"], evidence["accuracy.readable"].astype(bool)
        if logits.ndim != 2 or not len(logits) == len(readable) == len(labels.classes):  # noqa: PLR2004 - (N, K)
            raise AxisError(f"the model answered {logits.shape} logits for {len(labels.classes)} images")
        rows = np.flatnonzero(readable)
        logits, classes = logits[rows], labels.classes[rows]
        if not len(rows) or not np.isfinite(logits).all():
            raise AxisError("the model returned NaN or infinity, or no image could be read")
        if calibration.are_probabilities(logits.astype(np.float64)):
            logits = confidence.logarithms(logits)
        index = None if positive is None else _class(positive, labels, logits.shape[1])
        index = 1 if index is None and logits.shape[1] == 2 else index  # noqa: PLR2004 - the second of two
        return cls(
            rows=rows,
            classes=classes,
            predicted=logits.argmax(axis=1),
            confidence=confidence.confidence_of(logits),
            of_positive=None if index is None else _probability(logits, index),
            positive=index,
            labels=labels,
            num_classes=logits.shape[1],
        )

    def compared_classes(self, least: int) -> list[int]:
        """The classes to compare one against the rest: the positive one, else all of at least `least` images."""
        if self.positive is not None:
            return [self.positive]
        return np.flatnonzero(np.bincount(self.classes, minlength=self.num_classes) >= least).tolist()


def class_index(positive: str | int, labels: Labels, count: int) -> int:
    """The class of `count` that `positive` names, or whose index it is.

    Raises:
        InputError: there is none.
    """
    names = [labels.name(index) for index in range(count)]
    text = str(positive).strip()
    if text in names:
        return names.index(text)
    if text.isascii() and text.isdigit() and int(text) < count:
        return int(text)
    raise InputError(f"positive: the model has no class '{text}'{suggest(text, names)}")


def _class(positive: str | int, labels: Labels, count: int) -> int:
    try:
        return class_index(positive, labels, count)
    except InputError as error:
        raise AxisError(f"fairness: {error}") from error


def _probability(logits: NDArray[Any], index: int) -> NDArray[np.float64]:
    parts = [calibration.softmax(logits[rows].astype(np.float64))[:, index] for rows in calibration.row_chunks(logits)]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Judged:
    """An attribute's groups that have enough images to be judged.

    `groups` are their names, `codes` (J,) of each judged image its group, `at` (J,) its position among the answers.
    `small` are the names and sizes of the groups that are only shown. `sizes` counts all groups' images.
    """

    attribute: Attribute
    groups: tuple[str, ...]
    codes: NDArray[np.int64]
    at: NDArray[np.int64]
    small: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """How many groups are judged."""
        return len(self.groups)

    @classmethod
    def of(cls, attribute: Attribute, rows: NDArray[np.int64], least: int) -> Judged:
        """Choose the groups with at least `least` of the readable images at `rows`."""
        codes = attribute.codes[rows]
        sizes = np.bincount(codes, minlength=len(attribute.groups))
        enough = sizes >= least
        place = np.cumsum(enough) - 1
        at = np.flatnonzero(enough[codes])
        small = [(attribute.groups[index], int(sizes[index])) for index in np.flatnonzero(~enough & (sizes > 0))]
        names = tuple(attribute.groups[index] for index in np.flatnonzero(enough))
        return cls(attribute, names, place[codes[at]], at, tuple(small))
