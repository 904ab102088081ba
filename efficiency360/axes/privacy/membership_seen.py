"""Evidence of membership inference, taken apart and checked, as scores of members and of non-members."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.statistics import calibration, confidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.axes.base import Evidence

MEMBER, OTHER = 1, 0
FEWEST = 10


@dataclass(frozen=True)
class Seen:
    """The N images that count: readable, members or non-members, and no non-member that is a member byte for byte.

    `member` (N,) says which are members; `scores` are (N,) for each attack, higher for members; `classes`, `index` and
    `files` are (N,) as the auditor keeps them (see `engine.members`); `groups` are columns (N,); `names` are those of
    classes; `claim` is the manifest's table. `whole` is the evidence, `rows` (N,) where in it these images are.
    """

    whole: Evidence
    rows: NDArray[np.int64]
    member: NDArray[np.bool_]
    scores: Mapping[str, NDArray[np.float64]]
    classes: NDArray[np.int64]
    index: NDArray[np.int64]
    files: Sequence[str]
    groups: Mapping[str, NDArray[np.str_]]
    names: Sequence[str]
    claim: Mapping[str, Any]

    def name(self, index: int) -> str:
        """The name of a class; its index where it has none."""
        return self.names[index] if index < len(self.names) else str(index)

    def of(self, attack: str, rows: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of members and of non-members, of all images or of these rows (N,)."""
        chosen = np.ones(len(self.member), bool) if rows is None else rows
        scores = self.scores[attack]
        return scores[self.member & chosen], scores[~self.member & chosen]


def read(evidence: Evidence, attacks: Sequence[str], max_unreadable: float) -> Seen:
    """Take the evidence apart.

    Raises:
        AxisError: it does not fit together, holds NaN, or too few images of either kind to say anything.
    """
    member = evidence["members.member"].astype(np.int8)
    readable, logits = evidence["readable"].astype(bool), evidence["logits"]
    classes = evidence["members.classes"].astype(np.int64)
    _check(member, readable, logits, classes, max_unreadable)
    copies = copies_of_members(evidence)
    rows = np.flatnonzero(readable & (member >= 0) & (copies < 0))
    kept = logits[rows]
    if not np.isfinite(kept).all():
        raise AxisError(f"the model returned NaN or infinity for {int((~np.isfinite(kept).all(axis=1)).sum())} images")
    of_members = member[rows] == MEMBER
    _check_enough(of_members, classes[rows], int((copies >= 0).sum()))
    odds = log_odds(kept, classes[rows])
    scores = {"loss": odds}
    if "reference" in evidence:
        scores["calibrated"] = calibrated(odds, *_references(evidence, rows, len(member)))
    about = json.loads(str(evidence["members.about"]))
    return Seen(
        whole=evidence,
        rows=rows,
        member=of_members,
        scores={attack: scores[attack] for attack in attacks if attack in scores},
        classes=classes[rows],
        index=evidence["members.index"].astype(np.int64)[rows],
        files=[str(name) for name in evidence["members.files"][rows]],
        groups={str(name): np.array(column)[rows] for name, column in about["groups"].items()},
        names=[str(name) for name in about["names"]],
        claim=about["claim"],
    )


def copies_of_members(evidence: Evidence) -> NDArray[np.int64]:
    """For each image (N,) that is a non-member the position of a member with the same bytes; else -1."""
    member, hashes = evidence["members.member"], evidence["members.sha256"]
    first = {bytes(hashes[row]): int(row) for row in np.flatnonzero(member == MEMBER)[::-1]}
    found = [first.get(bytes(one), -1) if kind == OTHER else -1 for one, kind in zip(hashes, member, strict=True)]
    return np.array(found, np.int64)


def log_odds(logits: NDArray[Any], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """log(p / (1 - p)) (N,) of the label's probability under logits (N, K), or probabilities, K >= 2; in float64.

    A threshold on it is a threshold on the loss (Yeom et al. 2018), which would round small losses to 0.
    """
    taken = confidence.logarithms(logits) if calibration.are_probabilities(logits) else logits
    odds = np.empty(len(taken))
    for rows in calibration.row_chunks(taken):
        some = taken[rows].astype(np.float64)
        own = np.take_along_axis(some, classes[rows, None], axis=1)
        np.put_along_axis(some, classes[rows, None], -np.inf, axis=1)
        top = some.max(axis=1, keepdims=True)
        odds[rows] = (own - top)[:, 0] - np.log(np.exp(some - top).sum(axis=1))
    return odds


def calibrated(
    odds: NDArray[np.float64], reference: NDArray[np.float64], trained: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How much surer (N,) the model is of each label than references (N, R) suggest that were not trained on it.

    The residual of `odds` (N,) after a straight line in the mean of those references, members and non-members fitted
    together, so that being surer everywhere is not being surer of members.
    """
    out = ~trained
    hardness = (reference * out).sum(axis=1) / out.sum(axis=1)
    spread = float(hardness.var())
    slope = max(0.0, float(np.cov(hardness, odds, bias=True)[0, 1]) / spread) if spread > 0 else 0.0
    residual: NDArray[np.float64] = odds - slope * hardness
    return residual


def _check(
    member: NDArray[np.int8],
    readable: NDArray[np.bool_],
    logits: NDArray[np.generic],
    classes: NDArray[np.int64],
    max_unreadable: float,
) -> None:
    n = len(member)
    if logits.ndim != 2 or not len(logits) == n == len(readable) == len(classes):  # noqa: PLR2004 - (N, K)
        raise AxisError(
            f"the model answered {logits.shape} logits for {n} images; one row of logits an image is needed"
        )
    if logits.shape[1] < 2 or classes.max() >= logits.shape[1]:  # noqa: PLR2004 - a classifier
        raise AxisError(f"the model answered {logits.shape[1]} classes, fewer than when it was loaded")
    if (bad := int((~readable).sum())) > max_unreadable * n:
        raise AxisError(f"{bad} of {n} images could not be read; at most {max_unreadable:.1%} may be")


def _check_enough(member: NDArray[np.bool_], classes: NDArray[np.int64], copies: int) -> None:
    members, others = int(member.sum()), int((~member).sum())
    if min(members, others) < FEWEST:
        left = f" ({copies} that are members byte for byte are left out)" if copies else ""
        raise AxisError(
            f"{members} members and {others} non-members{left} are too few for membership inference; give at least"
            f" {FEWEST} of each, better 400"
        )
    if not set(classes[member].tolist()) & set(classes[~member].tolist()):
        raise AxisError(
            "members and non-members have no class in common, so an attack would tell classes, not members; give"
            " non-members of the members' classes"
        )


def _references(evidence: Evidence, rows: NDArray[np.int64], n: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    reference, trained = evidence["reference"], evidence["reference_trained"].astype(bool)
    if reference.ndim != 2 or reference.shape != trained.shape or len(reference) != n:  # noqa: PLR2004 - (N, R)
        raise AxisError("the answers of the reference heads do not fit the number of images")
    if not np.isfinite(reference).all() or trained.all(axis=1).any():
        raise AxisError("the reference heads answered NaN or infinity, or saw every image")
    return reference[rows].astype(np.float64), trained[rows]
