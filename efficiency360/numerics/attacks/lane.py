"""The images that are at one attack and one radius: those that wait, and the rows of those that are worked on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from efficiency360.numerics.attacks import noise
from efficiency360.numerics.attacks.method import Fresh, Method, Rows, zeros

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.case import Case
    from efficiency360.numerics.attacks.outcome import Tally

BORN, GRADED, PEAK = "_born", "_graded", "_peak"
"""Columns of the driver beside those of the method: when a row began, its gradients so far, its highest margin."""


@dataclass(eq=False)
class Lane:
    """`eps_index` and `spec_index` say where it stands; `closed` lanes let images pass."""

    method: Method
    tally: Tally
    eps_index: int
    spec_index: int
    seed: int
    waiting: deque[Case] = field(default_factory=deque)
    cases: list[Case] = field(default_factory=list)
    rows: Rows = field(default_factory=dict)
    clock: int = 0
    closed: bool = False

    def __len__(self) -> int:
        """Return the number of images here."""
        return len(self.waiting) + len(self.cases)

    def take(self, case: Case) -> None:
        """Let an image wait here for its first try."""
        case.tried = 0
        self.tally.images += 1
        self.waiting.append(case)

    def again(self, case: Case) -> None:
        """Let an image wait for its next try, before those that came later."""
        case.tried += 1
        self.waiting.appendleft(case)

    def refill(self, batch: int) -> None:
        """Begin tries until there are `batch` rows or nobody waits."""
        room = min(batch - len(self.cases), len(self.waiting))
        if room <= 0:
            return
        cases = [self.waiting.popleft() for _ in range(room)]
        new = self.method.begin(self._fresh(cases))
        if BORN in new:
            self.tally.evaluations -= int(new[BORN].sum())
        new |= {
            BORN: new.get(BORN, zeros(new["x"])) + self.clock,
            GRADED: new.get(GRADED, zeros(new["x"])),
            PEAK: zeros(new["x"], torch.float32) - torch.inf,
        }
        self.rows = {name: torch.cat([self.rows[name], new[name]]) for name in new} if self.cases else new
        self.cases += cases

    def clean(self, chosen: Tensor) -> Tensor:
        """The clean images of chosen rows (N,) bool."""
        return torch.stack([self.cases[row].clean for row in chosen.nonzero()[:, 0].tolist()])

    def drop(self, leaving: Tensor) -> list[Case]:
        """Remove rows (N,) bool; their images, with what they have cost."""
        if not leaving.any():
            return []
        spent = (self.clock - self.rows[BORN]).tolist()
        graded, peak, gone = (tensor.tolist() for tensor in (self.rows[GRADED], self.rows[PEAK], leaving))
        left = []
        for row, case in enumerate(self.cases):
            if gone[row]:
                case.queries += int(spent[row])
                case.gradients += int(graded[row])
                case.margin = max(case.margin, peak[row])
                left.append(case)
        self.cases = [case for case, away in zip(self.cases, gone, strict=True) if not away]
        stay = (~leaving).nonzero()[:, 0]
        self.rows = {name: tensor.index_select(0, stay) for name, tensor in self.rows.items()}
        return left

    def _fresh(self, cases: list[Case]) -> Fresh:
        device = cases[0].clean.device
        targets = self.method.targets
        positions = torch.tensor([case.position for case in cases])
        tries = torch.tensor([case.tried for case in cases])
        keys = noise.keys(self.seed, torch.tensor(self.spec_index), positions, tries)
        chosen = torch.stack([case.targets[case.tried % targets] for case in cases])
        labels = torch.tensor([case.label for case in cases], device=device)
        clean = torch.stack([case.clean for case in cases])
        return Fresh(clean, labels, chosen, keys.to(device), (tries // targets).to(device))
