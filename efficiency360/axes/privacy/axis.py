"""Privacy: what the model gives away of the images that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from efficiency360.axes.base import Axis, Need, Workload
from efficiency360.axes.privacy import blind, canaries, hygiene, membership, membership_seen, membership_tables
from efficiency360.errors import AxisError
from efficiency360.records import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from efficiency360.axes.base import Evidence, Labels, Run
    from efficiency360.dataset.stream import ImageStream
    from efficiency360.subject.subject import Subject

_MEMBERS = "members"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Privacy(Axis):
    """Membership inference: how well an attacker tells images that the model was trained on from others.

    Member data: a column `split` (train or member, test or non-member) of the data, folders train/ and test/ with class
    folders, or `members`, a path as for `--data` with images trained on, beside data that were not. Both kinds reach
    the model in one stream and in an order that tells nothing.
    The attack `loss` (Yeom et al. 2018) takes a high probability of the label as a sign; `calibrated` corrects it for
    how hard an image is for `references` linear heads on the model's features that never saw its label.
    `privacy.mia_auc` is the chance that a member scores above a non-member; `privacy.mia_tpr` is the share of members
    found while a share `fpr` of non-members is accused, given only where so many non-members resolve it.
    `mia_group_auc` and `mia_group_tpr` are the same within classes and groups of at least `min_group` images each way.
    `privacy.epsilon_lower_bound` is given where the manifest says that fair coins chose the members.
    The `exposed` surest members are listed by their place; `shown_exposed` adds file names. No image is ever shown.
    What would make these numbers wrong: members and non-members that differ in more than membership (time, place,
    camera), which an attack picks up though the model remembers nothing; non-members that were trained on after all,
    which duplicates reveal; stronger attacks, which find more.
    """

    id: ClassVar[str] = "privacy"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[Need]] = frozenset({Need.DATA, Need.LABELS, Need.MEMBERS})
    sees_labels: ClassVar[bool] = True

    members: str | None = None
    attacks: Annotated[tuple[membership.Attack, ...], Field(min_length=1)] = ("loss", "calibrated")
    references: Annotated[int, Field(ge=4, le=256)] = 16
    min_group: Annotated[int, Field(ge=membership_seen.FEWEST)] = 30
    exposed: Annotated[int, Field(ge=0, le=1000)] = 10
    shown_exposed: bool = False
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = 0.01
    batch_size: Annotated[int, Field(ge=1)] = 32

    @property
    def data_sets(self) -> Mapping[str, str]:
        """The images trained on, where they are given beside the data."""
        return {_MEMBERS: self.members} if self.members else {}

    def workload(self, images: int) -> Workload:
        """One pass over members and non-members, taken to be as many; the seconds are for reference heads."""
        return Workload(2 * images if self.members else images, self.batch_size, seconds=15)

    def observe(self, subject: Subject, data: ImageStream | None, run: Run) -> Iterator[Evidence]:
        """Yield what the attacks need of each image; see `membership_observing.observed`."""
        from efficiency360.axes.privacy import membership_observing  # noqa: PLC0415 - torch, in the worker only

        if data is None or run.labels is None:
            raise AxisError("no labelled data")
        heads = self.references if "calibrated" in self.attacks else 0
        yield from membership_observing.observed(subject, data, run, heads=heads, batch_size=self.batch_size)

    def measure(self, evidence: Evidence, labels: Labels | None) -> Findings:  # noqa: ARG002 - those of members are evidence
        """Attack.

        Raises:
            AxisError: what the worker says does not fit, too few images, or a claimed epsilon that is disproven.
        """
        seen = membership_seen.read(evidence, self.attacks, self.max_unreadable)
        proof = canaries.of_model(seen)
        if proof is not None and seen.claim["epsilon"] is not None:
            canaries.check_claim(proof, float(seen.claim["epsilon"]))
        return Findings(
            measurements=(
                *membership.measured(seen, self.min_group),
                *(canaries.measured(proof) if proof else ()),
            ),
            series=(
                *membership_tables.tables(seen, self.min_group, self.exposed, by_file=self.shown_exposed),
                *hygiene.table(evidence),
            ),
            caveats=(
                *membership.doubts(seen, self.attacks, self.min_group),
                *blind.doubts(seen),
                *canaries.doubts(seen, proof),
                *hygiene.doubts(evidence),
            ),
        )
