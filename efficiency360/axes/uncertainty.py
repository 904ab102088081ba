"""Uncertainty: whether the model's confidence can be believed, and whether it notices foreign images."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Findings, Measurement
from efficiency360.samples import Sample
from efficiency360.statistics import calibration, confidence
from efficiency360.statistics.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.statistics.confidence import Judged
    from efficiency360.subject.subject import Subject

Foreign = Literal["noise", "patches"]
_GIVEN = "ood_data"
_FEW_IN_A_BIN = 10
_BINNINGS: tuple[calibration.Binning, ...] = ("equal_mass", "equal_width")


def _written(path: str) -> str:
    """Refuse a path that is no text, which a scorecard could not hold."""
    if path != path.encode(errors="replace").decode():
        raise ValueError(f"{path!r} is not UTF-8 text; rename the folder or file")
    return path


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Uncertainty(Axis):
    """Calibration (ECE, Brier, log loss), selective prediction (AURC), and out-of-distribution detection (AUROC).

    Confidence is the largest softmax probability. `uncertainty.ece` is given for bins of equal mass and of equal width;
    it is biased upwards where images are few. `uncertainty.ood_auroc` is the chance that an image of the data is more
    confidently classified than a foreign one (Hendrycks and Gimpel 2017): uniform noise, the same images cut in 4 x 4
    patches and shuffled, or a sample of those at `ood_data`, a path as for `--data`, whose labels do not matter; it is
    called by its file's name. Temperature scaling is fitted on one half of the images and reported on the other.
    What would make these numbers wrong: images that the model was trained on, where it is right and sure as nowhere
    else; outputs that are not logits, which a caveat names; foreign images that are not foreign. A caveat counts those
    that the model answers exactly as it does an image of the data, unless images of the data do that among themselves.
    """

    id: ClassVar[str] = "uncertainty"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS})
    uses: ClassVar[tuple[str, ...]] = ("accuracy",)
    of_the_data: ClassVar[frozenset[str]] = frozenset({_GIVEN})

    bins: Annotated[int, Field(ge=1, le=1000)] = 15
    coverage: Annotated[float, Field(gt=0, le=1)] = 0.8
    ood: tuple[Foreign, ...] = ("noise", "patches")
    ood_data: Annotated[str, AfterValidator(_written)] | None = None
    ood_images: Annotated[int, Field(ge=1)] = 256
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.01
    batch_size: Annotated[int, Field(ge=1)] = 32

    @property
    def data_sets(self) -> Mapping[str, str]:
        """The foreign images, where they are given; the data set has the name of the setting."""
        return {_GIVEN: self.ood_data} if self.ood_data else {}

    def workload(self, images: int) -> Workload:
        """The foreign images; the seconds are for resampling."""
        return Workload(
            (len(self.ood) + bool(self.ood_data)) * min(images, self.ood_images), self.batch_size, seconds=5
        )

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield logits (B, K) float32 of foreign images, at most `ood_images` of each kind.

        `noise` and `patches` are made from the first images of the data that are readable; `ood_data` are the first of
        those given, readable or not, with `ood_data_readable` (B,) bool.
        """
        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics.foreign import FOREIGN, answers, first_batches  # noqa: PLC0415

        if data is None:
            raise AxisError("no data")
        generator = torch.Generator().manual_seed(run.seed)
        given = [run.sources[name] for name in self.data_sets]
        made, total = (sum(min(self.ood_images, len(stream)) for stream in some) for some in ([data], [data, *given]))
        for batch in first_batches(data, made, self.batch_size) if self.ood else ():
            images = subject.to_input(batch.images[batch.readable])
            if len(images):
                yield {kind: answers(subject, FOREIGN[kind](images, generator)) for kind in self.ood}
            run.progress(batch.start + len(batch.readable), total)
        for batch in first_batches(given[0], total - made, self.batch_size) if given else ():
            yield {_GIVEN: answers(subject, subject.to_input(batch.images)), f"{_GIVEN}_readable": batch.readable}
            run.progress(made + batch.start + len(batch.readable), total)

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:
        """Judge the confidence of the accuracy axis's logits against the labels, and against the foreign logits.

        Raises:
            AxisError: no labels, too many unreadable images, or logits that are not finite.
        """
        if labels is None:
            raise AxisError("no labels")
        readable = evidence["accuracy.readable"].astype(bool)
        caveats = list(_unreadable(readable, "images", self.max_unreadable))
        logits, classes = evidence["accuracy.logits"][readable], labels.classes[readable]
        foreign = {str(kind): evidence[kind] for kind in self.ood}
        if self.ood_data:
            seen = evidence[f"{_GIVEN}_readable"].astype(bool)
            caveats += _unreadable(seen, f"images of ood_data ({self.ood_data})", self.max_unreadable)
            foreign[self._called] = evidence[_GIVEN][seen]
        _check(logits, "the data", logits.shape[1:])
        for kind, answers in foreign.items():
            _check(answers, kind, logits.shape[1:])
        caveats += [*confidence.output_doubts(logits), *self._few(len(classes))]
        return self._findings(logits, classes, foreign, caveats, np.flatnonzero(readable))

    @property
    def _called(self) -> str:
        """What the given foreign images are called: the name of their folder or file, unless a made kind has it."""
        path = PurePath(self.ood_data or "")
        name = (path.stem if path.suffix == ".npz" else path.name) or str(path)
        return f"{name} (ood_data)" if name.strip().casefold() in get_args(Foreign) else name

    def _few(self, n: int) -> Iterator[Caveat]:
        if n < _FEW_IN_A_BIN * self.bins:
            text = f"Only {n} images for {self.bins} bins: the calibration error (ECE) comes out too high."
            yield Caveat(id="uncertainty.few_images", severity="warning", text=text)

    def _findings(
        self,
        logits: NDArray[Any],
        classes: NDArray[np.int64],
        foreign: dict[str, NDArray[Any]],
        caveats: list[Caveat],
        rows: NDArray[np.int64],
    ) -> Findings:
        if calibration.are_probabilities(logits):
            logits = confidence.logarithms(logits)
            foreign = {kind: confidence.logarithms(answers) for kind, answers in foreign.items()}
        if self.ood_data:
            caveats += confidence.known_images(foreign[self._called], logits, self._called)
        images = confidence.judged(logits, classes)
        rng = np.random.default_rng(len(classes))
        caveats += confidence.overconfidence(images, rng)
        return Findings(
            measurements=(
                *self._calibration(images, rng),
                *_proper_scores(images, confidence.worst_loss(logits), rng),
                *self._selection(images, rng),
                *(_separation(kind, images, answers, rng) for kind, answers in foreign.items()),
            ),
            series=(
                confidence.reliability(images, self.bins),
                confidence.risk_curve(images),
                *confidence.temperature_scaling(logits, classes, self.bins),
            ),
            caveats=tuple(caveats),
            samples=(
                Sample("uncertainty.brier", {}, "mean", images.brier, rows),
                Sample("uncertainty.nll", {}, "mean", images.loss, rows),
            ),
        )

    def _calibration(self, images: Judged, rng: np.random.Generator) -> Iterator[Measurement]:
        for binning in _BINNINGS:
            ece = calibration.calibration_error(images.confidence, images.right, self.bins, binning)
            params = {"bins": self.bins, "binning": binning}
            yield _sampled("ece", ece, len(images.right), rng, unit="proportion", params=params)

    def _selection(self, images: Judged, rng: np.random.Generator) -> Iterator[Measurement]:
        aurc = calibration.risk_area(images.confidence, images.right)
        yield _sampled("aurc", aurc, len(images.right), rng, unit="proportion")
        hits, kept = confidence.selected(images, self.coverage)
        yield Measurement(
            name="uncertainty.selective_accuracy",
            value=hits / kept,
            unit="proportion",
            better="higher",
            n=kept,
            interval=wilson(hits, kept),
            params={"coverage": self.coverage},
        )


def _unreadable(readable: NDArray[np.bool_], what: str, allowed: float) -> Iterator[Caveat]:
    bad = int((~readable).sum())
    count = f"{bad} of {len(readable)} {what} could not be read"
    if bad > allowed * len(readable) or bad == len(readable):
        raise AxisError(f"{count}; at most {allowed:.1%} may be (uncertainty.max_unreadable)")
    if bad:
        yield Caveat(id="data.unreadable", severity="warning", text=f"{count}; they are left out.")


def _check(logits: NDArray[Any], of: str, classes: tuple[int, ...]) -> None:
    """Refuse answers of another shape than a row of as many logits as for the data, or that are not finite."""
    if logits.ndim != 2 or logits.shape[1:] != classes:  # noqa: PLR2004 - (N, K)
        raise AxisError(f"the model answered {logits.shape} logits for {of}; rows of {classes} are needed")
    if not np.isfinite(logits).all():
        raise AxisError(f"the model returned NaN or infinity for {of}")


def _sampled(
    name: str,
    statistic: calibration.Statistic,
    n: int,
    rng: np.random.Generator,
    bounds: tuple[float, float] = (0.0, 1.0),
    **extra: Any,
) -> Measurement:
    """A statistic of the images within `bounds`, lower is better, with its interval; `extra` are further fields."""
    value = statistic(np.arange(n))
    interval = calibration.cautious(calibration.bootstrap(statistic, n, rng=rng), value, n, bounds)
    fields = {"unit": "", "better": "lower", "interval": interval, **extra}
    return Measurement(name=f"uncertainty.{name}", value=value, n=n, **fields)


def _proper_scores(images: Judged, worst_loss: float, rng: np.random.Generator) -> Iterator[Measurement]:
    brier, loss = images.brier, images.loss
    yield _sampled("brier", lambda rows: float(brier[rows].mean()), len(brier), rng, (0.0, 2.0))
    yield _sampled("nll", lambda rows: float(loss[rows].mean()), len(loss), rng, (0.0, worst_loss), unit="nats")


def _separation(kind: str, images: Judged, foreign: NDArray[Any], rng: np.random.Generator) -> Measurement:
    ours, theirs = images.confidence, confidence.confidence_of(foreign)
    n = len(ours) + len(theirs)
    auroc = calibration.separation(ours, theirs)
    value = auroc(np.arange(n))
    interval = calibration.bootstrap(auroc, n, rng=rng)
    return Measurement(
        name="uncertainty.ood_auroc",
        value=value,
        unit="",
        better="higher",
        n=n,
        interval=calibration.cautious(interval, value, min(len(ours), len(theirs)), (0.0, 1.0)),
        params={"against": kind},
    )
