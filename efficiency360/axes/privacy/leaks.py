"""What the model gives away of the images that it was trained on: the parts of membership inference put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.axes.privacy import blind, canaries, hygiene, membership, membership_seen, membership_tables
from efficiency360.records import Caveat, Findings

if TYPE_CHECKING:
    from efficiency360.axes.base import Evidence, Labels
    from efficiency360.axes.privacy.axis import Privacy

MEMBERS = "members"
"""The name of the stream of members and others, and of their labels in the briefing."""

NO_MEMBERS = (
    "no member data was given; mark images with a column split (train, test), give folders train/ and test/, or name"
    " what the model was trained on with --set privacy.members=PATH"
)


_OTHER_CLASSES = "the labels are not classes of the model, so it has said nothing about them that could be attacked"


def why_none(labels: Labels) -> str:
    """Why there was nobody to tell from others."""
    return _OTHER_CLASSES if labels.own else NO_MEMBERS


def findings(axis: Privacy, evidence: Evidence, labels: Labels) -> Findings:
    """Attack with what was seen of members and others; nothing but a caveat where there were none.

    Raises:
        AxisError: what the worker says does not fit, too few images, or a claimed epsilon that is disproven.
    """
    if not axis.attacks:
        return Findings(measurements=())
    if "members.member" not in evidence:
        text = f"Membership was not attacked: {why_none(labels)}."
        return Findings(measurements=(), caveats=(Caveat(id="privacy.no_members", severity="info", text=text),))
    seen = membership_seen.read(evidence, axis.attacks, axis.max_unreadable)
    proof = canaries.of_model(seen)
    if proof is not None and seen.claim["epsilon"] is not None:
        canaries.check_claim(proof, float(seen.claim["epsilon"]))
    return Findings(
        measurements=(
            *membership.measured(seen, axis.min_group),
            *(canaries.measured(proof) if proof else ()),
        ),
        series=(
            *membership_tables.tables(seen, axis.min_group, axis.exposed, by_file=axis.shown_exposed),
            *hygiene.table(evidence),
        ),
        caveats=(
            *membership.doubts(seen, axis.attacks, axis.min_group),
            *blind.doubts(seen),
            *canaries.doubts(seen, proof),
            *hygiene.doubts(evidence),
        ),
    )
