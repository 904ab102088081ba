"""Can the figure be trusted? What the attacks themselves say about gradients, chance and their own success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.numerics.corruptions import OURS
from efficiency360.records import Caveat
from efficiency360.statistics.calibration import are_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.axes.robustness.seen import Seen

_ZERO, _BLACK_BOX = 0.2, 0.03


def doubts(seen: Seen, how: Mapping[str, Any]) -> Iterator[Caveat]:
    """All that a reader must know."""
    if bool(seen.evidence["without_gradients"][0]):
        text = 'Not attacked: the attacks need gradients, and the model gives none; use attacks = ["blackbox"].'
        yield Caveat(id="robustness.no_gradients", severity="warning", text=text)
    if seen.attacked is not None:
        text = f"Robust accuracy is an upper bound: it is what {how['attack']} left, and another attack may find more."
        yield Caveat(id="robustness.upper_bound", severity="info", text=text)
        yield from _gradients(seen)
        yield from _black_box(seen)
        yield from _unbounded(seen)
        yield from _outputs(seen)
        yield from _refused(seen)
        for note in seen.evidence["note"].tolist():
            yield Caveat(id="robustness.note", severity="info", text=f"{note}.")
    yield from _corruptions(seen)


def _masked(what: str) -> Caveat:
    text = (
        f"Its gradients may be masked: {what}. The robust accuracy is not to be believed; attack it with"
        ' attacks = ["autoattack"], or from outside with ["blackbox"].'
    )
    return Caveat(id="robustness.masked_gradients", severity="critical", text=text)


def _gradients(seen: Seen) -> Iterator[Caveat]:
    evidence = seen.evidence
    evaluations = float(evidence["tally_gradient_evaluations"].sum())
    if evidence["tally_detached"].any():
        yield _masked("its logits do not depend on the image as far as gradients can tell")
    elif evaluations and (share := float(evidence["tally_zero_gradients"].sum()) / evaluations) > _ZERO:
        yield _masked(f"{share:.0%} of them are 0 everywhere")
    if evaluations and (broken := int(evidence["tally_broken_gradients"].sum())):
        text = f"{broken} of {evaluations:.0f} gradients were NaN or infinite, and counted as 0."
        yield Caveat(id="robustness.broken_gradients", severity="warning", text=text)


def _black_box(seen: Seen) -> Iterator[Caveat]:
    fell = int(seen.evidence["attacked_black_box_only"].sum())
    if fell > max(1, _BLACK_BOX * len(seen.right)):
        yield _masked(
            f"an attack without gradients broke {fell} of {len(seen.right)} images that those with them had not"
        )


def _unbounded(seen: Seen) -> Iterator[Caveat]:
    survived = seen.evidence.get("far_survived")
    if survived is None or not (left := int(survived.sum())):
        return
    yield _masked(f"an attack that may change every pixel at will left {left} of {len(survived)} images right")


def _outputs(seen: Seen) -> Iterator[Caveat]:
    if are_probabilities(seen.evidence["accuracy.logits"].astype(np.float64)):
        text = "The model returns probabilities: where they saturate gradients vanish. Audit it without its softmax."
        yield Caveat(id="robustness.probabilities", severity="warning", text=text)


def _refused(seen: Seen) -> Iterator[Caveat]:
    evidence = seen.evidence
    for name, said in zip(evidence["tally_attack"].tolist(), evidence["tally_refused"].tolist(), strict=True):
        if said:
            text = f"Of what {name} claimed, some did not pass the check and does not count: {said}."
            yield Caveat(id="robustness.refused", severity="warning", text=text)
    for name in dict.fromkeys(evidence["tally_attack"][evidence["tally_unmoved"].astype(bool)].tolist()):
        text = f"{name} never changed an image: it is no attack, and its figure is that of the clean images."
        yield Caveat(id="robustness.no_attack", severity="critical", text=text)


def _corruptions(seen: Seen) -> Iterator[Caveat]:
    if seen.spoiled is None:
        return
    if broken := int((seen.evidence["spoiled_predicted"].astype(np.int64) < 0).sum()):
        text = f"To {broken} corrupted images the model answered NaN or infinity; they count as wrong."
        yield Caveat(id="robustness.not_finite", severity="warning", text=text)
    names = dict.fromkeys(str(name) for name in seen.evidence["corruption"] if str(name) in OURS)
    told: dict[str, list[str]] = {}
    for name in names:
        told.setdefault(OURS[name], []).append(name)
    for why, some in told.items():
        yield Caveat(id="robustness.ours", severity="info", text=f"{', '.join(some)}: {why}.")
