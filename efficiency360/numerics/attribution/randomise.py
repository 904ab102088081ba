"""Random weights, layer by layer from the top (Adebayo et al. 2018, Sanity Checks for Saliency Maps, section 3)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

_BATCH_NORM = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - the base of all of them has no other name


def has_weights(module: nn.Module) -> bool:
    """Whether there is anything to randomise."""
    return any(_weights(one) for one in module.modules())


def layers(module: nn.Module, images: Tensor) -> list[nn.Module]:
    """The modules that hold weights of their own, from the head down: in the reverse order in which they are called.

    Those that are not called as modules count as the lowest.

    Args:
        module: the model.
        images: what `module` takes, (N, C, H, W).
    """
    holders = [one for one in module.modules() if _weights(one)]
    called: dict[nn.Module, None] = {}
    hooks = [one.register_forward_pre_hook(lambda mine, _: called.setdefault(mine)) for one in holders]
    try:
        with torch.no_grad():
            module(images)
    finally:
        for hook in hooks:
            hook.remove()
    last_first = list(called)[::-1]
    return [*last_first, *(one for one in holders[::-1] if one not in called)]


@contextmanager
def shuffled(
    module: nn.Module, some: Sequence[nn.Module], images: Tensor, generator: torch.Generator
) -> Iterator[None]:
    """Within, the weights of `some` of the modules are random: each tensor's numbers in random order.

    So their distribution is kept, and with it the scale of what they compute. Batch normalisation, whose statistics
    belong to the weights that were, takes those of `images` (N, C, H, W, as `module` takes them) instead. Afterwards
    everything is what it was, to the bit.
    """
    held = [tensor for one in some for tensor in _weights(one)]
    statistics = [tensor for one in module.modules() if _counts(one) for tensor in one.buffers(recurse=False)]
    before = [(tensor, tensor.detach().clone()) for tensor in (*held, *statistics)]
    try:
        with torch.no_grad():
            for tensor in held:
                order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
                tensor.copy_(tensor.flatten()[order].view(tensor.shape))
        if any(tensor.numel() > 1 for tensor in held):
            _recount(module, images)
        yield
    finally:
        with torch.no_grad():
            for tensor, was in before:
                tensor.copy_(was)


def _weights(module: nn.Module) -> list[Tensor]:
    """The numbers that belong to this very module; not what batch normalisation has counted."""
    counted = set(module._buffers) if _counts(module) else set()  # noqa: SLF001 - there is no other list of names
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return [one for name, one in own if name not in counted and one.is_floating_point() and one.numel() > 1]


def _counts(module: nn.Module) -> bool:
    return isinstance(module, _BATCH_NORM) and module.running_mean is not None


def _recount(module: nn.Module, images: Tensor) -> None:
    """Have every batch normalisation take the statistics of these images."""
    counting = [one for one in module.modules() if isinstance(one, _BATCH_NORM) and _counts(one)]
    before = [(one.momentum, one.training) for one in counting]
    try:
        for one in counting:
            one.momentum = 1.0
            one.train()
        if counting and len(images) > 1:
            with torch.no_grad():
                module(images)
    finally:
        for one, (momentum, training) in zip(counting, before, strict=True):
            one.momentum = momentum
            one.train(training)
