"""Whether a model answers the same when it is asked the same again: what every other axis takes for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Findings
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

_IMAGES = 2
_TOLERANCE = 1e-3
"""Of the largest logit: sums in another order differ by less."""
_MATTERS = 0.1
"""Of the largest logit: a change that casts doubt on every number, not on the last digits."""
_LONGEST = 80


@dataclass(frozen=True)
class Behaviour(Axis):
    """Two images of noise, asked three times and one of them alone; the findings are caveats of the subject.

    What the model was asked before all else, when it was loaded, it is asked once more at the end: one that changes for
    good after its first call gives the same answers from then on.
    A model that means to deceive may behave here and not elsewhere: accuracy asks its first images again at its end.
    """

    id: ClassVar[str] = "behaviour"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset()

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:  # noqa: ARG002
        """Yield what `numerics.behaviour.ask_again` returns, and `earliest` and `earliest_again` (N, K)."""
        import torch  # noqa: PLC0415 - only the worker has torch

        from efficiency360.numerics.behaviour import ask_again  # noqa: PLC0415
        from efficiency360.subject.subject import select_logits  # noqa: PLC0415

        generator = torch.Generator().manual_seed(run.seed)
        images = torch.rand((_IMAGES, *subject.input_shape), generator=generator).to(subject.device)

        def answer(given: torch.Tensor) -> torch.Tensor:
            return select_logits(subject.module(given), subject.output, len(given))

        yield ask_again(subject.module, answer, subject.normalised(images), run.seed)
        yield subject.asked_first_again()

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002
        """Turn differences into caveats.

        Raises:
            AxisError: the answers have not one shape.
        """
        shapes = {evidence[name].shape for name in ("first", "same_seed", "other_seed")}
        earliest = {evidence[name].shape for name in ("earliest", "earliest_again") if name in evidence}
        if len(shapes) > 1 or len(earliest) > 1 or evidence["alone"].shape[1:] != evidence["first"].shape[1:]:
            raise AxisError("the number of classes changes from call to call")
        return Findings(measurements=(), caveats=tuple(_caveats(evidence)))


def differ(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Whether logits differ by more than rounding; NaN equals NaN."""
    return _apart(one, other, _TOLERANCE)


def _apart(one: NDArray[np.generic], other: NDArray[np.generic], share: float) -> bool:
    return not np.allclose(one, other, rtol=0, atol=share * _scale(one), equal_nan=True)


def _matters(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Whether a prediction changes, or a logit by more than a tenth of the largest."""
    return _apart(one, other, _MATTERS) or not np.array_equal(one.argmax(axis=1), other.argmax(axis=1))


def _scale(logits: NDArray[np.generic]) -> float:
    finite = np.abs(logits[np.isfinite(logits)])
    return float(finite.max(initial=0)) or 1.0


def _caveats(evidence: Evidence) -> Iterator[Caveat]:
    first = evidence["first"]
    keeps = _named(evidence["keeps"])
    if differ(first, evidence["same_seed"]):
        yield _again(keeps, matters=_matters(first, evidence["same_seed"]))
    elif differ(first, evidence["other_seed"]):
        yield _caveat("nondeterministic", "warning", "It draws random numbers: other seeds give other answers.")
    else:
        yield from _steady(evidence, keeps)
    for why in evidence.get("refuses_one", ()):
        text = f"It refuses a single image ({one_line(str(why))}): what is measured with one image at a time may fail."
        yield _caveat("no_single_image", "warning", text)
    if evidence["changes_input"][0]:
        text = (
            "It overwrites the images that it is given. Every measurement here works on a copy; other callers may not."
        )
        yield _caveat("changes_input", "warning", text)
    if evidence["trains"][0]:
        yield _caveat("trains", "critical", "It puts itself back into training mode when it is asked.")
    if len(evidence["reseeds"]):
        text = f"It sets seeds of its own ({_named(evidence['reseeds'])}) whenever it is asked."
        yield _caveat("reseeds", "warning", text)


def _named(names: NDArray[np.generic]) -> str:
    return ", ".join(one_line(str(name), _LONGEST) for name in names)


def _steady(evidence: Evidence, keeps: str) -> Iterator[Caveat]:
    """What to say of a model that answers the same when it is asked the same, from its second call on at least."""
    if "earliest" in evidence and differ(evidence["earliest"], evidence["earliest_again"]):
        yield _later(keeps)
    elif keeps:
        yield _caveat(
            "keeps_state", "info", f"It changes with every call ({keeps}), without effect on its answers here."
        )
    if len(evidence["alone"]) and differ(evidence["first"][:1], evidence["alone"]):
        text = "Its answer to an image depends on the other images of the batch: numbers hold for this batch size only."
        yield _caveat("batch_dependent", "warning", text)


def _again(keeps: str, *, matters: bool) -> Caveat:
    if keeps:
        text = (
            f"It answers differently when asked again, for it keeps state ({keeps}): numbers hold for one order only."
        )
        return _caveat("stateful", "critical", text)
    text = "Asked the same with the same seed it answers differently: by chance, by the clock, or by what came before."
    if matters:
        return _caveat("nondeterministic", "critical", text)
    text = f"{text} The answers differ by less than {_MATTERS:.0%} of the largest, and no prediction changes."
    return _caveat("nondeterministic", "warning", text)


def _later(keeps: str) -> Caveat:
    first = "Its first answer after loading differs from what it answers to the same images later"
    text = f"{first}: numbers hold for later."
    if keeps:
        text = f"{first}, for it keeps state ({keeps}): numbers hold for later."
    return _caveat("stateful", "critical", text)


def _caveat(name: str, severity: str, text: str) -> Caveat:
    return Caveat.model_validate({"id": f"subject.{name}", "severity": severity, "text": text})
