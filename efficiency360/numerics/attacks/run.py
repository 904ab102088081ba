"""Attack images that stream by: accuracy inside one ball, or over a list of radii in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from efficiency360.errors import InputError
from efficiency360.numerics.allocator import freed_memory_is_kept
from efficiency360.numerics.attacks.admission import Admission
from efficiency360.numerics.attacks.ball import Ball
from efficiency360.numerics.attacks.case import Ledger
from efficiency360.numerics.attacks.engine import Engine
from efficiency360.numerics.attacks.outcome import Outcome

if TYPE_CHECKING:
    from efficiency360.numerics.attacks.spec import Spec
    from efficiency360.numerics.attacks.verify import Logits

Chunk: TypeAlias = tuple[Sequence[int], Tensor, Sequence[int] | Tensor]
"""Positions (n,), images (n, C, H, W) float in [0, 1], labels (n,)."""
Progress: TypeAlias = Callable[[int, int], None]


def attack(logits: Logits, source: Iterable[Chunk], specs: Sequence[Spec], ball: Ball, **options: Any) -> Outcome:
    """`sweep` with one radius and its options."""
    return sweep(logits, source, specs, ball.norm, [ball.eps], **options)


def sweep(  # noqa: PLR0913 - every option has a default
    logits: Logits,
    source: Iterable[Chunk],
    specs: Sequence[Spec],
    norm: str,
    eps: Sequence[float],
    *,
    batch: int = 64,
    seed: int = 0,
    device: torch.device | str = "cpu",
    stand_in: Logits | None = None,
    minimal: bool = False,
    keep: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """Attack images with each attack in turn, at each radius in turn; only those that still stand go on.

    What fell at a radius has fallen at every larger one. The same seed gives the same outcome in whatever batches and
    order images come, as far as the model's own answers do; torchattacks' attacks draw from the global generators, so
    with them it holds for one batch size and order. Call it inside `without_parameter_gradients`.

    Args:
        logits: the model, (N, C, H, W) float in [0, 1] -> (N, K), differentiable where an attack needs gradients.
        source: chunks of images; positions name images and choose their random numbers.
        specs: attacks in order, cheap and strong ones first.
        norm: "Linf" or "L2".
        eps: radii, in any order.
        batch: most images in a forward pass.
        seed: of all random numbers.
        device: where images are attacked.
        stand_in: a cheaper form of `logits` for the steps; the checks ask `logits`.
        minimal: look for a smaller adversarial change along the line to the clean image, too; it counts at the radii
            that it is inside of.
        keep: how many adversarial images to keep, the first that fell by order of arrival.
        progress: called with the number of images that are done and that have been taken.

    Raises:
        InputError: no attack, no radius, a radius out of range, a label that is no class, or fewer than two classes.
        AxisError: the model's logits for clean images, or all its gradients, are not finite.
    """
    if not specs or not eps:
        raise InputError("robustness needs at least one attack and one eps")
    balls = [Ball(norm, radius) for radius in sorted(set(eps))]
    engine = Engine(logits, stand_in or logits, balls, batch, Ledger(keep), minimal)
    admission = Admission(engine, specs, seed, torch.device(device))
    with torch.inference_mode(mode=False), torch.no_grad(), freed_memory_is_kept():
        _work(engine, admission, iter(source), progress)
    rows, tallies = engine.ledger.ordered(), tuple(lane.tally for lane in engine.lanes)
    notes = tuple(dict.fromkeys(admission.notes))
    return Outcome.of(rows, specs, balls, kept=engine.ledger.gallery(), tallies=tallies, notes=notes)


def _work(engine: Engine, admission: Admission, source: Iterator[Chunk], progress: Progress | None) -> None:
    """Take images while no batch is full, step where one is, until nothing is left."""
    more = True
    while True:
        lane = engine.ready()
        if lane is None and more:
            chunk = next(source, None)
            more = chunk is not None
            if chunk is not None:
                admission.take(*chunk)
        elif (lane := lane or engine.first()) is None:
            break
        else:
            engine.step(lane)
        if progress is not None:
            progress(len(engine.ledger.rows), admission.taken)
    engine.finish()
