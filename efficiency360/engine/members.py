"""Images that the model was trained on beside those that it never saw: one data set in an order that tells nothing.

The measured model gets both through one stream, so neither its code nor its state can know which is which. What it must
not know is added to the evidence here, in the parent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from efficiency360.dataset import resolve_labels
from efficiency360.dataset.members import SPLIT, has_members, joined, membership
from efficiency360.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes import Evidence
    from efficiency360.dataset import Dataset, Labels
    from efficiency360.subject.info import SubjectInfo
    from efficiency360.subject.manifest import PrivacyTable

GIVEN = "members"
PREFIX = "members."


@dataclass(frozen=True)
class Mixed:
    """Members and non-members in a secret order, with their labels; `claim` is what the manifest says of privacy."""

    data: Dataset
    labels: Labels
    claim: PrivacyTable

    def evidence(self) -> Evidence:
        """What only the parent knows of the N images.

        `member` (N,) int8 is 1, 0, or -1 for neither; `classes` (N,); `sha256` (N,) of each image as stored; `index`
        (N,) is its place by file name among those of its kind, from 0; `files` (N,) are file names; `about` is JSON
        with the names of the classes, the group columns (each N) and the manifest's table.
        """
        member = membership(self.data.columns[SPLIT])
        groups = {name: column for name, column in self.labels.groups.items() if name != SPLIT}
        about = {"names": self.labels.names, "groups": groups, "claim": self.claim.model_dump()}
        found: dict[str, NDArray[np.generic]] = {
            "member": member,
            "classes": self.labels.classes,
            "sha256": np.array(self.data.image_hashes(), np.bytes_),
            "index": _places(member, np.array(self.data.files)),
            "files": np.array(self.data.files),
            "about": np.array(json.dumps(about)),
        }
        return {f"{PREFIX}{name}": array for name, array in found.items()}


def _places(member: NDArray[np.int8], files: NDArray[np.str_]) -> NDArray[np.int64]:
    places = np.empty(len(files), np.int64)
    for kind in np.unique(member):
        mine = np.flatnonzero(member == kind)
        places[mine[np.argsort(files[mine], kind="stable")]] = np.arange(len(mine))
    return places


def mixed(
    data: Dataset | None, given: Dataset | None, info: SubjectInfo, claim: PrivacyTable, *, seed: int
) -> Mixed | None:
    """The images of an audit mixed with the members that were given beside them, or as their own column marks them.

    None where there are no data, no labels, or no members.

    Raises:
        InputError: the two do not go together, or a label of the members is none of the model's.
    """
    if data is None or data.labels is None or (given is None and not has_members(data)):
        return None
    try:
        both = data if given is None else joined(data, given).sample(None, seed=seed)
        labels = resolve_labels(both, num_classes=info.num_classes, names=info.class_names)
    except InputError as error:
        raise InputError(f"privacy.{GIVEN}: {error}") from error
    return Mixed(both, labels, claim) if labels is not None else None
