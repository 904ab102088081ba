"""Attacking and corrupting a subject, in the worker; images stream by, so memory does not grow with their number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from efficiency360.axes.robustness.asking import Asked
from efficiency360.errors import AxisError
from efficiency360.numerics import attacks, corruptions
from efficiency360.subject.subject import select_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Run
    from efficiency360.axes.robustness.axis import Robustness
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.numerics.attacks import Outcome
    from efficiency360.subject.subject import Subject

_UNBOUNDED = {"Linf": 0.5, "L2": 50.0}
"""Radii that hold a grey image of any image, or nearly: no honest model is right there."""
_FEW = 16
_COUNTS = ("images", "fallen", "evaluations", "gradient_evaluations", "zero_gradients", "broken_gradients", "tries")


def attacked(axis: Robustness, subject: Subject, data: ImageStream, run: Run) -> Iterator[Evidence]:
    """Yield what the model says of a few images asked repeatedly, rows of the sweep over all radii, and far beyond."""
    specs = attacks.specs_of(axis.attacks)
    total = min(axis.images, len(data))
    asked = _asked(axis, subject, data, run, total)
    yield asked.before()
    cheaper = _cheaper(subject, asked.images[:2])
    with attacks.without_parameter_gradients(subject.module):
        outcome = attacks.sweep(
            subject.logits,
            _chunks(axis, subject, data, run, total),
            specs,
            axis.norm,
            axis.eps,
            batch=axis.batch_size,
            seed=run.seed,
            device=subject.device,
            stand_in=cheaper,
            minimal=True,
            keep=axis.shown,
            progress=lambda done, _taken: run.progress(done, total),
        )
        yield {**_rows(outcome), **_tallies(outcome), **_kept(outcome)}
        if any(spec.gradients for spec in specs):
            far = attacks.attack(
                subject.logits,
                _chunks(axis, subject, data, run, min(_FEW, total)),
                (attacks.Spec("apgd-ce", {"steps": 30}),),
                attacks.Ball(axis.norm, _UNBOUNDED[axis.norm]),
                batch=axis.batch_size,
                seed=run.seed,
                device=subject.device,
                stand_in=cheaper,
            )
            yield {"far_right": far.right, "far_survived": far.survived}
    yield asked.after()


def _asked(axis: Robustness, subject: Subject, data: ImageStream, run: Run, total: int) -> Asked:
    """The first few readable images.

    Raises:
        AxisError: there is none.
    """
    for positions, images, _ in _chunks(axis, subject, data, run, total):
        return Asked(subject, images[:_FEW], np.array(positions[:_FEW]))
    raise AxisError(f"none of the first {total} images could be read")


def _cheaper(subject: Subject, images: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """What the steps of attacks ask instead of the subject; None where there is nothing cheaper."""
    if not subject.differentiable:
        return None
    taken = subject.normalised(images)
    cheap = attacks.stand_in(subject.module, taken, lambda answer: select_logits(answer, subject.output, len(images)))
    return None if cheap is None else replace(subject, module=cheap).logits


def _chunks(
    axis: Robustness, subject: Subject, data: ImageStream, run: Run, total: int
) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
    """Readable images as the model gets them, with positions and labels, `total` at most."""
    assert run.labels is not None  # noqa: S101 - `observe` looked
    for batch in data.batches(axis.batch_size):
        rows = np.flatnonzero(batch.readable)
        rows = rows[batch.start + rows < total]
        if len(rows):
            images = subject.to_input(np.ascontiguousarray(batch.images[rows]))
            yield (batch.start + rows).tolist(), images, torch.from_numpy(run.labels[batch.start + rows])
        if batch.start + len(batch.readable) >= total:
            return


def _rows(outcome: Outcome) -> Evidence:
    names = ("right", "fell_at", "broken_by", "margin", "distance", "queries", "gradients", "black_box_only")
    rows = {f"attacked_{name}": np.asarray(getattr(outcome, name)) for name in names}
    return {
        "attacked": outcome.positions,
        **rows,
        "eps": np.array(outcome.eps),
        "attack": np.array([spec.label for spec in outcome.specs]),
        "note": np.array(outcome.notes, np.str_),
    }


def _tallies(outcome: Outcome) -> Evidence:
    tallies = outcome.tallies
    columns: dict[str, Any] = {f"tally_{name}": np.array([getattr(one, name) for one in tallies]) for name in _COUNTS}
    refused = [", ".join(f"{count} x {why}" for why, count in sorted(one.refused.items())) for one in tallies]
    return {
        **columns,
        "tally_attack": np.array([one.label for one in tallies]),
        "tally_eps": np.array([one.eps for one in tallies]),
        "tally_idle": np.array([one.idle_tries for one in tallies]),
        "tally_unmoved": np.array([one.unmoved for one in tallies]),
        "tally_detached": np.array([one.detached for one in tallies]),
        "tally_refused": np.array(refused, np.str_),
    }


def _kept(outcome: Outcome) -> Evidence:
    """Adversarial images beside their clean ones, for the report."""
    if not outcome.kept:
        return {}
    return {
        "shown": np.array([one.position for one in outcome.kept]),
        "shown_clean": np.stack([one.clean.numpy() for one in outcome.kept]),
        "shown_adversarial": np.stack([one.adversarial.numpy() for one in outcome.kept]),
        "shown_predicted": np.array([int(one.logits.argmax()) for one in outcome.kept]),
    }


def spoiled(axis: Robustness, subject: Subject, data: ImageStream, run: Run) -> Iterator[Evidence]:
    """Yield of each corrupted image its position, which corruption, how severe, and the class that it was given.

    Raises:
        AxisError: no image could be read.
    """
    unfit = {name: corruptions.unfit(name, *subject.input_shape) for name in dict.fromkeys(axis.corruptions)}
    left_out = {name: why for name, why in unfit.items() if why}
    yield {"left_out": np.array(list(left_out), np.str_), "left_out_why": np.array(list(left_out.values()), np.str_)}
    pairs = [(name, severity) for name in unfit if name not in left_out for severity in sorted(set(axis.severities))]
    if not pairs:
        return
    total = min(axis.corruption_images, len(data))
    yield {
        "corruption": np.array([name for name, _ in pairs]),
        "severity": np.array([level for _, level in pairs]),
        "corruption_table": np.array([corruptions.table_for(*subject.input_shape[1:])]),
    }
    for batch in data.batches(axis.batch_size):
        rows = np.flatnonzero(batch.readable)
        rows = rows[batch.start + rows < total]
        positions = batch.start + rows
        if len(rows):
            images = subject.to_input(np.ascontiguousarray(batch.images[rows]))
            seeds = [run.seed * 1_000_003 + int(position) for position in positions]
            spoilt = (corruptions.corrupt(images, *pair, seeds) for pair in pairs)
            predicted = [_predicted(subject, some) for some in spoilt]
            yield {"spoiled": positions, "spoiled_predicted": np.stack(predicted, axis=1)}
        run.progress(min(batch.start + len(batch.readable), total), total)
        if batch.start + len(batch.readable) >= total:
            return


def _predicted(subject: Subject, images: torch.Tensor) -> NDArray[np.int64]:
    """The class given to each image, -1 where the logits are not finite."""
    with torch.inference_mode():
        logits = subject.logits(images).float()
    classes = torch.where(torch.isfinite(logits).all(dim=1), logits.argmax(dim=1), -1)
    return np.asarray(classes.cpu().numpy())
