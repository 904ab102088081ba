"""A cheaper form of a model for the steps of attacks: same function up to rounding, fewer passes over memory."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from efficiency360.numerics.attacks.strided import Strided, can_be_strided

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor
    from torch.autograd.function import FunctionCtx

_IMAGES = 4
_FEW = 4
"""Input channels up to which the gradient of a convolution is slower than its forward pass."""
_MODERATE = 64
"""The same for convolutions whose kernel is a multiple of their stride, and input channels times places in a stride."""
_SAME = 1e-3
"""Of the largest output: what rounding may change."""
_SAME_GRADIENT = 1e-2
"""Of the length of the gradient: the same."""


class StandIn(nn.Module):
    """A model with its images laid out channels last."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> object:
        """Whatever the model returns."""
        return self.module(images.contiguous(memory_format=torch.channels_last))


class _LaidOut(torch.autograd.Function):
    """Nothing, whose gradient is laid out channels last: layers before a flattening would mix layouts otherwise."""

    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor) -> Tensor:  # noqa: ARG004 - autograd calls it so
        return images.view_as(images)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ARG004 - the same
        return grads[0].contiguous(memory_format=torch.channels_last)


class Flat(nn.Flatten):
    """`nn.Flatten` whose gradient is laid out channels last."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the base's name
        """(N, C, H, W) -> (N, C H W)."""
        images = input
        if torch.is_grad_enabled() and images.requires_grad and images.dim() == _IMAGES:
            images = _LaidOut.apply(images)
        return super().forward(images)


def stand_in(module: nn.Module, images: Tensor, answer: Callable[[Any], Tensor]) -> nn.Module | None:
    """A copy of a module that is laid out channels last, with normalisation in the convolution before it.

    Convolutions of few channels get a backward pass that is a forward pass (`strided`).

    Attacks may follow its gradients; successes are checked with the module itself.

    Args:
        module: in evaluation mode, as it takes its input; it is not changed.
        images: (N, C, H, W), as the module takes them, to find the pairs and to compare answers.
        answer: the logits in what the module returns.

    Returns:
        The copy, whose parameters need no gradients; None where there is nothing to gain, the module cannot be copied
        or gives no gradients, or the copy answers differently.
    """
    if any(part.training for part in module.modules()):
        return None
    for in_place in (True, False):
        try:
            cheap = _made(module, images, in_place=in_place)
            if cheap is not None and _same(module, cheap, images, answer):
                return cheap
        except Exception:  # noqa: BLE001, S112 - a model's own code may raise anything, and the model itself is there
            continue
    return None


def _made(module: nn.Module, images: Tensor, *, in_place: bool) -> nn.Module | None:
    """The copy; None where there is nothing to gain."""
    cheap = copy.deepcopy(module).requires_grad_(False)
    if not _folded(cheap, images) + _strided(cheap):
        return None
    for part in cheap.modules():
        if in_place and isinstance(part, nn.ReLU | nn.ReLU6):
            part.inplace = True
    return StandIn(cheap.to(memory_format=torch.channels_last)).eval()


def _same(module: nn.Module, cheap: nn.Module, images: Tensor, answer: Callable[[Any], Tensor]) -> bool:
    """Whether logits, and gradients of the highest of them, are the same up to rounding."""
    found = []
    for form in (module, cheap):
        x = images.detach().clone().requires_grad_()
        with torch.enable_grad():
            logits = answer(form(x))
            (grad,) = torch.autograd.grad(logits.amax(dim=1).sum(), x)
        found.append((logits.detach(), grad))
    (logits, grad), (cheap_logits, cheap_grad) = found
    close = bool((cheap_logits - logits).abs().max() <= _SAME * logits.abs().max())
    return close and bool((cheap_grad - grad).norm() <= _SAME_GRADIENT * grad.norm())


def _folded(module: nn.Module, images: Tensor) -> int:
    """Fold what can be folded in place; how many pairs that were."""
    pairs = _pairs(module, images)
    for convolution, normalisation in pairs:
        layer, after = module.get_submodule(convolution), module.get_submodule(normalisation)
        module.set_submodule(convolution, fuse_conv_bn_eval(layer, after))  # type: ignore[type-var, arg-type]
        module.set_submodule(normalisation, _rest(after))
    return len(pairs)


def _strided(module: nn.Module) -> int:
    """Replace convolutions that are slow backward, and flattenings, in place; how many convolutions."""
    slow = [(name, part) for name, part in module.named_modules() if name and can_be_strided(part) and _is_slow(part)]
    for name, part in slow:
        module.set_submodule(name, Strided(part))
    flat = [(name, part) for name, part in module.named_modules() if name and type(part) is nn.Flatten]
    for name, part in flat:
        module.set_submodule(name, Flat(part.start_dim, part.end_dim))
    return len(slow)


def _is_slow(layer: nn.Conv2d) -> bool:
    """Whether its backward pass was measured to be slower than `Strided`'s: few channels, or strides that overlap."""
    side, stride = layer.kernel_size[0], layer.stride[0]
    overlaps = side > stride > 1 and side % stride == 0
    return layer.in_channels <= _FEW or (overlaps and layer.in_channels * stride**2 <= _MODERATE)


def _pairs(module: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """Names of convolutions and the normalisations that took their outputs, each called once in a forward pass."""
    made: dict[int, str] = {}
    calls: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []
    alive: list[Tensor] = []  # an id is only unique while its tensor lives

    def watch(name: str) -> Callable[[nn.Module, Sequence[Tensor], Tensor], None]:
        def hook(part: nn.Module, inputs: Sequence[Tensor], output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            alive.extend((inputs[0], output))
            if isinstance(part, nn.Conv2d):
                made[id(output)] = name
            elif id(inputs[0]) in made:
                pairs.append((made[id(inputs[0])], name))

        return hook

    parts = [(name, part) for name, part in module.named_modules() if isinstance(part, nn.Conv2d) or _foldable(part)]
    hooks = [part.register_forward_hook(watch(name)) for name, part in parts]
    with torch.inference_mode():
        module(images[:1].clone())
    for hook in hooks:
        hook.remove()
    return [pair for pair in pairs if all(calls[name] == 1 for name in pair)]


def _foldable(part: nn.Module) -> bool:
    if not isinstance(part, _BatchNorm) or part.training or part.running_mean is None:
        return False
    return type(part) is nn.BatchNorm2d or _is_timms(part)


def _is_timms(part: nn.Module) -> bool:
    """Whether it is timm's normalisation with an activation in one layer."""
    layers = sys.modules.get("timm.layers")
    return layers is not None and type(part) is layers.BatchNormAct2d


def _rest(part: nn.Module) -> nn.Module:
    """What the layer does beside the normalisation."""
    return nn.Sequential(part.drop, part.act) if _is_timms(part) else nn.Identity()  # type: ignore[arg-type]
