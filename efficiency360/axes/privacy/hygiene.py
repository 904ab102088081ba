"""Images on both sides: duplicates between members and non-members, which make any comparison of them wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.axes.privacy.membership_seen import MEMBER, OTHER, copies_of_members
from efficiency360.dataset.likeness import ALIKE, PAIRS_TRIED, SIDE, alike
from efficiency360.errors import AxisError
from efficiency360.records import Caveat, Cell, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence

_TOLD, _LISTED = 3, 50
_KINDS = ("same bytes", "same pixels", "looks alike")


def duplicates(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each image (N,) that is a non-member the member that it repeats, else -1; and how, as a place in `_KINDS`."""
    member = evidence["members.member"].astype(np.int8)
    readable = evidence["readable"].astype(bool)
    twin = copies_of_members(evidence)
    kind = np.where(twin >= 0, 0, -1)
    ours = np.flatnonzero((member == MEMBER) & readable)
    theirs = np.flatnonzero((member == OTHER) & readable & (twin < 0))
    if not len(ours) or not len(theirs):
        return twin, kind
    found = alike(_looks(evidence)[theirs], _looks(evidence)[ours])
    near, like = theirs[found >= 0], ours[found[found >= 0]]
    twin[near], kind[near] = like, 2
    pixels = evidence["pixels"]
    first = {int(pixels[row]): int(row) for row in ours[::-1]}
    for row in theirs:
        if (same := first.get(int(pixels[row]))) is not None:
            twin[row], kind[row] = same, 1
    return twin, kind


def _looks(evidence: Evidence) -> NDArray[np.float16]:
    found = evidence["look"]
    if found.shape != (len(evidence["members.member"]), SIDE * SIDE) or not np.isfinite(found).all():
        raise AxisError("the looks of the images do not fit their number, or are no numbers")
    return found.astype(np.float16)


def doubts(evidence: Evidence) -> Iterator[Caveat]:
    """Count duplicates and name some, of each kind."""
    twin, kind = duplicates(evidence)
    others = int((evidence["members.member"] == OTHER).sum())
    said = {
        0: "are members byte for byte: they were trained on, and are left out of the attacks",
        1: "are the same as a member, pixel for pixel, as the model gets them",
        2: f"look almost like a member (grey thumbnails of {SIDE} x {SIDE} correlate by {ALIKE} or more, as none of"
        f" {PAIRS_TRIED:,} pairs of different photographs do)",
    }
    for number, what in said.items():
        rows = np.flatnonzero(kind == number)
        if not len(rows):
            continue
        more = ", ..." if len(rows) > _TOLD else ""
        text = f"{len(rows)} of {others} non-members {what}: {_named(evidence, twin, rows[:_TOLD])}{more}."
        yield Caveat(id=f"privacy.duplicates_{_KINDS[number].replace(' ', '_')}", severity="warning", text=text)


def _named(evidence: Evidence, twin: NDArray[np.int64], rows: NDArray[np.int64]) -> str:
    files = evidence["members.files"]
    return ", ".join(f"{files[row]} (as {files[twin[row]]})" for row in rows)


def table(evidence: Evidence) -> Iterator[Series]:
    """The pairs by file name, surest first, 50 at most; nothing where there are none."""
    twin, kind = duplicates(evidence)
    rows = np.flatnonzero(kind >= 0)
    rows = rows[np.argsort(kind[rows], kind="stable")][:_LISTED]
    if len(rows):
        files = evidence["members.files"]
        columns: dict[str, list[Cell]] = {
            "non_member": [str(files[row]) for row in rows],
            "member": [str(files[twin[row]]) for row in rows],
            "how": [_KINDS[kind[row]] for row in rows],
        }
        yield Series(name="privacy.duplicates", title="Non-members that repeat a member", columns=columns)
