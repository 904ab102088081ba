"""What a reader must know of private fine-tuning before believing its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes.privacy.numbers import COST, WITHOUT
from efficiency360.numerics.private.recipe import ADJACENCY
from efficiency360.records import Caveat
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.axes.privacy.seen import Seen
    from efficiency360.records import Measurement, Severity

_FEW = 100
_LONGEST = 400


def doubts(seen: Seen, found: Sequence[Measurement]) -> Iterator[Caveat]:
    """All that a reader must know."""
    yield from _protocol(seen)
    for note in seen.notes:
        yield _caveat("trained", "info", f"{one_line(note, _LONGEST)}.")
    yield from _canaries(seen)
    yield from _split(seen)
    yield from seen.labels.caveats
    yield from _learnt(seen, found)
    if any(one.name == COST and one.interval is not None and one.interval.high < 0 for one in found):
        text = (
            "Private training does better than training without privacy: the settings suit the data badly, and the cost"
            " of privacy cannot be told from them."
        )
        yield _caveat("odd", "warning", text)


def _protocol(seen: Seen) -> Iterator[Caveat]:
    recipe = seen.recipe
    yield _caveat(
        "protocol",
        "info",
        f"Epsilon holds for one training, at delta {seen.delta:.3g}, to {ADJACENCY}; accountant: PRV. {recipe.steps}"
        f" steps take each of {recipe.n} images with probability {recipe.rate:.3g}; gradients are clipped to"
        f" {recipe.clip:g}. How many images there are, and of which classes, is taken to be no secret. All settings"
        " were fixed beforehand, none was chosen by results, so no choice had to be paid for; with others, private"
        " accuracy may be better. Without"
        f" privacy means the same steps on the same images, {_without(seen.axis.method)}.",
    )
    yield _caveat(
        "covers",
        "info",
        f"Intervals cover the choice of test images and the chance of {seen.axis.seeds} trainings, not the choice of"
        " training images.",
    )
    text = (
        "Epsilon speaks of this fine-tuning only. If the model has seen these images before, it protects nothing of"
        " what it learnt then, and accuracy on images that test comes out too high."
    )
    yield _caveat("seen_before", "warning", text)


def _without(method: str) -> str:
    if method == "head":
        return "neither clipped nor noisy"
    return "clipped as well, which deep models need, but without noise: the cost is that of noise"


def _canaries(seen: Seen) -> Iterator[Caveat]:
    for proof in seen.proofs:
        yield _caveat("canaries", "info", f"Further training at epsilon {proof.epsilon:g}: {proof.told()}.")
    if seen.proofs:
        text = (
            "What canaries prove is a lower bound: it finds mistakes in the training, and is no guarantee. It takes for"
            " granted that noise is Gaussian, on sums over samples, and tells how much there can have been at most."
        )
        yield _caveat("canaries", "info", text)
    elif seen.axis.method != "head":
        yield _caveat("canaries", "info", "No empirical epsilon: canaries are planted for method head only.")


def _split(seen: Seen) -> Iterator[Caveat]:
    parts = seen.split
    together = " and ".join(f"'{one_line(name, 60)}'" for name in parts.together)
    kept = f" What shares a value of {together} is on one side." if together else ""
    left = len(parts.part) - len(parts.train) - len(parts.test)
    left_out = f" {left} images are left out (val)." if left else ""
    text = f"{len(parts.train)} images train, {len(parts.test)} test ({one_line(parts.how)}).{kept}{left_out}"
    yield _caveat("split", "info", text)
    if parts.largest > 1:
        text = (
            f"Epsilon protects single images. Up to {parts.largest} belong together ({together}): for whoever they show"
            f" it is up to {parts.largest} times as large, and delta larger still."
        )
        yield _caveat("groups", "warning", text)
    if seen.unread:
        yield _caveat("unreadable", "warning", f"{seen.unread} images could not be read; they are left out.")
    classes = seen.labels.classes
    if new := len(np.setdiff1d(classes[parts.test], classes[parts.train])):
        text = f"{new} classes of the images that test are not among those that train: their images count as wrong."
        yield _caveat("new_classes", "warning", text)


def _learnt(seen: Seen, found: Sequence[Measurement]) -> Iterator[Caveat]:
    """Say so where even training without privacy taught little, or where images are few."""
    classes = seen.labels.classes[seen.test]
    majority = float(np.bincount(classes).max() / len(classes))
    without = next(one for one in found if one.name == WITHOUT)
    if without.pessimistic <= majority:
        text = (
            f"Without privacy, accuracy is {without.value:.3f}; always naming one class would give {majority:.3f}."
            " Where little is learnt, privacy seems to cost little: these costs say nothing."
        )
        yield _caveat("nothing_learnt", "critical", text)
    if len(classes) < _FEW:
        yield _caveat("few_images", "warning", f"Only {len(classes)} images test: the intervals are wide.")


def _caveat(name: str, severity: Severity | str, text: str) -> Caveat:
    return Caveat.model_validate({"id": f"privacy.{name}", "severity": severity, "text": text})
