"""What explanations came to, checked against each other and against the model's earlier answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.statistics.calibration import are_probabilities, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence

    Floats = NDArray[np.float64]

_MAY_CHANGE = 0.02
"""Of the predictions: other batch sizes round otherwise."""


@dataclass(frozen=True)
class Seen:
    """Evidence of the axis, of n images, m methods and a grid of cells.

    `positions` (n,) are those of the images in the data. `fractions` (P,) are the shares of cells that were changed at
    the points of a curve, 0 to 1; `deletion` and `insertion` (n, m, P) the probabilities of the class there, `random`
    (n, R, P) those of random deletion. `maps` is (n, m, rows, columns), `differences` (n,) the output for the class
    less that for the baseline, `sums` (n, m) sums over the pixels of each map, `passes` (m, 2) forward and backward.

    Of the c images that were checked, the first of all: `changes` (c, m, draws), and `randomised` (stages, c, m, rows,
    columns) with the lowest `levels` of `layers` random, None where there is none, as `not_randomised` says.
    """

    methods: tuple[str, ...]
    lacking: tuple[str, ...]
    positions: NDArray[np.int64]
    probabilities: bool
    clean: Floats
    baseline: Floats
    fractions: Floats
    deletion: Floats
    insertion: Floats
    random: Floats
    maps: Floats
    sums: Floats
    differences: Floats
    passes: Floats
    changes: Floats | None
    randomised: Floats | None
    levels: tuple[int, ...]
    layers: int
    not_randomised: str

    @classmethod
    def read(cls, evidence: Evidence) -> Seen:
        """Take the evidence apart.

        Raises:
            AxisError: it does not fit together, holds what no model could answer, or other classes than before.
        """
        outputs, blank = (evidence[name].astype(np.float64) for name in ("outputs", "baseline_outputs"))
        positions = evidence["explained"].astype(np.int64)
        _check_outputs(outputs, blank, positions)
        _check_before(evidence, positions, outputs.argmax(axis=1))
        methods = tuple(str(name) for name in evidence["methods"])
        maps = evidence["maps"].astype(np.float64)
        n, m = len(positions), len(methods)
        if maps.ndim != 4 or maps.shape[:2] != (n, m) or evidence["sums"].shape != (n, m) or not m:  # noqa: PLR2004
            raise AxisError("the maps do not fit the number of images and methods")
        rows, classes = np.arange(n), outputs.argmax(axis=1)
        gives = are_probabilities(outputs)
        ends = [(some if gives else softmax(some))[rows, classes] for some in (outputs, blank)]
        inner = {name: evidence[name].astype(np.float64) for name in ("deletion", "insertion", "random")}
        fractions = _fractions(maps.shape[2] * maps.shape[3], inner, n, m)
        changes = _checked(evidence, positions, m)
        randomised = _randomised(evidence, maps, 0 if changes is None else len(changes))
        return cls(
            methods=methods,
            lacking=tuple(str(one) for one in evidence["lacking"]),
            positions=positions,
            probabilities=gives,
            clean=ends[0],
            baseline=ends[1],
            fractions=fractions,
            deletion=_whole(ends[0], inner["deletion"], ends[1]),
            insertion=_whole(ends[1], inner["insertion"], ends[0]),
            random=_whole(ends[0], inner["random"], ends[1]),
            maps=maps,
            sums=evidence["sums"].astype(np.float64),
            differences=outputs[rows, classes] - blank[rows, classes],
            passes=_passes(evidence, n, m),
            changes=changes,
            randomised=randomised,
            levels=tuple(int(one) for one in evidence.get("levels", ())),
            layers=int(evidence["layers"][0]) if randomised is not None else 0,
            not_randomised="; ".join(str(one) for one in evidence.get("not_randomised", ())),
        )


def _check_outputs(outputs: Floats, blank: Floats, positions: NDArray[np.int64]) -> None:
    if outputs.ndim != 2 or outputs.shape != blank.shape or positions.shape != outputs.shape[:1]:  # noqa: PLR2004
        raise AxisError("the answers do not fit the number of images")
    if not len(positions) or len(np.unique(positions)) < len(positions) or positions.min() < 0:
        raise AxisError("the images that were explained are not those of the data")
    bad = int((~np.isfinite(outputs).all(axis=1) | ~np.isfinite(blank).all(axis=1)).sum())
    if bad:
        raise AxisError(f"the model returned NaN or infinity for {bad} of {len(outputs)} images or their baselines")


def _check_before(evidence: Evidence, positions: NDArray[np.int64], classes: NDArray[np.int64]) -> None:
    """Hold the classes against those that the accuracy axis saw, where it did."""
    before = evidence.get("accuracy.logits")
    if before is None:
        return
    if positions.max() >= len(before):
        raise AxisError("the images that were explained are not those of the data")
    changed = int((before[positions].argmax(axis=1) != classes).sum())
    if changed > max(1, _MAY_CHANGE * len(classes)):
        raise AxisError(
            f"of {len(classes)} images {changed} were given another class than before: the model's answers depend on"
            " what came before, or on chance"
        )


def _fractions(cells: int, inner: dict[str, Floats], n: int, m: int) -> Floats:
    points = inner["deletion"].shape[-1] if inner["deletion"].ndim == 3 else -1  # noqa: PLR2004 - image, order, point
    fits = inner["insertion"].shape == inner["deletion"].shape == (n, m, points)
    random = inner["random"].shape
    if not fits or len(random) != 3 or (random[0], random[2]) != (n, points) or not random[1]:  # noqa: PLR2004
        raise AxisError("the curves do not fit the number of images and methods")
    if not all(((some >= 0) & (some <= 1)).all() for some in inner.values()):
        raise AxisError("the curves hold what is no probability")
    return np.unique(np.rint(np.linspace(0, cells, points + 2))) / cells


def _whole(first: Floats, inner: Floats, last: Floats) -> Floats:
    """Curves with their ends."""
    ends = [np.broadcast_to(end[:, None, None], (*inner.shape[:2], 1)) for end in (first, last)]
    return np.concatenate([ends[0], inner, ends[1]], axis=2)


def _passes(evidence: Evidence, n: int, m: int) -> Floats:
    passes = evidence["passes"].astype(np.float64)
    if passes.shape != (n, m, 2) or not np.isfinite(passes).all() or passes.min() < 0:
        raise AxisError("the number of passes through the model makes no sense")
    return np.asarray(passes.mean(axis=0))


def _checked(evidence: Evidence, positions: NDArray[np.int64], m: int) -> Floats | None:
    if "checked" not in evidence:
        return None
    changes = evidence["changes"].astype(np.float64)
    c = len(changes)
    same = np.array_equal(evidence["checked"], positions[:c])
    if changes.ndim != 3 or changes.shape[1] != m or not same or (changes < 0).any() or np.isinf(changes).any():  # noqa: PLR2004
        raise AxisError("the check of stability does not fit the images and methods")
    return changes


def _randomised(evidence: Evidence, maps: Floats, c: int) -> Floats | None:
    if "randomised" not in evidence:
        return None
    found = evidence["randomised"].astype(np.float64)
    levels, layers = evidence["levels"], evidence["layers"]
    if found.shape != (len(levels), c, *maps.shape[1:]) or layers.shape != (1,) or levels.max() != layers[0]:
        raise AxisError("the maps under random weights do not fit those under the model's own")
    return found
