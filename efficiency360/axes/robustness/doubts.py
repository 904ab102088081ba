"""Can the figure be trusted? What the attacks themselves say about gradients, chance and their own success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes.robustness import answers
from efficiency360.axes.robustness.completeness import TOO_SMALL
from efficiency360.numerics.attacks import needs_gradients, specs_of
from efficiency360.numerics.corruptions import OURS
from efficiency360.radii import told
from efficiency360.records import Caveat
from efficiency360.statistics.calibration import are_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.robustness.axis import Robustness
    from efficiency360.axes.robustness.seen import Seen

_ZERO, _IDLE, _BLACK_BOX = 0.2, 0.5, 0.03
_FALLEN, _LEFT, _TIMES, _SOME = 0.1, 0.1, 4, 10
"""A curve is flat where a tenth fell at a radius, and of the images that were left, a tenth too, none did at four times
that radius; of fewer than ten this says little. Fewer tries that got nowhere than a tenth of the images say little too:
one stubborn image moves the figure by one image."""
_TABLES = {
    "imagenet": "Severities are those of ImageNet-C, made for 224 x 224 pixels",
    "cifar": "Severities are those of CIFAR-10-C, as for all images with a side of at most 48 pixels",
}


def doubts(seen: Seen, axis: Robustness) -> Iterator[Caveat]:
    """All that a reader must know."""
    if bool(seen.evidence["without_gradients"][0]):
        text = 'Not attacked: the attacks need gradients, and the model gives none; use attacks = ["blackbox"].'
        yield Caveat(id="robustness.no_gradients", severity="warning", text=text)
    if seen.attacked is not None:
        yield _upper_bound(axis)
        yield from answers.doubts(seen)
        yield from _gradients(seen)
        yield from _black_box(seen)
        yield from _unbounded(seen)
        yield from _flat(seen, axis)
        yield from _outputs(seen)
        yield from _refused(seen)
        for note in seen.evidence["note"].tolist():
            yield Caveat(id="robustness.note", severity="info", text=f"{note}.")
    yield from _left_out(seen)
    yield from _corruptions(seen)


def _upper_bound(axis: Robustness) -> Caveat:
    """Also says what was run, as names of presets do not."""
    labels = ", ".join(spec.label for spec in specs_of(axis.attacks))
    text = f"Robust accuracy is an upper bound: it is what {labels} left, and another attack may find more."
    return Caveat(id="robustness.upper_bound", severity="info", text=text)


def _masked(what: str) -> Caveat:
    text = (
        f"Its gradients may be masked: {what}. The robust accuracy is not to be believed; attack it with"
        ' attacks = ["autoattack"], or from outside with ["blackbox"].'
    )
    return Caveat(id="robustness.masked_gradients", severity="critical", text=text)


def _gradients(seen: Seen) -> Iterator[Caveat]:
    evidence = seen.evidence
    evaluations = float(evidence["tally_gradient_evaluations"].sum())
    tries, idle = (float(evidence[f"tally_{name}"].sum()) for name in ("tries", "idle"))
    if evidence["tally_detached"].any():
        yield _masked("its logits do not depend on the image as far as gradients can tell")
    elif evaluations and (share := float(evidence["tally_zero_gradients"].sum()) / evaluations) > _ZERO:
        yield _masked(f"{share:.0%} of them are 0 everywhere")
    elif idle > max(1, _IDLE * tries, _LEFT * int(seen.right.sum())):
        yield _masked(f"following them never raised the loss in {idle / tries:.0%} of the tries that failed")
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


def _flat(seen: Seen, axis: Robustness) -> Iterator[Caveat]:
    """Say so where a much larger radius breaks nothing more; for attacks with gradients, whose sign that is."""
    if not needs_gradients(specs_of(axis.attacks)):
        return
    n, right = len(seen.right), int(seen.right.sum())
    left = [int(seen.survived(index).sum()) for index in range(len(seen.eps))]
    for near, some in enumerate(left):
        far = [index for index in range(near + 1, len(left)) if left[index] == some]
        wide = [seen.eps[index] for index in far if seen.eps[index] >= _TIMES * seen.eps[near] > 0]
        if wide and some >= max(_SOME, _LEFT * n) and right - some >= _FALLEN * n:
            yield _masked(
                f"all of the {some} images left at eps {told(seen.eps[near])} are left at {told(wide[-1])} too"
            )
            return


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


def _left_out(seen: Seen) -> Iterator[Caveat]:
    if grey := [name for name, why in seen.left_out.items() if why == "grey"]:
        text = f"Left out, as it changes colours only and images of one channel have none: {', '.join(grey)}."
        yield Caveat(id="robustness.left_out", severity="info", text=text)
    if any(why == "small" for why in seen.left_out.values()):
        text = f"Not corrupted: {TOO_SMALL}."
        yield Caveat(id="robustness.left_out", severity="warning", text=text)


def _corruptions(seen: Seen) -> Iterator[Caveat]:
    if seen.spoiled is None:
        return
    if broken := int((seen.evidence["spoiled_predicted"].astype(np.int64) < 0).sum()):
        text = f"To {broken} corrupted images the model answered NaN or infinity; they count as wrong."
        yield Caveat(id="robustness.not_finite", severity="warning", text=text)
    names = list(dict.fromkeys(map(str, seen.evidence["corruption"])))
    if any(name not in OURS or name == "frost" for name in names):
        text = f"{_TABLES[str(seen.evidence['corruption_table'][0])]}."
        yield Caveat(id="robustness.severities", severity="info", text=text)
    told: dict[str, list[str]] = {}
    for name in names:
        if name in OURS:
            told.setdefault(OURS[name], []).append(name)
    for why, some in told.items():
        yield Caveat(id="robustness.ours", severity="info", text=f"{', '.join(some)}: {why}.")
