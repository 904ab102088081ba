"""Which layers of a model can be trained privately, and one watched pass that gives their clipped gradients."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from efficiency360.errors import AxisError
from efficiency360.numerics.as_found import without_fused_attention
from efficiency360.numerics.private import layers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch.utils.hooks import RemovableHandle

_TINY = 1e-12


@dataclass(frozen=True)
class Layer:
    """A layer whose parameters `names` are trained."""

    path: str
    module: nn.Module
    names: tuple[str, ...]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Those that are trained."""
        own = dict(self.module.named_parameters(recurse=False))
        return [own[name] for name in self.names]


@dataclass(frozen=True)
class Plan:
    """What is trained, and of what is not, by why: the paths of the layers."""

    layers: tuple[Layer, ...]
    frozen: dict[str, tuple[str, ...]]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that are trained, in order."""
        return [parameter for layer in self.layers for parameter in layer.parameters]


@dataclass(frozen=True)
class Clipped:
    """Sums of images' clipped gradients, in the order of `Plan.parameters`, and their lengths (N,) after clipping."""

    sums: list[Tensor]
    lengths: Tensor


def plan(module: nn.Module, forward: Callable[[Tensor], Tensor], images: Tensor, *, biases: str = "") -> Plan:
    """Find out by a forward pass what can be trained.

    Left as it is: what normalises by statistics of batches, parameters beside layers rather than in one, layers that
    are called more than once or not by themselves, or do not answer a row an image, and tied parameters.

    Args:
        module: the model, in evaluation mode.
        forward: images -> logits, by a call of `module`.
        images: (N, C, H, W), N > 1.
        biases: the path of the one layer of which more than the bias is trained; empty trains all parameters.
    """
    calls: Counter[str] = Counter()
    fits: set[str] = set()
    owners = {path: part for path, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))}

    def seen(path: str, inputs: tuple[object, ...], output: object) -> None:
        calls[path] += 1
        rows = [
            one for one in (*inputs, output) if isinstance(one, Tensor) and one.ndim > 1 and len(one) == len(images)
        ]
        if len(inputs) == 1 and len(rows) == 2:  # noqa: PLR2004 - one in, one out
            fits.add(path)

    with ExitStack() as stack, torch.no_grad(), without_fused_attention():
        for path, part in owners.items():
            hook = part.register_forward_hook(lambda _part, inputs, output, path=path: seen(path, inputs, output))
            stack.callback(hook.remove)
        forward(images)
    shared = Counter(id(one) for part in owners.values() for one in part.parameters(recurse=False))
    chosen: list[Layer] = []
    frozen: dict[str, list[str]] = {}
    for path, part in owners.items():
        why = _why_not(path, part, calls, fits, shared)
        names = tuple(
            name
            for name, one in part.named_parameters(recurse=False)
            if one.is_floating_point() and (not biases or path == biases or name == "bias")
        )
        if why:
            frozen.setdefault(why, []).append(path or "the model itself")
        elif names:
            chosen.append(Layer(path, part, names))
    return Plan(tuple(chosen), {why: tuple(paths) for why, paths in frozen.items()})


def _why_not(path: str, part: nn.Module, calls: Counter[str], fits: set[str], shared: Counter[int]) -> str:
    if isinstance(part, nn.modules.batchnorm._NormBase) and not isinstance(part, nn.modules.instancenorm._InstanceNorm):  # noqa: SLF001 - the base of all
        return "normalises by statistics of batches"
    if any(part.children()):
        return "has parameters beside its layers"
    if any(shared[id(one)] > 1 for one in part.parameters(recurse=False)):
        return "shares parameters"
    if calls[path] > 1:
        return "is called more than once"
    if path not in fits:
        return "is not called by itself, with a row an image"
    return ""


def clipped_gradients(
    chosen: Plan, forward: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, limit: float
) -> Clipped:
    """Sums of the images' gradients of the cross-entropy, each no longer than `limit` (infinite: as they are).

    The parameters themselves need no gradient; all other parameters must not want one.

    Raises:
        AxisError: the model overwrites what it gave a layer, or its answers do not depend on its layers.
    """
    passes = {layer.path: _Pass(layer) for layer in chosen.layers}
    leaves: list[Tensor] = []
    with ExitStack() as stack, without_fused_attention(), torch.enable_grad():
        for one in passes.values():
            stack.callback(one.watch(leaves).remove)
        loss = nn.functional.cross_entropy(forward(images).float(), targets, reduction="sum")
        torch.autograd.grad(loss, leaves, allow_unused=True)
    return _summed([passes[layer.path] for layer in chosen.layers], limit)


@dataclass
class _Pass:
    """What one pass shows of a layer: what it was `given` and what came `back`, or each image's gradients of it."""

    layer: Layer
    given: Tensor | None = None
    version: int = 0
    back: Tensor | None = None
    each: list[Tensor] | None = None

    def watch(self, leaves: list[Tensor]) -> RemovableHandle:
        """Listen; where no gradient would come back through it, one begins here and is added to `leaves`."""

        def forward(_part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            self.given, self.version = inputs[0].detach(), inputs[0]._version  # noqa: SLF001 - changes when overwritten
            started = None
            if not output.requires_grad:
                leaf = output.detach().requires_grad_()
                leaves.append(leaf)
                output = started = leaf.clone()
            output.register_hook(self.came)  # type: ignore[no-untyped-call]
            return started

        return self.layer.module.register_forward_hook(forward)

    def came(self, gradient: Tensor) -> None:
        """Keep what is smaller."""
        module, names, given = self.layer.module, self.layer.names, self.given
        if given is None or given._version != self.version:  # noqa: SLF001 - see above
            raise AxisError(
                f"the model overwrites what it gave the layer '{self.layer.path}'; it can be trained with method head"
                " only"
            )
        self.back = gradient.detach()
        if layers.has_small_gradients(module, names, given, self.back):
            self.each = layers.gradients(module, names, given, self.back)
            self.given = self.back = None

    @property
    def reached(self) -> bool:
        """Whether a gradient came."""
        return self.each is not None or self.back is not None

    def lengths_squared(self) -> Tensor:
        """Of each image's gradient (N,)."""
        if self.each is not None:
            return layers.sum_of_squares(self.each)
        assert self.given is not None  # noqa: S101 - one or the other is there
        assert self.back is not None  # noqa: S101
        return layers.lengths_squared(self.layer.module, self.layer.names, self.given, self.back)

    def sums(self, weights: Tensor) -> list[Tensor]:
        """The gradients summed over images with weights (N,), 0 where none came; afterwards they are gone."""
        each, given, back = self.each, self.given, self.back
        self.each = self.given = self.back = None
        if each is not None:
            return [torch.tensordot(weights, one, dims=1) for one in each]
        if given is None or back is None:
            return [torch.zeros_like(parameter) for parameter in self.layer.parameters]
        return layers.weighted_sums(self.layer.module, self.layer.names, given, back, weights)


def _summed(passes: Sequence[_Pass], limit: float) -> Clipped:
    reached = [one for one in passes if one.reached]
    if not reached:
        raise AxisError("the model's answers do not depend on any layer that could be trained")
    with torch.no_grad():
        lengths = torch.stack([one.lengths_squared() for one in reached]).sum(dim=0).sqrt()
        weights = (limit / lengths.clamp_min(_TINY)).clamp_max(1)
        return Clipped([total for one in passes for total in one.sums(weights)], lengths * weights)
