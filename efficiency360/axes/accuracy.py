"""Accuracy: how often the model is right, overall, by class, and where it errs with confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.proportions import proportion
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Findings, Measurement, Series
from efficiency360.samples import Sample
from efficiency360.statistics.calibration import are_probabilities
from efficiency360.statistics.confidence import confidence_of
from efficiency360.statistics.intervals import mean_recall, wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

_TOP = 5
_LITTLE, _TIMES_CHANCE = 0.2, 3
_FEW = 30
_WORST_ERRORS = 12
_CHANGED = 0.1


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Accuracy(Axis):
    """Top-1, top-5, balanced and per-class accuracy with intervals, on the images as the preprocessing makes them.

    Top-k counts an image as right when fewer than k classes score above its label, or equal with a lower index (as a
    stable argsort orders them). Balanced accuracy is the mean recall over the classes present (as in scikit-learn).
    What would make these numbers wrong: preprocessing or label order that is not the model's own, images from its
    training set, mislabelled images. The near-chance caveat catches the first only when it is gross.
    """

    id: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})

    batch_size: Annotated[int, Field(ge=1)] = 32
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.01

    def workload(self, images: int) -> Workload:
        """Every image once."""
        return Workload(images, self.batch_size)

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield `logits` (B, K) float32 and `readable` (B,) bool, batch by batch; `again`: the first batch anew.

        `earliest` and `earliest_again` (G, K): what it answered before all else, when it was loaded, and answers now.
        """
        import torch  # noqa: PLC0415 - only the worker has torch

        if data is None:
            raise AxisError("no data")
        first = None
        with torch.inference_mode():
            for batch in data.batches(self.batch_size):
                first = batch if first is None else first
                logits = subject.logits(subject.to_input(batch.images))
                yield {"logits": logits.float().cpu().numpy(), "readable": batch.readable}
                run.progress(batch.start + len(batch.readable), len(data))
            if first is not None:
                yield {"again": subject.logits(subject.to_input(first.images)).float().cpu().numpy()}
            yield subject.asked_first_again()

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Compare `logits` (N, K) with the labels of the N images.

        Raises:
            AxisError: too many unreadable images, or logits that are not finite.
        """
        if labels is None:
            raise AxisError("no labels")
        _check_shape(evidence, labels)
        readable = evidence["readable"].astype(bool)
        caveats = list(_unreadable(readable, labels, self.max_unreadable))
        logits = evidence["logits"][readable].astype(np.float64)
        classes, rows = labels.classes[readable], np.flatnonzero(readable)
        _check_finite(logits, rows, labels)
        rank = _rank(logits, classes)
        caveats += [*_doubts(rank == 0, classes, logits.shape[1]), *_ties(logits), *labels.caveats]
        caveats += _asked_again(evidence)
        return Findings(
            measurements=(*_overall(rank, classes, logits.shape[1]), *_per_class(rank == 0, classes, labels)),
            series=(_confident_errors(logits, classes, rows, labels),),
            caveats=tuple(caveats),
            samples=tuple(_samples(rank, classes, rows, labels, logits.shape[1])),
        )


def _check_shape(evidence: Evidence, labels: Labels) -> None:
    n, logits, readable = len(labels.classes), evidence["logits"], evidence["readable"]
    if logits.ndim != 2 or len(logits) != n or readable.shape != (n,):  # noqa: PLR2004 - (N, K)
        raise AxisError(
            f"the model answered {logits.shape} logits for {n} images; one row of logits an image is needed"
        )
    if labels.classes.max() >= logits.shape[1]:
        raise AxisError(f"the model answered {logits.shape[1]} classes, fewer than when it was loaded")


def _rank(logits: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes come before the true one; 0 is right."""
    own = np.take_along_axis(logits, classes[:, None], axis=1)
    before = np.arange(logits.shape[1])[None] < classes[:, None]
    return np.asarray(((logits > own) | ((logits == own) & before)).sum(axis=1))


def _overall(rank: NDArray[np.int64], classes: NDArray[np.int64], k: int) -> Iterator[Measurement]:
    n = len(rank)
    for name, top in (("top1", 1), ("top5", _TOP)):
        if top < k:
            yield proportion(f"accuracy.{name}", int((rank < top).sum()), n, {})
    total = np.bincount(classes, minlength=k)
    correct = np.bincount(classes[rank == 0], minlength=k)
    present = total > 0
    yield Measurement(
        name="accuracy.balanced",
        value=float(np.mean(correct[present] / total[present])),
        unit="proportion",
        better="higher",
        n=n,
        interval=mean_recall(correct, total),
    )


def _per_class(right: NDArray[np.bool_], classes: NDArray[np.int64], labels: Labels) -> Iterator[Measurement]:
    for index in np.unique(classes):
        mine = right[classes == index]
        yield proportion("accuracy.per_class", int(mine.sum()), len(mine), {"class": labels.name(int(index))})


def _samples(
    rank: NDArray[np.int64], classes: NDArray[np.int64], rows: NDArray[np.int64], labels: Labels, k: int
) -> Iterator[Sample]:
    """Of each number the images, and whether the model is right."""
    right = (rank == 0).astype(np.float64)
    yield Sample("accuracy.top1", {}, "mean", right, rows)
    if k > _TOP:
        yield Sample("accuracy.top5", {}, "mean", (rank < _TOP).astype(np.float64), rows)
    yield Sample("accuracy.balanced", {}, "group mean", right, rows, classes)
    for index in np.unique(classes):
        mine = classes == index
        yield Sample("accuracy.per_class", {"class": labels.name(int(index))}, "mean", right[mine], rows[mine])


def _confident_errors(
    logits: NDArray[np.float64], classes: NDArray[np.int64], rows: NDArray[np.int64], labels: Labels
) -> Series:
    """The errors with the highest softmax confidence (or probability, where the model returns that), by file name."""
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != classes)
    confidence = np.zeros(len(logits))
    confidence[wrong] = logits[wrong].max(axis=1) if are_probabilities(logits) else confidence_of(logits[wrong])
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_WORST_ERRORS]
    return Series(
        name="accuracy.confident_errors",
        title="Most confident errors",
        columns={
            "image": [labels.files[rows[i]] for i in worst],
            "label": [labels.name(int(classes[i])) for i in worst],
            "predicted": [labels.name(int(predicted[i])) for i in worst],
            "confidence": [round(float(confidence[i]), 4) for i in worst],
        },
    )


def _unreadable(readable: NDArray[np.bool_], labels: Labels, allowed: float) -> Iterator[Caveat]:
    bad = np.flatnonzero(~readable)
    if not len(bad):
        return
    named = ", ".join(labels.files[i] for i in bad[:_TOP]) + (", ..." if len(bad) > _TOP else "")
    count = f"{len(bad)} of {len(readable)} images could not be read ({named})"
    if len(bad) > allowed * len(readable) or len(bad) == len(readable):
        raise AxisError(f"{count}; at most {allowed:.1%} may be (accuracy.max_unreadable)")
    yield Caveat(id="data.unreadable", severity="warning", text=f"{count}; they are left out.")


def _asked_again(evidence: Evidence) -> Iterator[Caveat]:
    """Compare the answers to the first images with those to the same images at the end.

    Raises:
        AxisError: more than a tenth of the predictions changed, or all of what it was asked first of all.
    """
    again = evidence.get("again", evidence["logits"][:0])
    before = evidence["logits"][: len(again)]
    if again.shape != before.shape:
        raise AxisError("asked again at the end, the model answered in another shape")
    changed = int((again.argmax(axis=1) != before.argmax(axis=1)).sum())
    said = f"Asked again at the end, it gave another class to {changed} of the first {len(again)} images"
    if changed > _CHANGED * len(again):
        raise AxisError(f"{said[0].lower()}{said[1:]}: its answers depend on what came before, or on chance")
    if changed:
        text = f"{said}: its answers depend on what came before, or on chance."
        yield Caveat(id="accuracy.answers_change", severity="critical", text=text)
    elif "earliest" in evidence and _turned(evidence["earliest"], evidence["earliest_again"]):
        raise AxisError(
            "asked again at the end, it gave another class to all that it was asked first, when it was loaded: its"
            " answers depend on what came before, or on chance"
        )


def _turned(before: NDArray[np.generic], after: NDArray[np.generic]) -> bool:
    """Whether every prediction changed, and logits by more than a tenth of the largest."""
    if before.shape != after.shape:
        return True
    scale = np.abs(before[np.isfinite(before)]).max(initial=0)
    far = not np.allclose(before, after, rtol=0, atol=_CHANGED * scale, equal_nan=True)
    return far and bool((before.argmax(axis=1) != after.argmax(axis=1)).all())


def _check_finite(logits: NDArray[np.float64], rows: NDArray[np.int64], labels: Labels) -> None:
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        first = labels.files[rows[bad[0]]]
        raise AxisError(f"the model returned NaN or infinity for {len(bad)} of {len(logits)} images (first: {first})")


def _doubts(right: NDArray[np.bool_], classes: NDArray[np.int64], k: int) -> Iterator[Caveat]:
    """Say so where the model does little better than always naming one class, or where images are few.

    Little better is less than a fifth of the way from chance to 1. That is near chance where it is also less than three
    times chance, or not provably above it; with many classes it may be a model that learned something. With images of
    only one class, chance is that of guessing evenly.
    """
    majority = float(np.bincount(classes).max() / len(classes))
    chance = max(1 / k, majority) if majority < 1 else 1 / k
    accuracy = float(right.mean())
    if accuracy - chance < _LITTLE * (1 - chance):
        near = accuracy < _TIMES_CHANCE * chance or wilson(int(right.sum()), len(right)).low <= chance
        text = (
            f"Top-1 accuracy is {accuracy:.3f}; always naming one class would give {chance:.3f}. Wrong normalisation or"
            " label order? Check mean, std, pixel range and class names before believing these numbers."
        )
        name, severity = ("near_chance", "critical") if near else ("low", "warning")
        yield Caveat.model_validate({"id": f"accuracy.{name}", "severity": severity, "text": text})
    if len(classes) < _FEW:
        text = f"Only {len(classes)} images: the intervals are wide."
        yield Caveat(id="accuracy.few_images", severity="warning", text=text)


def _ties(logits: NDArray[np.float64]) -> Iterator[Caveat]:
    tied = float(((logits == logits.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean())
    if tied > 0:
        text = f"{tied:.1%} of images have classes tied for first; the lowest index counts as the prediction."
        yield Caveat(id="accuracy.ties", severity="warning", text=text)
