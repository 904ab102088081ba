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


class Flat(nn.Module):
    """Flattens images that are laid out channels last as they lie in memory: (N, C, H, W) -> (N, H W C), not a copy."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, H W C)."""
        return images.permute(0, 2, 3, 1).flatten(1)


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
    _flattened(cheap, images)
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
    pairs = _pairs(module, images, lambda part: isinstance(part, nn.Conv2d), _foldable)
    for convolution, normalisation, _ in pairs:
        layer, after = module.get_submodule(convolution), module.get_submodule(normalisation)
        module.set_submodule(convolution, fuse_conv_bn_eval(layer, after))  # type: ignore[type-var, arg-type]
        module.set_submodule(normalisation, _rest(after))
    return len(pairs)


def _strided(module: nn.Module) -> int:
    """Replace convolutions that are slow backward in place; how many."""
    slow = [(name, part) for name, part in module.named_modules() if name and can_be_strided(part) and _is_slow(part)]
    for name, part in slow:
        module.set_submodule(name, Strided(part))
    return len(slow)


def _flattened(module: nn.Module, images: Tensor) -> None:
    """Have linear layers after a flattening take numbers in the order in which they lie in memory."""
    for flattening, linear, shape in _pairs(module, images, _is_flat, lambda part: type(part) is nn.Linear):
        if len(shape) != _IMAGES:
            continue
        layer = module.get_submodule(linear)
        assert isinstance(layer, nn.Linear)  # noqa: S101 - it was looked for
        weight = layer.weight.detach().reshape(-1, *shape[1:]).permute(0, 2, 3, 1).flatten(1)
        layer.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        module.set_submodule(flattening, Flat())


def _is_flat(part: nn.Module) -> bool:
    return type(part) is nn.Flatten and (part.start_dim, part.end_dim) == (1, -1)


def _is_slow(layer: nn.Conv2d) -> bool:
    """Whether its backward pass was measured to be slower than `Strided`'s: few channels, or strides that overlap."""
    side, stride = layer.kernel_size[0], layer.stride[0]
    overlaps = side > stride > 1 and side % stride == 0
    return layer.in_channels <= _FEW or (overlaps and layer.in_channels * stride**2 <= _MODERATE)


def _pairs(
    module: nn.Module,
    images: Tensor,
    first: Callable[[nn.Module], bool],
    second: Callable[[nn.Module], bool],
) -> list[tuple[str, str, torch.Size]]:
    """Names of first and second parts, where a second took what a first made, each called once in a forward pass.

    Beside them the shape of what the first was given.
    """
    made: dict[int, tuple[str, torch.Size]] = {}
    calls: dict[str, int] = {}
    pairs: list[tuple[str, str, torch.Size]] = []
    alive: list[Tensor] = []  # an id is only unique while its tensor lives

    def watch(name: str) -> Callable[[nn.Module, Sequence[Tensor], Tensor], None]:
        def hook(part: nn.Module, inputs: Sequence[Tensor], output: Tensor) -> None:
            calls[name] = calls.get(name, 0) + 1
            alive.extend((inputs[0], output))
            if first(part):
                made[id(output)] = name, inputs[0].shape
            elif id(inputs[0]) in made:
                before, shape = made[id(inputs[0])]
                pairs.append((before, name, shape))

        return hook

    parts = [(name, part) for name, part in module.named_modules() if first(part) or second(part)]
    hooks = [part.register_forward_hook(watch(name)) for name, part in parts]
    with torch.inference_mode():
        module(images[:1].clone())
    for hook in hooks:
        hook.remove()
    return [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1]


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
