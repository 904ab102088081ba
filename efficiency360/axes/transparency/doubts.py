"""What a reader must know before believing a map: what the tests of the maps say about them, and about the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from efficiency360.records import Caveat
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.axes.transparency.axis import Transparency
    from efficiency360.axes.transparency.seen import Seen
    from efficiency360.records import Measurement

    Severity = Literal["info", "warning", "critical"]

ALIKE = 0.5
"""A rank correlation with the map under random weights that is above this: the map hardly depends on the weights."""
_KEPT, _FLAT, _EMPTY, _INCOMPLETE = 0.5, 0.95, 0.2, 0.1
_FEW, _LONGEST = 30, 300


def doubts(axis: Transparency, seen: Seen, found: Sequence[Measurement]) -> Iterator[Caveat]:
    """All caveats."""
    yield _caveat("how", "info", _how(axis, seen))
    yield from _methods(seen)
    trusted = []
    for method in seen.methods:
        said = [*_chance(method, found), *_weights(method, found)]
        yield from said
        trusted += [] if said else [method]
    if not trusted:
        text = "No explanation of this model passed the tests: do not show its maps to anybody as reasons."
        yield _caveat("no_explanation", "warning" if len(seen.positions) < _FEW else "critical", text)
    yield from _maps(seen)
    yield from _tests(axis, seen)


def _how(axis: Transparency, seen: Seen) -> str:
    rows, columns = seen.maps.shape[2:]
    baseline = {"blur": "the blurred image", "mean": "the image's mean colour", "black": "black"}[axis.baseline]
    return (
        f"Deletion and insertion change {rows} x {columns} cells in {len(seen.fractions) - 1} steps; what is left of a"
        f" cell is {baseline}. The curve is the softmax probability of the class that the model gives the whole image."
        " Stability is a lower bound: other noise may move a map further."
    )


def _methods(seen: Seen) -> Iterator[Caveat]:
    for said in seen.lacking:
        yield _caveat("left_out", "warning", f"Left out: {one_line(said, _LONGEST)}.")
    if seen.methods == ("occlusion",):
        text = "Only occlusion explains this model: it needs no gradients, but sees no finer than its windows."
        yield _caveat("occlusion_only", "info", text)
    if "attention_rollout" in seen.methods:
        text = "attention_rollout says where the model looks, not what for: it is the same for every class."
        yield _caveat("same_for_all_classes", "info", text)
    if seen.not_randomised:
        text = f"Whether maps depend on the weights was not tested: {one_line(seen.not_randomised, _LONGEST)}."
        yield _caveat("not_randomised", "warning", text)


def _chance(method: str, found: Sequence[Measurement]) -> Iterator[Caveat]:
    """Where neither curve proves the map better than chance, or one proves it worse."""
    gains = {
        one.name.partition(".")[2]: one for one in found if one.params == {"method": method} and "gain" in one.name
    }
    intervals = {name: one.interval for name, one in gains.items() if one.interval is not None}
    better = [name for name, interval in intervals.items() if interval.low > 0]
    worse = [name.removesuffix("_gain") for name, interval in intervals.items() if interval.high < 0]
    if worse:
        text = f"{method} does worse than random order in {' and '.join(worse)}: its maps do not say what counts."
        yield _caveat("worse_than_random", "warning", text)
    elif not better:
        text = (
            f"{method} is not proven to be better than random order, neither in deletion nor in insertion: its maps may"
            " as well be chance."
        )
        yield _caveat("no_better_than_random", "warning", text)


def _weights(method: str, found: Sequence[Measurement]) -> Iterator[Caveat]:
    """Where a map outlives the weights that it should explain."""
    for one in found:
        if (
            one.name == "transparency.randomisation_similarity"
            and one.params == {"method": method}
            and one.value > ALIKE
        ):
            text = (
                f"{method} hardly changes when all weights are random (rank correlation {one.value:.2f}): it shows the"
                " image, not what the model learned."
            )
            yield _caveat("ignores_weights", "warning", text)


def _maps(seen: Seen) -> Iterator[Caveat]:
    """What is wrong with the maps themselves."""
    for column, method in enumerate(seen.methods):
        maps = seen.maps[:, column].reshape(len(seen.positions), -1)
        broken = int((~np.isfinite(maps)).any(axis=1).sum())
        if broken:
            text = f"{method} gave NaN or infinity for {broken} of {len(maps)} images; those cells count as the last."
            yield _caveat("not_finite", "warning", text)
        empty = int((np.ptp(maps, axis=1) == 0).sum())
        if empty > _EMPTY * len(maps):
            text = f"{method} gave {empty} of {len(maps)} images a map that is the same everywhere."
            yield _caveat("empty_maps", "warning", text)
        yield from _completeness(seen, method, column)


def _completeness(seen: Seen, method: str, column: int) -> Iterator[Caveat]:
    """Where integrated gradients do not add up to what they divide."""
    if method != "integrated_gradients":
        return
    scale = np.maximum(np.abs(seen.differences), 1e-12)
    off = float(np.nanmedian(np.abs(seen.sums[:, column] - seen.differences) / scale))
    if not off <= _INCOMPLETE:
        text = (
            f"integrated_gradients miss the difference that they should add up to by {off:.0%} (median over images):"
            " raise transparency.path_steps."
        )
        yield _caveat("incomplete", "warning", text)


def _tests(axis: Transparency, seen: Seen) -> Iterator[Caveat]:
    """What makes the tests themselves weak."""
    clean, baseline = float(seen.clean.mean()), float(seen.baseline.mean())
    if baseline > _KEPT * clean:
        text = (
            f"The baseline keeps the class: on it the model still gives {baseline:.2f} of {clean:.2f}, so deletion and"
            f' insertion say little. Try another transparency.baseline than "{axis.baseline}".'
        )
        yield _caveat("baseline", "warning", text)
    half = int(np.abs(seen.fractions - 0.5).argmin())
    if float(seen.random[:, :, half].mean()) > _FLAT * clean:
        text = "Without half of the cells, taken at random, the answers stay what they are: the curves say little."
        yield _caveat("saturated", "warning", text)
    if seen.probabilities:
        text = "The model returns probabilities: where they saturate gradients vanish. Audit it without its softmax."
        yield _caveat("probabilities", "warning", text)
    if len(seen.positions) < _FEW:
        yield _caveat("few_images", "warning", f"Only {len(seen.positions)} images: the intervals are wide.")


def _caveat(name: str, severity: Severity, text: str) -> Caveat:
    return Caveat(id=f"transparency.{name}", severity=severity, text=text)
