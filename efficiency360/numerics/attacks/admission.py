"""Where images come in: those that are right are attacked, the others are done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.attacks import losses
from efficiency360.numerics.attacks.case import Case
from efficiency360.numerics.attacks.lane import Lane
from efficiency360.numerics.attacks.methods import method_of
from efficiency360.numerics.attacks.outcome import Tally
from efficiency360.numerics.attacks.verify import forward

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from efficiency360.numerics.attacks.engine import Engine
    from efficiency360.numerics.attacks.spec import Spec


@dataclass
class Admission:
    """Opens the engine's lanes when the first logits tell the number of classes; `taken` counts images."""

    engine: Engine
    specs: Sequence[Spec]
    seed: int
    device: torch.device
    taken: int = 0
    notes: list[str] = field(default_factory=list)
    _classes: int = 0

    def take(self, positions: Sequence[int], images: Tensor, labels: Sequence[int] | Tensor) -> None:
        """Ask the model about clean images (n, C, H, W), and let those that are right into the first lane.

        Raises:
            InputError: a label is no class of the model, or the model has fewer than two.
            AxisError: its logits are not finite.
        """
        size = self.engine.batch
        for at in range(0, len(images), size):
            clean = images[at : at + size].to(self.device).contiguous().clone()
            answers = forward(self.engine.logits, clean.clone())
            given = torch.as_tensor(labels[at : at + size], dtype=torch.int64, device=self.device)
            self._check(answers, given)
            self._sort(positions[at : at + size], clean, answers, given)

    def _check(self, answers: Tensor, labels: Tensor) -> None:
        if not self._classes:
            self._classes = answers.shape[1]
            if self._classes < 2:  # noqa: PLR2004 - a pair is the least to choose from
                raise InputError("the model has a single class, so no attack can change its prediction")
            self._open()
        if not answers.isfinite().all():
            raise AxisError("the model's logits for clean images are not finite, so there is nothing to attack")
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self._classes:
            raise InputError(f"a label is none of the model's classes, 0 to {self._classes - 1}")

    def _sort(self, positions: Sequence[int], clean: Tensor, answers: Tensor, labels: Tensor) -> None:
        margins = losses.margin(answers, labels).tolist()
        right = (answers.argmax(dim=1) == labels).tolist()
        widest = max([1, *(lane.method.targets for lane in self.engine.lanes)])
        targets = answers.scatter(1, labels[:, None], -torch.inf).topk(widest, dim=1).indices
        for row, label in enumerate(labels.tolist()):
            order, position = self.taken, int(positions[row])
            self.taken += 1
            if right[row]:
                own = (clean[row].clone(), answers[row].clone(), targets[row].clone())
                self.engine.enter(Case(order, position, label, *own, margins[row]))
            else:
                self.engine.ledger.misclassified(order, position, label, margins[row], answers[row])

    def _open(self) -> None:
        """Make the lanes; inside a ball without room there is nothing to do."""
        for eps_index, ball in enumerate(self.engine.balls):
            if ball.eps == 0:
                self.notes.append("eps 0 leaves no room: the accuracy there is that of the clean images")
                continue
            for spec_index, spec in enumerate(self.specs):
                method = method_of(spec, ball, self._classes, self.engine.stand_in)
                tally = Tally(spec.label, ball.eps, spec.gradients)
                self.engine.lanes.append(Lane(method, tally, eps_index, spec_index, self.seed))
                self.notes.extend(method.notes)
