"""Training a subject privately and asking what came out, in the worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.axes.privacy.canaries import coins
from efficiency360.axes.privacy.split import TEST, TRAIN
from efficiency360.errors import AxisError
from efficiency360.numerics.membership import canaries
from efficiency360.numerics.private import accountant, head
from efficiency360.numerics.private.recipe import Run as Training

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from efficiency360.axes.base import Evidence, Run
    from efficiency360.axes.privacy.axis import Privacy
    from efficiency360.axes.privacy.remembered import Remembered
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.numerics.private.features import Head
    from efficiency360.numerics.private.head import Trail


def observed(axis: Privacy, model: Remembered, data: ImageStream, run: Run) -> Iterator[Evidence]:
    """Train once for each seed and epsilon, and without privacy; yield what `Seen` reads.

    Raises:
        AxisError: the data cannot be parted, or the subject cannot be trained by this method.
    """
    assert run.labels is not None  # noqa: S101 - `observe` looked
    if "untuned" in run.given:
        raise AxisError(str(run.given["untuned"][0]))
    if axis.method == "head":
        yield from _heads(axis, model, data, run, run.labels)
        return
    from efficiency360.axes.privacy import tuned  # noqa: PLC0415 - only where the model itself is trained

    yield from tuned.observed(axis, model.subject, data, run, run.labels)


@dataclass(frozen=True)
class Parts:
    """Rows that train and that test, their positions in the data, and targets (n,) as indices of `classes` (K,)."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    positions: NDArray[np.int64]
    classes: NDArray[np.int64]
    targets: Tensor

    @classmethod
    def of(cls, part: NDArray[np.generic], labels: NDArray[np.int64], positions: NDArray[np.int64]) -> Parts:
        """Those of the readable images at `positions` (R,).

        Raises:
            AxisError: too few of them could be read.
        """
        mine = part[positions]
        train, test = np.flatnonzero(mine == TRAIN), np.flatnonzero(mine == TEST)
        classes = np.unique(labels[positions[train]])
        if len(classes) < 2 or not len(test):  # noqa: PLR2004 - something to tell apart
            raise AxisError("too few images could be read to train and to test")
        targets = torch.from_numpy(np.searchsorted(classes, labels[positions[train]]))
        return cls(train, test, positions, classes, targets)


def trainings(axis: Privacy, n: int) -> tuple[list[float], list[Training]]:
    """The noise multiplier of each epsilon, and all trainings: seeds outermost, the one without privacy last.

    Raises:
        AxisError: no noise gives this epsilon with this delta.
    """
    recipe, delta = axis.recipe(n), axis.delta_of(n)
    try:
        sigmas = [accountant.noise_for(target, recipe.rate, recipe.steps, delta) for target in axis.epsilons]
    except ValueError as error:
        raise AxisError(f"{error}; give another privacy.epsilons or privacy.delta") from error
    return sigmas, [Training(seed, sigma) for seed in range(axis.seeds) for sigma in (*sigmas, None)]


def _heads(
    axis: Privacy, model: Remembered, data: ImageStream, run: Run, labels: NDArray[np.int64]
) -> Iterator[Evidence]:
    total = len(data) + axis.steps
    features, positions = _features(axis, model, data, run, total)
    parts = Parts.of(run.given["part"], labels, positions)
    x = head.normalised(features)
    recipe = axis.recipe(len(parts.train))
    sigmas, runs = trainings(axis, len(parts.train))
    trained = head.train(
        x[parts.train],
        parts.targets,
        len(parts.classes),
        recipe,
        runs,
        progress=lambda done, _steps: run.progress(len(data) + done, total),
    )
    predicted = head.answers(trained, x[parts.test]).argmax(dim=-1).numpy()
    yield evidence(axis, parts, sigmas, predicted, [trained.trail])
    yield _watched(axis, x[parts.train], parts, sigmas, features)
    assert model.found is not None  # noqa: S101 - it was asked
    yield {"dp_note": np.array([_source(model.found)])}


def _watched(axis: Privacy, x: Tensor, parts: Parts, sigmas: list[float], features: Tensor) -> Evidence:
    """Train once more at each noise multiplier, with canaries that coins put there; scores (E, C) of all canaries.

    They are random features as images have them, with random labels; scored is how far the weights moved for them.
    """
    if not axis.canaries:
        return {}
    classes, scores = len(parts.classes), []
    for index, sigma in enumerate(sigmas):
        chance = torch.Generator().manual_seed(index)
        planted, labels = canaries.planted(features, classes, axis.canaries, chance)
        extra, chosen = head.normalised(planted), torch.from_numpy(coins(axis.canaries, index))
        both = torch.cat([x, extra[chosen]]), torch.cat([parts.targets, labels[chosen]])
        recipe = replace(axis.recipe(len(x)), n=len(both[0]))
        trained = head.train(*both, classes, recipe, [Training(index, sigma)])
        weights = trained.weights[0]
        scores.append(canaries.alignment(weights, torch.zeros_like(weights), extra, labels).double().numpy())
    return {"dp_canaries": np.stack(scores)}


def _source(found: Head) -> str:
    if found.name:
        return f"A new last layer was trained on the {found.width} numbers that '{found.name}' is given"
    return f"A new last layer was trained on the model's {found.width} logits, not on features: {found.why}"


def _features(
    axis: Privacy, model: Remembered, data: ImageStream, run: Run, total: int
) -> tuple[Tensor, NDArray[np.int64]]:
    """Features (R, D) of the readable images that train or test, and their positions (R,)."""
    part = run.given["part"].astype(np.int8)
    rows: list[Tensor] = []
    positions: list[NDArray[np.int64]] = []
    for batch in data.batches(axis.physical_batch):
        wanted = np.flatnonzero(batch.readable & (part[batch.start : batch.start + len(batch.readable)] > 0))
        if len(wanted):
            rows.append(model.features(batch.images[wanted]))
            positions.append(batch.start + wanted)
        run.progress(batch.start + len(batch.readable), total)
    if not rows:
        raise AxisError("no image could be read")
    features = torch.cat(rows)
    if bad := int((~torch.isfinite(features)).any(dim=1).sum()):
        raise AxisError(f"the model returned NaN or infinity for {bad} of {len(features)} images")
    return features, np.concatenate(positions)


def evidence(
    axis: Privacy, parts: Parts, sigmas: list[float], predicted: NDArray[np.int64], trails: list[Trail]
) -> Evidence:
    """What `Seen` reads, of trainings in the order of `trainings`: `predicted` (R, M) are indices of classes."""
    shape = (axis.seeds, len(axis.epsilons) + 1)
    n = len(parts.train)
    recipe, delta = axis.recipe(n), axis.delta_of(n)
    spent = [accountant.epsilon(recipe.rate, sigma, recipe.steps, delta) for sigma in sigmas]

    def table(name: str) -> NDArray[np.float64]:
        return torch.cat([getattr(trail, name) for trail in trails]).double().numpy().reshape(shape)

    return {
        "dp_train": parts.positions[parts.train],
        "dp_test": parts.positions[parts.test],
        "dp_predicted": parts.classes[predicted].reshape(*shape, -1).astype(np.int32),
        "dp_sigma": np.array(sigmas),
        "dp_spent": np.array(spent),
        "dp_taken": table("taken"),
        "dp_longest": table("longest"),
        "dp_noise": table("noise"),
        "dp_cells": np.array([trails[0].cells]),
    }
