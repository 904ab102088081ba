"""What a reader must know before believing a map: what the tests of the maps say about them, and about the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from efficiency360.axes.transparency.numbers import similarities
from efficiency360.records import Caveat
from efficiency360.statistics.intervals import wilson
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from efficiency360.axes.transparency.axis import Transparency
    from efficiency360.axes.transparency.seen import Seen
    from efficiency360.records import Measurement

    Severity = Literal["info", "warning", "critical"]

ALIKE = 0.5
"""Rank correlation of a map with that under random weights from which on it is nearer to the map itself (1) than to one
that has nothing to do with it: such correlate by 0 on average, with a deviation of 1 / sqrt(cells - 1) (Kendall 1948).
Adebayo et al. (2018) compare by eye and set no number."""
_MOST = 0.5
"""Of the checked images; the whole interval of the share has to be on one side."""
_INCOMPLETE = 0.05
"""Integrated gradients should add up within this share (Sundararajan et al. 2017, section 5)."""
_KEPT = 0.5
"""A baseline that keeps more of the probability leaves curves less than half of their range."""
_FLAT = 0.95
"""Half of a linear score is gone with half of the cells, taken at random; here less than a tenth of that is."""
_FEW, _LONGEST = 30, 300


def doubts(axis: Transparency, seen: Seen, found: Sequence[Measurement]) -> Iterator[Caveat]:
    """All caveats."""
    yield _caveat("how", "info", _how(axis, seen))
    yield from _methods(seen)
    said = {method: [*_chance(method, found), *_weights(seen, column)] for column, method in enumerate(seen.methods)}
    for caveats in said.values():
        yield from caveats
    if all(said.values()):
        text = "No explanation of this model passed the tests: do not show its maps to anybody as reasons."
        undecided = any({one.id for one in caveats} == {"transparency.weights_undecided"} for caveats in said.values())
        mild = undecided or len(seen.positions) < _FEW
        yield _caveat("no_explanation", "warning" if mild else "critical", text)
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
    if seen.randomised is None:
        why = seen.not_randomised or "transparency.checked is 0"
        text = (
            "Not measured: whether maps depend on what the model learned, which takes weights that can be made random:"
            f" {one_line(why, _LONGEST)}."
        )
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


def _weights(seen: Seen, column: int) -> Iterator[Caveat]:
    """Where maps outlive the weights that they should explain, or may do so: a sign test over the checked images."""
    if seen.randomised is None:
        return
    own, random = seen.maps[: seen.randomised.shape[1], column], seen.randomised[-1, :, column]
    found = similarities(own, random)
    found = found[np.isfinite(found)]
    if not len(found):
        return
    above, method = int((found > ALIKE).sum()), seen.methods[column]
    share = wilson(above, len(found))
    counted = f"{above} of {len(found)} images (rank correlation {found.mean():.2f} on average)"
    if share.low > _MOST:
        text = (
            f"{method} hardly changes when all weights are random, for {counted}: it shows the image, not what the"
            " model learned."
        )
        yield _caveat("ignores_weights", "warning", text)
    elif share.high >= _MOST:
        text = (
            f"It is undecided whether {method} depends on what the model learned: random weights leave its map much as"
            f" it is for {counted}. A larger transparency.checked tells more."
        )
        yield _caveat("weights_undecided", "warning", text)


def _maps(seen: Seen) -> Iterator[Caveat]:
    """What is wrong with the maps themselves."""
    for column, method in enumerate(seen.methods):
        maps = seen.maps[:, column].reshape(len(seen.positions), -1)
        broken = int((~np.isfinite(maps)).any(axis=1).sum())
        if broken:
            text = f"{method} gave NaN or infinity for {broken} of {len(maps)} images; those cells count as the last."
            yield _caveat("not_finite", "warning", text)
        if empty := int((np.ptp(maps, axis=1) == 0).sum()):
            text = f"{method} gave {empty} of {len(maps)} images a map that is the same everywhere."
            yield _caveat("empty_maps", "warning" if 2 * empty > len(maps) else "info", text)
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
