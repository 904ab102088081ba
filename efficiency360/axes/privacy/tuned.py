"""Private training of the subject itself, in the worker: `bitfit` and `full`."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from efficiency360.axes.privacy.finetuning import Parts, evidence, trainings
from efficiency360.errors import AxisError
from efficiency360.numerics.as_found import without_fused_attention
from efficiency360.numerics.private import features as before_head
from efficiency360.numerics.private.tuning import NewHead, tune
from efficiency360.numerics.private.watching import plan
from efficiency360.subject.files.names import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from efficiency360.axes.base import Evidence, Run
    from efficiency360.axes.privacy.axis import Privacy
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.numerics.private.head import Trail
    from efficiency360.numerics.private.watching import Plan
    from efficiency360.subject.subject import Subject

_MOST_BYTES = 2 << 30
_HEAD_ONLY = 'use privacy.method = "head"'


def observed(
    axis: Privacy, subject: Subject, data: ImageStream, run: Run, labels: NDArray[np.int64]
) -> Iterator[Evidence]:
    """Train the subject's layers once for each seed and epsilon, and without privacy.

    Raises:
        AxisError: no gradients, no last layer to replace, images that do not fit into memory, or a model that mixes
            images.
    """
    if not subject.differentiable:
        raise AxisError(f"the model gives no gradients ({subject.black_box}); {_HEAD_ONLY}")
    images, positions = _images(axis, subject, data, run)
    parts = Parts.of(run.given["part"], labels, positions)
    tuned, chosen = _prepared(axis, subject, subject.to_input(images[parts.train[:2]]), len(parts.classes))
    start = [one.detach().clone() for one in chosen.parameters]
    recipe = axis.recipe(len(parts.train))
    sigmas, runs = trainings(axis, len(parts.train))
    trails: list[Trail] = []
    predicted: list[NDArray[np.int64]] = []
    done, total = 0, len(runs) * recipe.steps

    def step() -> None:
        nonlocal done
        done += 1
        run.progress(done, total)

    for training in runs:
        for parameter, value in zip(chosen.parameters, start, strict=True):
            parameter.data.copy_(value)
        trails.append(
            tune(
                chosen,
                tuned.logits,
                lambda rows: subject.to_input(images[parts.train[rows.numpy()]]),
                parts.targets,
                recipe,
                training,
                axis.physical_batch,
                step,
            )
        )
        predicted.append(_answers(tuned, images, parts.test, axis.physical_batch))
    yield evidence(axis, parts, sigmas, np.stack(predicted), trails)
    yield {"dp_note": np.array(list(_notes(chosen)))}


def _images(
    axis: Privacy, subject: Subject, data: ImageStream, run: Run
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """The readable images (R, C, H, W) that train or test, as they are decoded, and their positions (R,)."""
    part = run.given["part"].astype(np.int8)
    bytes_an_image = 4 * int(np.prod(subject.input_shape))
    if int((part > 0).sum()) * bytes_an_image > 4 * _MOST_BYTES:
        raise AxisError(f"the images take up more than 2 GB of memory; use --limit, or {_HEAD_ONLY}")
    rows, positions = [], []
    for batch in data.batches(axis.physical_batch):
        wanted = np.flatnonzero(batch.readable & (part[batch.start : batch.start + len(batch.readable)] > 0))
        rows.append(batch.images[wanted])
        positions.append(batch.start + wanted)
    return np.concatenate(rows), np.concatenate(positions)


def _prepared(axis: Privacy, subject: Subject, pair: Tensor, classes: int) -> tuple[Subject, Plan]:
    """A copy of the subject with a new last layer, and what is trained of it."""
    found = before_head.find_head(subject.module, subject.logits, pair)
    if not found.name:
        raise AxisError(f"there is no last layer to replace: {found.why}; {_HEAD_ONLY}")
    before_head.check_alone(lambda images: before_head.features(subject.module, found, subject.logits, images), pair)
    try:
        module = copy.deepcopy(subject.module)
        module.set_submodule(found.name, NewHead(found.width, classes).to(subject.device))
    except (TypeError, RuntimeError, AttributeError, ValueError) as error:
        raise AxisError(f"the last layer '{found.name}' cannot be replaced in a copy; {_HEAD_ONLY}") from error
    module.eval().requires_grad_(requires_grad=False)
    tuned = replace(subject, module=module, num_classes=classes)
    only = f"{found.name}.linear" if axis.method == "bitfit" else ""
    chosen = plan(module, tuned.logits, pair, biases=only)
    if f"{found.name}.linear" not in {layer.path for layer in chosen.layers}:
        raise AxisError(f"the new last layer '{found.name}' cannot be trained; {_HEAD_ONLY}")
    return tuned, chosen


def _answers(tuned: Subject, images: NDArray[np.generic], rows: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The index of the class given to each of the images at `rows`."""
    found = []
    with torch.no_grad(), without_fused_attention():
        for start in range(0, len(rows), size):
            logits = tuned.logits(tuned.to_input(images[rows[start : start + size]])).float()
            if not torch.isfinite(logits).all():
                raise AxisError("a trained model answers NaN or infinity; give a smaller privacy.learning_rate")
            found.append(logits.argmax(dim=1).cpu().numpy())
    return np.concatenate(found)


def _notes(chosen: Plan) -> Iterator[str]:
    trained = sum(one.numel() for one in chosen.parameters)
    yield f"{trained:,} parameters of {len(chosen.layers)} layers were trained, a new last layer among them"
    for why, paths in chosen.frozen.items():
        yield f"Left as it is, because it {why}: {quoted(paths)}"
