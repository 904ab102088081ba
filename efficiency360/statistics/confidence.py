"""What a classifier's outputs say about its confidence: numbers an image, tables for plots, doubts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.records import Caveat, Param, Series
from efficiency360.statistics import calibration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_POINTS = 101
_OVERCONFIDENT = 0.05
_SAME = 1e-5
_CANDIDATES = 1000


@dataclass(frozen=True)
class Judged:
    """Of each image: confidence in [0, 1], whether the prediction is right, Brier score in [0, 2], log loss in nats."""

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    brier: NDArray[np.float64]
    loss: NDArray[np.float64]


def judged(logits: NDArray[Any], classes: NDArray[np.int64], temperature: float = 1.0) -> Judged:
    """Judge logits (N, K) of any float type against labels (N,), in float64 and a few rows at a time."""
    confidence, brier = np.empty(len(logits)), np.empty(len(logits))
    for rows in calibration.row_chunks(logits):
        probabilities = calibration.softmax(logits[rows].astype(np.float64), temperature)
        confidence[rows] = probabilities.max(axis=1)
        brier[rows] = calibration.brier_score(probabilities, classes[rows])
    right = logits.argmax(axis=1) == classes
    return Judged(confidence, right, brier, calibration.log_loss(logits, classes, temperature))


def worst_loss(logits: NDArray[Any]) -> float:
    """The greatest log loss in nats that any label of any of these images could have given."""
    return float(calibration.log_loss(logits, logits.argmin(axis=1)).max())


def confidence_of(logits: NDArray[Any]) -> NDArray[np.float64]:
    """The largest softmax probability (N,) of each row of logits (N, K)."""
    tops = [calibration.softmax(logits[rows].astype(np.float64)).max(axis=1) for rows in calibration.row_chunks(logits)]
    return np.concatenate([np.empty(0), *tops])


def logarithms(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Logits (N, K) float64 whose softmax is these probabilities; those below 1e-12 count as that."""
    logits = probabilities.astype(np.float64)
    np.log(np.clip(logits, 1e-12, None, out=logits), out=logits)
    return logits


def selected(images: Judged, coverage: float) -> tuple[float, int]:
    """How many of the most confident images are right, and how many these are: the share `coverage`, rounded up.

    Images tied at the border count with their mean, so their order does not matter.
    """
    n = len(images.right)
    kept = max(1, int(np.ceil(coverage * n - 1e-9)))  # 0.55 * 100 is a little more than 55
    border = np.partition(images.confidence, n - kept)[n - kept]
    surer, tied = images.confidence > border, images.confidence == border
    hits = int(images.right[surer].sum()) + (kept - int(surer.sum())) * float(images.right[tied].mean())
    return hits, kept


def look_alikes(seen: NDArray[Any], known: NDArray[Any], least: int = 1) -> int:
    """How many rows of `seen` (M, K) have at least `least` rows in `known` (N, K) that differ by rounding only.

    Rounding: 0.00001 of the row's largest entry; the same image in a batch of another size may differ by a tenth of
    that. Rows are compared where their projections on one random direction agree.
    """
    direction: NDArray[np.float64] = np.random.default_rng(0).normal(size=(known.shape[1],))
    reach: NDArray[np.float64] = _SAME * np.abs(seen).max(axis=1).astype(np.float64)
    here, there = _project(seen, direction), _project(known, direction)
    order = np.argsort(there)
    window = reach * np.linalg.norm(direction)
    first = np.searchsorted(there[order], here - window)
    last = np.searchsorted(there[order], here + window, side="right")
    found = 0
    for row, start, stop, most in zip(seen, first, np.minimum(last, first + _CANDIDATES), reach, strict=True):
        apart = np.abs(known[order[start:stop]] - row.astype(np.float64)).max(axis=1)
        found += int(np.count_nonzero(apart <= most) >= least)
    return found


def _project(rows: NDArray[Any], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row's scalar product with `direction` (K,), in float64 and a few rows at a time."""
    return np.concatenate([rows[some].astype(np.float64) @ direction for some in calibration.row_chunks(rows)])


def output_doubts(outputs: NDArray[Any]) -> Iterator[Caveat]:
    """Say so where outputs (N, K) are not logits."""
    if calibration.are_probabilities(outputs):
        text = "The model returns probabilities, not logits; they were taken as they are."
        yield Caveat(id="uncertainty.probabilities", severity="info", text=text)
    elif outputs.min() >= 0 and outputs.max() <= 1 and outputs.shape[1] > 1:
        text = (
            "All outputs lie in [0, 1] but do not sum to one: sigmoids? They were taken for logits, so the confidence"
            " here means little."
        )
        yield Caveat(id="uncertainty.not_logits", severity="warning", text=text)


def overconfidence(images: Judged, rng: np.random.Generator) -> Iterator[Caveat]:
    """Name a model that is surer than right by more than five points, beyond chance."""
    excess = images.confidence - images.right
    found = calibration.bootstrap(lambda rows: float(excess[rows].mean()), len(excess), rng=rng)
    if calibration.cautious(found, float(excess.mean()), len(excess), (-1.0, 1.0)).low > _OVERCONFIDENT:
        text = (
            f"Over-confident: it says {100 * images.confidence.mean():.1f} % on average and is right in"
            f" {100 * images.right.mean():.1f} %."
        )
        yield Caveat(id="uncertainty.overconfident", severity="warning", text=text)


def known_images(foreign: NDArray[Any], logits: NDArray[Any], name: str) -> Iterator[Caveat]:
    """Count foreign images that look like images of the data, where these look less often alike among themselves."""
    n, few = len(foreign), logits[: len(foreign)]
    same = look_alikes(foreign, logits)
    by_chance = look_alikes(few, logits, least=2) / len(few)
    if same > 2 * by_chance * n:
        text = (
            f"{same} of {n} foreign images ({name}) look exactly like images of the data: the model answers the very"
            " same. If they are the same images, the AUROC is too low; leave them out of ood_data."
        )
        yield Caveat(id="uncertainty.ood_known", severity="warning", text=text)


def reliability(images: Judged, bins: int) -> Series:
    """Mean confidence, accuracy and number of images in each bin of equal mass."""
    numbers = calibration.bin_numbers(images.confidence, bins, "equal_mass")
    right = calibration.shared_accuracy(images.confidence, images.right)
    count = np.bincount(numbers, minlength=bins)
    filled = count > 0
    return Series(
        name="uncertainty.reliability",
        title="Confidence and accuracy, in bins of equal mass",
        columns={
            "confidence": _rounded(np.bincount(numbers, images.confidence, bins)[filled] / count[filled]),
            "accuracy": _rounded(np.bincount(numbers, right, bins)[filled] / count[filled]),
            "images": count[filled].tolist(),
        },
    )


def risk_curve(images: Judged) -> Series:
    """Risk against coverage at no more than 101 coverages."""
    coverage, risk = calibration.risk_coverage(images.confidence, images.right)
    shown = np.unique(np.linspace(0, len(risk) - 1, _POINTS).round().astype(np.int64))
    return Series(
        name="uncertainty.risk_coverage",
        title="Error rate among the most confident images",
        columns={"coverage": _rounded(coverage[shown]), "risk": _rounded(risk[shown])},
    )


def temperature_scaling(logits: NDArray[Any], classes: NDArray[np.int64], bins: int) -> tuple[Series, ...]:
    """What temperature scaling would do, fitted on every other image and told of the rest; nothing for one image."""
    fitted, held = slice(0, None, 2), slice(1, None, 2)
    if len(classes) < 2:  # noqa: PLR2004 - two halves
        return ()
    temperatures = [1.0, calibration.fit_temperature(logits[fitted], classes[fitted])]
    after = [judged(logits[held], classes[held], temperature) for temperature in temperatures]
    eces = [calibration.expected_calibration_error(x.confidence, x.right, bins, "equal_mass") for x in after]
    return (
        Series(
            name="uncertainty.temperature_scaling",
            title="What temperature scaling would do (fitted on one half, shown on the other)",
            columns={
                "confidence": ["as it is", "scaled"],
                "temperature": _rounded(temperatures),
                "ece": _rounded(eces),
                "nll": _rounded([x.loss.mean() for x in after]),
            },
        ),
    )


def _rounded(numbers: NDArray[np.float64] | Sequence[float]) -> list[Param | None]:
    rounded: list[Param | None] = np.round(np.asarray(numbers), 4).tolist()
    return rounded
