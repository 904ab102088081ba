"""What a model makes of images before its last layer: found by watching one forward pass, whatever the architecture."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from efficiency360.errors import AxisError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROWS = 2  # (N, D)
_APART = 0.01
"""Of the largest feature: an image's features may change by so much with the images beside it, by rounding."""


@dataclass(frozen=True)
class Head:
    """The last layer: its `name`, and how many numbers it takes; the name is empty where the logits have to do.

    `why` says why the logits have to do.
    """

    name: str
    width: int
    why: str = ""


def find_head(module: nn.Module, logits: Callable[[Tensor], Tensor], images: Tensor, *, black_box: str = "") -> Head:
    """The last linear layer that answers as many numbers as there are classes, called once, on one row an image.

    Args:
        module: the model.
        logits: images -> logits (N, K), by a call of `module`.
        images: (N, C, H, W), N > 1.
        black_box: why layers cannot be watched; empty where they can.
    """
    called: list[tuple[str, Tensor, Tensor]] = []
    hooks = [
        layer.register_forward_hook(lambda _layer, inputs, output, name=name: called.append((name, inputs[0], output)))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        with torch.no_grad():
            answer = logits(images)
    finally:
        for hook in hooks:
            hook.remove()
    width = answer.shape[1]
    if black_box:
        return Head("", width, black_box)
    names = [name for name, _, _ in called]
    fits = [
        (name, given)
        for name, given, output in called
        if output.shape == answer.shape and given.shape[:-1] == (len(images),) and names.count(name) == 1
    ]
    if not fits:
        return Head("", width, "it ends in no linear layer that could be found")
    name, given = fits[-1]
    return Head(name, given.shape[-1])


@contextmanager
def watched(module: nn.Module, head: Head) -> Iterator[list[Tensor]]:
    """A list to which every forward pass appends what the head was given; nothing where there is none."""
    seen: list[Tensor] = []
    if not head.name:
        yield seen
        return
    hook = module.get_submodule(head.name).register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()


def answered(
    module: nn.Module, head: Head, logits: Callable[[Tensor], Tensor], images: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits (N, K) of images, and features (N, D) float32, D as `head.width`: what it is given, or the logits."""
    with torch.no_grad(), watched(module, head) as seen:
        answer = logits(images)
    found = seen[-1] if head.name else answer
    return answer, found.detach().float()


def features(module: nn.Module, head: Head, logits: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Features (N, D) float32 of images; see `answered`."""
    return answered(module, head, logits, images)[1]


def check_alone(features_of: Callable[[Tensor], Tensor], images: Tensor) -> None:
    """See that an image's features do not depend on the images beside it.

    Raises:
        AxisError: they do; then no image's part in a gradient can be told from that of others.
    """
    together, alone = features_of(images)[:1], features_of(images[:1])
    if not torch.allclose(together, alone, rtol=0, atol=_APART * float(together.abs().max())):
        raise AxisError(
            "what the model makes of an image depends on the other images of the batch: training it privately would"
            " protect nobody"
        )
