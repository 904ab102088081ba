"""Attacks of torchattacks by name: each runs as a whole, and what it returns is checked like everything else."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.attacks.lane import BORN, GRADED
from efficiency360.numerics.attacks.method import Fresh, Method, Rows, Seen, misclassified, zeros
from efficiency360.numerics.chance import same_chance, seed_all
from efficiency360.spec import suggest
from efficiency360.words import told

if TYPE_CHECKING:
    from torch import Tensor

    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.spec import Spec
    from efficiency360.numerics.attacks.verify import Logits

_RADII = ("eps", "max_epsilon")
_SEEDS = 1 << 32


class Model(nn.Module):
    """The module that torchattacks wants, around a function; it counts the images it is asked about."""

    def __init__(self, logits: Logits, device: torch.device) -> None:
        super().__init__()
        self.logits = logits
        self.where = nn.Parameter(torch.zeros((), device=device), requires_grad=False)
        self.queries = self.gradients = 0

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K)."""
        self.queries += len(images)
        self.gradients += len(images) if torch.is_grad_enabled() and images.requires_grad else 0
        return self.logits(images.contiguous())


class Foreign(Method):
    """`begin` runs the attack, the one evaluation after it decides.

    The radius is passed as `eps` or `max_epsilon` where the attack takes one and the parameters give none, the norm as
    `norm`, the number of classes as `n_classes`. An attack without a radius (CW, DeepFool) looks for any adversarial
    image; those outside the ball count for the distance, not as a success.
    """

    gradients = False

    def __init__(self, spec: Spec, ball: Ball, classes: int, logits: Logits) -> None:
        import torchattacks  # noqa: PLC0415 - takes most of a second

        self._kind = getattr(torchattacks, spec.name)
        self._logits = logits
        known = list(inspect.signature(self._kind).parameters)[1:]
        for key in spec.params:
            if key not in known:
                raise InputError(f"torchattacks' {spec.name} has no parameter {key!a}{suggest(key, known)}")
        self.spec, self.ball, self.classes, self.targets = spec, ball, classes, 1
        self.bounded = any(name in known for name in _RADII)
        self.radius_free = not self.bounded
        self.notes = ()
        ours = {**dict.fromkeys(_RADII, ball.eps), "norm": ball.norm, "n_classes": classes}
        self._params = {**{key: value for key, value in ours.items() if key in known}, **spec.params}

    @property
    def tries(self) -> int:
        """Restarts are the attack's own business."""
        return 1

    def begin(self, fresh: Fresh) -> Rows:
        """Run the attack on the batch.

        Raises:
            AxisError: it raises.
        """
        model = Model(self._logits, fresh.clean.device)
        seed = int(fresh.keys[0]) % _SEEDS
        with torch.random.fork_rng(), same_chance(), torch.enable_grad():
            seed_all(seed)
            x = self._run(model, fresh, seed)
        n = len(x)
        spent = zeros(x) + model.gradients // n
        return {
            "x": x, "clean": fresh.clean, "label": fresh.labels, "wrong": zeros(x, torch.bool),
            GRADED: spent, BORN: zeros(x) - model.queries // n,
        }  # fmt: skip

    def claims(self, rows: Rows, seen: Seen) -> Tensor:
        """What is misclassified; of an attack without a radius only what is in the ball."""
        rows["wrong"] = misclassified(seen.logits, rows["label"])
        if self.bounded:
            return rows["wrong"]
        return rows["wrong"] & self.ball.inside(rows["clean"], rows["x"])

    def advance(self, rows: Rows, seen: Seen) -> Tensor:  # noqa: ARG002 - what it says is already in `wrong`
        """All is over after one evaluation."""
        return torch.ones_like(rows["wrong"])

    def nearest(self, rows: Rows) -> tuple[Tensor, Tensor] | None:
        """What an attack without a radius found outside the ball."""
        if self.bounded:
            return None
        distance = self.ball.length(rows["x"] - rows["clean"])
        return rows["x"], torch.where(rows["wrong"], distance, torch.inf)

    def _run(self, model: Model, fresh: Fresh, seed: int) -> Tensor:
        params: dict[str, Any] = dict(self._params)
        if "seed" in inspect.signature(self._kind).parameters:
            params.setdefault("seed", seed)
        try:
            adversarial = self._kind(model, **params)(fresh.clean.clone(), fresh.labels.clone())
        except Exception as error:
            raise AxisError(f"torchattacks' {self.spec.name} stopped: {told(error)}") from error
        if adversarial.shape != fresh.clean.shape:
            raise AxisError(f"torchattacks' {self.spec.name} returned images of another shape")
        found: Tensor = adversarial.detach().to(fresh.clean.dtype).contiguous()
        return found
