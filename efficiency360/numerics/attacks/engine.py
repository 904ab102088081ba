"""The driver: it fills batches, evaluates, checks what is claimed, and removes every image the moment it falls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import losses
from efficiency360.numerics.attacks.case import Case, Found, Ledger
from efficiency360.numerics.attacks.evaluate import LOOK, DetachedError, evaluate
from efficiency360.numerics.attacks.lane import GRADED, PEAK, Lane
from efficiency360.numerics.attacks.shrink import shrink
from efficiency360.numerics.attacks.verify import prove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.method import Seen
    from efficiency360.numerics.attacks.verify import Logits, Proof


@dataclass
class Engine:
    """Images go from lane to lane: the attacks at the smallest radius, then at the next.

    A full batch at the latest possible lane is worked on first, so that few images are on their way at any time: memory
    depends on the batch and the number of lanes, never on the number of images.

    Args:
        logits: the model; each success is checked with it.
        stand_in: what the steps ask, the same function made cheaper; wrong answers of it cost success, never truth.
        balls: the radii, ascending.
        batch: rows of one evaluation.
        ledger: where images end.
        minimal: whether what was found is made smaller along the line to the clean image.
        lanes: in order.
    """

    logits: Logits
    stand_in: Logits
    balls: Sequence[Ball]
    batch: int
    ledger: Ledger
    minimal: bool = False
    lanes: list[Lane] = field(default_factory=list)

    def __post_init__(self) -> None:
        """No image is done yet."""
        self._done: list[tuple[Case, Found, int | None]] = []

    def ready(self) -> Lane | None:
        """The last lane with a full batch."""
        return next((lane for lane in reversed(self.lanes) if len(lane) >= self.batch), None)

    def first(self) -> Lane | None:
        """The first lane with anything."""
        return next((lane for lane in self.lanes if len(lane)), None)

    def enter(self, case: Case, index: int = 0) -> None:
        """Send an image to the first open lane from `index` on; it has fallen where a smaller change is known."""
        for lane in self.lanes[index:]:
            if case.found and case.found.distance <= lane.method.ball.eps:
                self._book(case, case.found, lane.eps_index)
                return
            if not (lane.closed or lane.spec_index in case.searched):
                lane.take(case)
                return
        if case.found:
            self._book(case, case.found, None)
        else:
            self.ledger.survived(case)

    def step(self, lane: Lane) -> None:
        """One evaluation of a batch of a lane and all that follows from it."""
        lane.refill(self.batch)
        try:
            seen = evaluate(lane.method, lane.rows, self.stand_in, lane.tally)
        except DetachedError:
            self._close(lane)
            return
        lane.clock += 1
        lane.rows[GRADED] = lane.rows[GRADED] + seen.graded
        self._peak(lane, seen)
        fallen = self._check(lane, lane.method.claims(lane.rows, seen))
        over = lane.method.advance(lane.rows, seen) & ~fallen
        if over.any():
            self._over(lane, over)
        if (gone := fallen | over).any():
            kinds = over[gone].tolist()
            for case, ended in zip(lane.drop(gone), kinds, strict=True):
                self._leave(lane, case, ended=ended)

    def finish(self) -> None:
        """End the stories of images that wait for their distance."""
        found = [(case, known) for case, known, _ in self._done]
        nearer = shrink(self.stand_in, self.logits, found, self.balls[0]) if self.minimal and found else None
        for row, (case, known, eps_index) in enumerate(self._done):
            self._end(case, known, nearer[row] if nearer else known, eps_index)
        self._done = []

    def _end(self, case: Case, known: Found, near: Found, eps_index: int | None) -> None:
        """Book an image; what was found near enough has fallen at a smaller radius than that of the attack."""
        inside = [index for index, ball in enumerate(self.balls[:eps_index]) if near.distance <= ball.eps]
        if inside:
            self.ledger.fell(case, near, inside[0], near.distance)
        elif eps_index is not None:
            self.ledger.fell(case, known, eps_index, near.distance)
        else:
            case.found = near
            self.ledger.survived(case)

    def _peak(self, lane: Lane, seen: Seen) -> None:
        """The highest margin inside the ball; attacks that roam outside, and have looks, are judged by their proofs."""
        if LOOK not in lane.rows:
            margin = losses.margin(seen.logits, lane.rows["label"]).float()
            lane.rows[PEAK] = torch.maximum(lane.rows[PEAK], margin)

    def _check(self, lane: Lane, claimed: Tensor) -> Tensor:
        """(N,) bool: rows whose claim holds; each is noted in its case."""
        if not claimed.any():
            return claimed
        images = lane.rows["x"][claimed]
        clean = lane.clean(claimed)
        proof = prove(self.logits, clean, images, lane.rows["label"][claimed], lane.method.ball)
        lane.tally.refused.update(proof.refused)
        self._largest(lane, clean, images)
        self._note(lane, claimed, proof, clean, images)
        fallen = claimed.clone()
        fallen[claimed] = proof.holds
        return fallen

    def _note(self, lane: Lane, chosen: Tensor, proof: Proof, clean: Tensor, images: Tensor) -> None:
        """Remember proven adversarial images that are nearer than those known."""
        lengths = lane.method.ball.length(images - clean).tolist()
        holds = proof.holds.tolist()
        for at, row in enumerate(chosen.nonzero()[:, 0].tolist()):
            case = lane.cases[row]
            case.queries += 1
            if holds[at] and (case.found is None or lengths[at] < case.found.distance):
                found = Found(images[at].clone(), proof.logits[at].clone(), lengths[at], lane.spec_index)
                case.found = found

    def _over(self, lane: Lane, over: Tensor) -> None:
        """Count tries that ended without success, and prove what they found outside the ball."""
        lane.tally.tries += int(over.sum())
        idle = lane.method.idle(lane.rows)
        lane.tally.idle_tries += 0 if idle is None else int((idle & over).sum())
        nearest = lane.method.nearest(lane.rows)
        images = lane.rows["x"] if nearest is None else nearest[0]
        self._largest(lane, lane.clean(over), images[over])
        if nearest is None:
            return
        found = over & nearest[1].isfinite()
        if found.any():
            clean, images = lane.clean(found), nearest[0][found]
            proof = prove(self.logits, clean, images, lane.rows["label"][found], None)
            self._note(lane, found, proof, clean, images)

    def _largest(self, lane: Lane, clean: Tensor, images: Tensor) -> None:
        change = float(lane.method.ball.length(images - clean).nan_to_num(nan=torch.inf).max())
        lane.tally.largest = max(lane.tally.largest, change)

    def _leave(self, lane: Lane, case: Case, *, ended: bool) -> None:
        """Where an image goes from a lane: to its end, to its next try, or on."""
        if not ended and case.found:
            lane.tally.fallen += 1
            self._book(case, case.found, lane.eps_index)
        elif case.tried + 1 < lane.method.tries:
            lane.again(case)
        else:
            case.searched |= {lane.spec_index} if lane.method.radius_free else set()
            self.enter(case, self.lanes.index(lane) + 1)

    def _book(self, case: Case, found: Found, eps_index: int | None) -> None:
        """An image that fell at a radius, or at none (None) though an adversarial image beyond is known."""
        self._done.append((case, found, eps_index))
        if not self.minimal or len(self._done) >= self.batch:
            self.finish()

    def _close(self, lane: Lane) -> None:
        """Let all images of a lane without gradients go on."""
        lane.tally.detached = lane.closed = True
        everyone = [*lane.cases, *lane.waiting]
        lane.cases, lane.rows = [], {}
        lane.waiting.clear()
        for case in everyone:
            self.enter(case, self.lanes.index(lane) + 1)
