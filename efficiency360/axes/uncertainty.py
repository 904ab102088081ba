"""Uncertainty: whether the model's confidence can be believed, and whether it notices foreign images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Findings, Interval, Measurement, Param, Series
from efficiency360.statistics import calibration
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

Foreign = Literal["noise", "patches"]
_OVERCONFIDENT = 0.05
_POINTS = 101


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Uncertainty(Axis):
    """Calibration (ECE, Brier, log loss), selective prediction (AURC), and out-of-distribution detection (AUROC).

    Confidence is the largest softmax probability. `uncertainty.ece` is given for bins of equal mass and of equal width;
    it is biased upwards where images are few. `uncertainty.ood_auroc` is the chance that an image of the data is more
    confidently classified than a foreign one (Hendrycks and Gimpel 2017): uniform noise, or the same images cut in
    4 x 4 patches and shuffled. Temperature scaling is fitted on one half of the images and reported on the other.
    What would make these numbers wrong: images that the model was trained on, where it is right and sure as nowhere
    else; outputs that are not logits, which a caveat names.
    """

    id: ClassVar[str] = "uncertainty"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    uses: ClassVar[tuple[str, ...]] = ("accuracy",)

    bins: Annotated[int, Field(ge=1)] = 15
    coverage: Annotated[float, Field(gt=0, le=1)] = 0.8
    ood: tuple[Foreign, ...] = ("noise", "patches")
    ood_images: Annotated[int, Field(ge=1)] = 256
    batch_size: Annotated[int, Field(ge=1)] = 32

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield `noise` and `patches` (B, K) float32: logits of foreign images made from the first `ood_images`."""
        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics.foreign import FOREIGN  # noqa: PLC0415

        if data is None:
            raise AxisError("no data")
        generator = torch.Generator().manual_seed(run.seed)
        total = min(self.ood_images, len(data))
        with torch.inference_mode():
            for batch in data.batches(self.batch_size) if self.ood else ():
                images = subject.to_input(batch.images[: total - batch.start])
                foreign = {kind: FOREIGN[kind](images, generator) for kind in self.ood}
                yield {kind: subject.logits(made).float().cpu().numpy() for kind, made in foreign.items()}
                run.progress(batch.start + len(images), total)
                if batch.start + len(images) >= total:
                    break

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Judge the confidence of the accuracy axis's logits against the labels, and against the foreign logits.

        Raises:
            AxisError: no labels, or logits that are not finite.
        """
        if labels is None:
            raise AxisError("no labels")
        readable = evidence["accuracy.readable"].astype(bool)
        logits, classes = evidence["accuracy.logits"][readable].astype(np.float64), labels.classes[readable]
        foreign = {kind: evidence[kind].astype(np.float64) for kind in self.ood}
        if not all(np.isfinite(values).all() for values in (logits, *foreign.values())):
            raise AxisError("the model returned NaN or infinity")
        caveats, probabilities = list(_output_doubts(logits)), calibration.are_probabilities(logits)
        if probabilities:
            logits, foreign = _log(logits), {kind: _log(values) for kind, values in foreign.items()}
        confident = calibration.softmax(logits)
        confidence, right = confident.max(axis=1), confident.argmax(axis=1) == classes
        rng = np.random.default_rng(len(logits))
        caveats += _overconfidence(confidence, right, rng)
        return Findings(
            measurements=(
                *self._calibration(confidence, right, rng),
                *_proper_scores(logits, classes, rng),
                *self._selection(confidence, right, rng),
                *(_separation(kind, confidence, values, rng) for kind, values in foreign.items()),
            ),
            series=(
                self._reliability(confidence, right),
                _curve(confidence, right),
                *_temperature(logits, classes, self.bins),
            ),
            caveats=tuple(caveats),
        )

    def _calibration(
        self, confidence: NDArray[np.float64], right: NDArray[np.bool_], rng: np.random.Generator
    ) -> Iterator[Measurement]:
        binnings: tuple[calibration.Binning, ...] = ("equal_mass", "equal_width")
        for binning in binnings:

            def ece(rows: NDArray[np.int64], binning: calibration.Binning = binning) -> float:
                return calibration.expected_calibration_error(confidence[rows], right[rows], self.bins, binning)

            yield _sampled(
                "ece", ece, len(right), rng, unit="proportion", params={"bins": self.bins, "binning": binning}
            )

    def _selection(
        self, confidence: NDArray[np.float64], right: NDArray[np.bool_], rng: np.random.Generator
    ) -> Iterator[Measurement]:
        def aurc(rows: NDArray[np.int64]) -> float:
            return calibration.area_under_risk_coverage(confidence[rows], right[rows])

        yield _sampled("aurc", aurc, len(right), rng, unit="proportion")
        kept = np.argsort(-confidence, kind="stable")[: int(np.ceil(self.coverage * len(right)))]
        hits = int(right[kept].sum())
        yield Measurement(
            name="uncertainty.selective_accuracy",
            value=hits / len(kept),
            unit="proportion",
            better="higher",
            n=len(kept),
            interval=wilson(hits, len(kept)),
            params={"coverage": self.coverage},
        )

    def _reliability(self, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Series:
        numbers = calibration.bin_numbers(confidence, self.bins, "equal_mass")
        count = np.bincount(numbers, minlength=self.bins)
        filled = count > 0
        columns = {
            "confidence": np.bincount(numbers, confidence, self.bins)[filled] / count[filled],
            "accuracy": np.bincount(numbers, right, self.bins)[filled] / count[filled],
        }
        rounded: dict[str, list[Param | None]] = {key: np.round(column, 4).tolist() for key, column in columns.items()}
        return Series(
            name="uncertainty.reliability",
            title="Confidence and accuracy, in bins of equal mass",
            columns={**rounded, "images": count[filled].tolist()},
        )


def _sampled(
    name: str,
    statistic: Callable[[NDArray[np.int64]], float],
    n: int,
    rng: np.random.Generator,
    **extra: Any,
) -> Measurement:
    """A statistic of the images, lower is better, with its bootstrap interval; `extra` are further fields."""
    return Measurement(
        name=f"uncertainty.{name}",
        value=statistic(np.arange(n)),
        better="lower",
        n=n,
        interval=calibration.bootstrap(statistic, n, rng=rng),
        **{"unit": "", **extra},
    )


def _proper_scores(
    logits: NDArray[np.float64], classes: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[Measurement]:
    brier = calibration.brier_score(calibration.softmax(logits), classes)
    loss = calibration.log_loss(logits, classes)
    yield _sampled("brier", lambda rows: float(brier[rows].mean()), len(brier), rng)
    yield _sampled("nll", lambda rows: float(loss[rows].mean()), len(loss), rng, unit="nats")


def _separation(
    kind: Foreign, confidence: NDArray[np.float64], foreign: NDArray[np.float64], rng: np.random.Generator
) -> Measurement:
    strange = calibration.softmax(foreign).max(axis=1)
    both, known = np.concatenate([confidence, strange]), len(confidence)

    def auroc(rows: NDArray[np.int64]) -> float:
        ours, theirs = both[rows[rows < known]], both[rows[rows >= known]]
        return calibration.auroc(ours, theirs) if len(ours) and len(theirs) else 0.5

    return Measurement(
        name="uncertainty.ood_auroc",
        value=calibration.auroc(confidence, strange),
        unit="",
        better="higher",
        n=len(both),
        interval=calibration.bootstrap(auroc, len(both), rng=rng),
        params={"against": kind},
    )


def _curve(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Series:
    coverage, risk = calibration.risk_coverage(confidence, right)
    shown = np.unique(np.linspace(0, len(risk) - 1, _POINTS).round().astype(np.int64))
    return Series(
        name="uncertainty.risk_coverage",
        title="Error rate among the most confident images",
        columns={"coverage": np.round(coverage[shown], 4).tolist(), "risk": np.round(risk[shown], 4).tolist()},
    )


def _temperature(logits: NDArray[np.float64], classes: NDArray[np.int64], bins: int) -> Iterator[Series]:
    """What temperature scaling would do, fitted on every other image and told of the rest; nothing for one image."""
    fitted, held = slice(0, None, 2), slice(1, None, 2)
    if len(classes) < 2:  # noqa: PLR2004 - two halves
        return
    temperature = calibration.fit_temperature(logits[fitted], classes[fitted])
    rows = {}
    for name, t in (("as it is", 1.0), ("scaled", temperature)):
        probabilities = calibration.softmax(logits[held], t)
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == classes[held]
        ece = calibration.expected_calibration_error(confidence, right, bins, "equal_mass")
        rows[name] = (t, ece, float(calibration.log_loss(logits[held], classes[held], t).mean()))
    yield Series(
        name="uncertainty.temperature_scaling",
        title="What temperature scaling would do (fitted on one half, shown on the other)",
        columns={
            "confidence": list(rows),
            "temperature": [round(row[0], 4) for row in rows.values()],
            "ece": [round(row[1], 4) for row in rows.values()],
            "nll": [round(row[2], 4) for row in rows.values()],
        },
    )


def _log(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithms: NDArray[np.float64] = np.log(np.clip(probabilities, 1e-12, None))
    return logarithms


def _output_doubts(outputs: NDArray[np.float64]) -> Iterator[Caveat]:
    if calibration.are_probabilities(outputs):
        text = "The model returns probabilities, not logits; they were taken as they are."
        yield Caveat(id="uncertainty.probabilities", severity="info", text=text)
    elif outputs.min() >= 0 and outputs.max() <= 1 and outputs.shape[1] > 1:
        text = (
            "All outputs lie in [0, 1] but do not sum to one: sigmoids? They were taken for logits, so the confidence"
            " here means little."
        )
        yield Caveat(id="uncertainty.not_logits", severity="warning", text=text)


def _overconfidence(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], rng: np.random.Generator
) -> Iterator[Caveat]:
    """Name a model that is surer than right by more than five points, beyond chance."""
    excess = confidence - right
    interval: Interval = calibration.bootstrap(lambda rows: float(excess[rows].mean()), len(excess), rng=rng)
    if interval.low > _OVERCONFIDENT:
        text = (
            f"Over-confident: it says {100 * confidence.mean():.1f} % on average and is right in"
            f" {100 * right.mean():.1f} %."
        )
        yield Caveat(id="uncertainty.overconfident", severity="warning", text=text)
