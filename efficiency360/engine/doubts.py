"""Doubts that the engine adds to what an axis says of its numbers: foreign code, and an odd model beside its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.axes import Need
from efficiency360.engine.guard import REPLACED
from efficiency360.records import Caveat

if TYPE_CHECKING:
    from efficiency360.axes import Axis, Evidence
    from efficiency360.records import SubjectRecord

TOLD = 3
_SELF_REPORTED = Caveat(
    id="self_reported",
    severity="warning",
    text="Code that came with the model ran in the process that produced these numbers, and could have changed them.",
)
_BESIDE_LABELS = frozenset(
    f"subject.{what}"
    for what in ("random_weights", "factory_weights", "stateful", "nondeterministic", "trains", "behaviour_unknown")
)


def replaced(evidence: Evidence) -> list[str]:
    """What the model's code had replaced when this evidence was observed."""
    return [str(name) for name in evidence.get(REPLACED, ())]


def of_foreign_code(evidence: Evidence, *, runs_code: bool) -> tuple[Caveat, ...]:
    """What a reader must know of numbers that were produced beside a model's own code."""
    caveats = []
    if names := replaced(evidence):
        text = (
            f"The model's code replaced parts of its libraries ({', '.join(names[:TOLD])}): the numbers may not hold."
        )
        caveats.append(Caveat(id="libraries_replaced", severity="critical", text=text))
    if runs_code:
        caveats.append(_SELF_REPORTED)
    return tuple(caveats)


def beside_labels(subject: SubjectRecord, axis: Axis) -> tuple[Caveat, ...]:
    """What makes every labelled number doubtful or meaningless stands beside each."""
    if Need.LABELS not in axis.needs:
        return ()
    return tuple(caveat for caveat in subject.caveats if caveat.id in _BESIDE_LABELS)
