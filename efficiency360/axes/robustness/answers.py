"""Does the model answer the same when it is asked the same? What repeated questions say of chance, memory and guile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.records import Caveat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.robustness.seen import Seen

_SAME, _NEARLY = 1e-4, 0.05
"""Shares of the range of logits. The same question to the same code is answered to the bit, but for the order in which
threads add up; other code (with gradients, in other batches) rounds otherwise, in 16 bits visibly."""
_WAYS = (
    ("again", _SAME, "random", "asked twice in a row, it answered {} otherwise, by chance"),
    ("after", _SAME, "stateful", "asked again after the attacks, it answered {} otherwise, as if it remembered"),
    ("graded", _NEARLY, "two_faced", "while its gradients were asked for, it answered {} otherwise"),
    ("accuracy", _NEARLY, "stateful", "when its accuracy was measured, it had answered {} otherwise"),
)
"""Name in the evidence, what may differ, the caveat's name, and what it says."""


def doubts(seen: Seen) -> Iterator[Caveat]:
    """The first way of asking that changed answers, most telling first.

    Raises:
        AxisError: the answers do not fit the images that were asked about.
    """
    first, ways = _answers(seen)
    spread = float(np.ptp(first)) if np.isfinite(first).all() else 0.0
    for name, share, kind, told in _WAYS:
        if name not in ways:
            continue
        with np.errstate(invalid="ignore"):
            apart = np.nan_to_num(np.abs(ways[name] - first), nan=np.inf).max(axis=1)
        if changed := int((apart > share * spread).sum()):
            said = told.format(f"{changed} of {len(first)} images")
            text = f"The model does not always answer alike: {said}. An attack on such a model proves little."
            yield Caveat(id=f"robustness.{kind}_answers", severity="critical", text=text)
            return


def _answers(seen: Seen) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """The logits (n, K) of the first asking, and by name those of the others."""
    evidence, logits = seen.evidence, seen.evidence["accuracy.logits"]
    positions = evidence["asked"].astype(np.int64)
    if positions.ndim != 1 or not len(positions) or positions.min() < 0 or positions.max() >= len(logits):
        raise AxisError("the images that the model was asked about repeatedly are not those of the data")
    asked = {name: evidence.get(f"asked_{name}") for name in ("first", "again", "after", "graded")}
    found = {name: answers.astype(np.float64) for name, answers in asked.items() if answers is not None}
    found["accuracy"] = logits[positions].astype(np.float64)
    if {"first", "again", "after"} - found.keys() or len({answers.shape for answers in found.values()}) > 1:
        raise AxisError("the answers to images that the model was asked about repeatedly do not fit together")
    return found.pop("first"), found
