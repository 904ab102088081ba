"""What the trainings left, held against the split, the recipe and the epsilon that they claim."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes.privacy import canaries
from efficiency360.errors import AxisError
from efficiency360.statistics import losses, renyi
from efficiency360.statistics.noise_audit import Mechanism

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels
    from efficiency360.axes.privacy.axis import Privacy
    from efficiency360.axes.privacy.canaries import Proof
    from efficiency360.axes.privacy.split import Split
    from efficiency360.numerics.private.recipe import Recipe

_UNREADABLE = 0.01
_UNLIKELY = 6.0
"""Standard deviations that chance does not reach."""
_ROUNDING = 1e-3
_SHORT, _LONG = 0.005, 0.02
"""By how much the accountant's epsilon may be below and above that by another computation: it errs upwards."""


@dataclass(frozen=True)
class Seen:
    """The trainings: S seeds, E epsilons in the order of the settings and then none, M images that test.

    `right` (S, E + 1, M) says whether an image is classified right; `test` (M,) are positions in the data. `sigma`,
    `spent` and `bound` (E,) are noise multipliers, the epsilon that the accountant computed in the worker, and Renyi's
    looser one. `unread` counts images that could not be read. `notes` say how it was trained.
    """

    axis: Privacy
    labels: Labels
    split: Split
    recipe: Recipe
    delta: float
    test: NDArray[np.int64]
    right: NDArray[np.bool_]
    sigma: NDArray[np.float64]
    spent: NDArray[np.float64]
    bound: NDArray[np.float64]
    unread: int
    notes: tuple[str, ...]
    proofs: tuple[Proof, ...] = ()

    @classmethod
    def read(cls, evidence: Evidence, labels: Labels, axis: Privacy) -> Seen:
        """Take the evidence apart.

        Raises:
            AxisError: it does not fit the split or the recipe, or trainings did not do what the accountant was told.
        """
        parts = axis.parted(labels)
        train, test = (evidence[f"dp_{name}"].astype(np.int64) for name in ("train", "test"))
        unread = _check_positions(train, parts.train) + _check_positions(test, parts.test)
        recipe, delta = axis.recipe(len(train)), axis.delta_of(len(train))
        shape = (axis.seeds, len(axis.epsilons) + 1)
        predicted = evidence["dp_predicted"]
        if predicted.shape != (*shape, len(test)):
            raise AxisError("the answers of the trained models do not fit the number of trainings and images")
        sigma, spent = (evidence[f"dp_{name}"].astype(np.float64) for name in ("sigma", "spent"))
        bound = _bounds(axis, recipe, delta, sigma, spent)
        _check_trail(evidence, recipe, sigma, shape)
        return cls(
            axis=axis,
            labels=labels,
            split=parts,
            recipe=recipe,
            delta=delta,
            test=test,
            right=predicted == labels.classes[test],
            sigma=sigma,
            spent=spent,
            bound=bound,
            unread=unread,
            notes=tuple(str(note) for note in evidence.get("dp_note", ())),
            proofs=_proofs(evidence, axis, recipe, delta, sigma),
        )


def _proofs(
    evidence: Evidence, axis: Privacy, recipe: Recipe, delta: float, sigma: NDArray[np.float64]
) -> tuple[Proof, ...]:
    """What canaries prove of further trainings; the last layer's only."""
    if not axis.canaries or axis.method != "head":
        return ()
    scores = evidence["dp_canaries"].astype(np.float64)
    if scores.shape != (len(axis.epsilons), axis.canaries):
        raise AxisError("the scores of the canaries do not fit their number")
    mechanism = Mechanism(recipe.rate, recipe.steps)
    return tuple(canaries.of_training(scores, axis.epsilons, delta, mechanism, sigma.tolist()))


def _check_positions(found: NDArray[np.int64], planned: NDArray[np.int64]) -> int:
    """How many of the planned images are missing."""
    missing = len(planned) - len(found)
    if found.ndim != 1 or len(np.unique(found)) < len(found) or not np.isin(found, planned).all():
        raise AxisError("the images that trained or tested are not those of the split")
    if missing > _UNREADABLE * len(planned):
        raise AxisError(
            f"{missing} of {len(planned)} images of the split could not be read; at most {_UNREADABLE:.0%} may"
        )
    return missing


def _bounds(
    axis: Privacy, recipe: Recipe, delta: float, sigma: NDArray[np.float64], spent: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Renyi's bounds on the epsilons (E,); what is claimed has to be what privacy losses give, computed here."""
    if sigma.shape != spent.shape or sigma.shape != (len(axis.epsilons),) or not (sigma > 0).all():
        raise AxisError("the noise of the trainings does not fit the number of epsilons")
    for target, claimed, one in zip(axis.epsilons, spent, sigma, strict=True):
        if not target * 0.98 <= claimed <= target * (1 + _ROUNDING):
            raise AxisError(f"trained for an epsilon of {claimed:.3g}, not of {target:g}")
        exact = _exactly(recipe, float(one), delta)
        if not exact / (1 + _SHORT) - _ROUNDING <= claimed <= exact * (1 + _LONG) + _ROUNDING:
            raise AxisError(
                f"the noise does not give the epsilon that is claimed: {claimed:.3g}, but {exact:.3g} by the"
                " distribution of privacy losses"
            )
    return np.array([renyi.epsilon(recipe.rate, float(one), recipe.steps, delta) for one in sigma])


def _exactly(recipe: Recipe, sigma: float, delta: float) -> float:
    try:
        return losses.epsilon(recipe.rate, sigma, recipe.steps, delta)
    except ValueError as error:
        raise AxisError(f"what little noise hides cannot be checked: {error}; give smaller privacy.epsilons") from error


def _check_trail(evidence: Evidence, recipe: Recipe, sigma: NDArray[np.float64], shape: tuple[int, int]) -> None:
    """See that as many images were taken, gradients were clipped and noise was added as the accountant was told."""
    taken, longest, noise = (evidence[f"dp_{name}"].astype(np.float64) for name in ("taken", "longest", "noise"))
    if not taken.shape == longest.shape == noise.shape == shape:
        raise AxisError("what the trainings did does not fit their number")
    draws = recipe.n * recipe.steps
    spread = math.sqrt(draws * recipe.rate * (1 - recipe.rate))
    if (np.abs(taken - draws * recipe.rate) > _UNLIKELY * spread + _ROUNDING).any():
        raise AxisError("the steps took other numbers of images than the sampling rate that the accountant was told")
    if not (longest[:, :-1] <= recipe.clip * (1 + _ROUNDING)).all():
        raise AxisError("gradients were longer than the clipping length that the accountant was told")
    cells = float(evidence["dp_cells"][0])
    if not cells >= recipe.steps:
        raise AxisError("the trainings say nothing of the noise that they added")
    off = np.abs(noise[:, :-1] / (cells * sigma**2) - 1)
    if not (off <= _UNLIKELY * math.sqrt(2 / cells) + 10 * _ROUNDING).all():
        raise AxisError("the noise that was added is not that which the accountant was told")
    if (noise[:, -1] > 0).any():
        raise AxisError("the trainings without privacy added noise")
