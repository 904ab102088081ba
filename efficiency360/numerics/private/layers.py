"""Gradients of single images, layer by layer, from what a layer was given and what came back to it; never all at once.

For N images a layer was given `a` (N, ...) and the loss, summed over images, depends on its output by `g` (N, ...).
Lengths of single images' gradients come from these, and so does the sum of gradients weighted by image (book-keeping;
Bu, Wang, Zha and Karypis 2023), so one forward and one backward pass are enough, and no weight's gradient is stored
for each image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELLS = 1 << 23
"""Numbers in memory at once where single images' gradients of one layer are made."""


def lengths_squared(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor) -> Tensor:
    """The squared length (N,) of each image's gradient of a layer's parameters `names`."""
    if _is_affine(layer):
        return _affine_lengths(layer, names, a, g)
    largest = sum(dict(layer.named_parameters())[name].numel() for name in names)
    size = max(1, _CELLS // max(largest, a[0].numel(), g[0].numel()))
    parts = zip(torch.split(a, size), torch.split(g, size), strict=True)
    return torch.cat([_each(layer, names, some, back) for some, back in parts])


def weighted_sums(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor, weights: Tensor) -> list[Tensor]:
    """The gradients of a layer's parameters, summed over images with `weights` (N,), in the order of `names`."""
    weighted = g * weights.view(-1, *[1] * (g.ndim - 1))
    if isinstance(layer, nn.Linear) and _is_affine(layer):
        given, back = a.flatten(0, -2), weighted.flatten(0, -2)
        return [back.T @ given if name == "weight" else back.sum(dim=0) for name in names]
    parameters = [dict(layer.named_parameters())[name].detach().requires_grad_() for name in names]
    with torch.enable_grad():
        output = torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (a,))
        return list(torch.autograd.grad(output, parameters, weighted))


def _is_affine(layer: nn.Module) -> bool:
    """Whether the layer is a matrix product: by what its class does, not by its name."""
    if isinstance(layer, nn.Linear):
        return type(layer).forward is nn.Linear.forward
    plain = isinstance(layer, nn.Conv2d) and type(layer).forward is nn.Conv2d.forward
    return bool(plain and layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str))


def _affine_lengths(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor) -> Tensor:
    """Of a layer that gives W x + b at each of T places."""
    patches = isinstance(layer, nn.Conv2d)
    back = g.flatten(2).transpose(1, 2) if patches else g.reshape(len(g), -1, g.shape[-1])
    squares = back.new_zeros(len(back))
    if "bias" in names:
        squares += back.sum(dim=1).square().sum(dim=1)
    if "weight" not in names:
        return squares
    if not isinstance(layer, nn.Conv2d):
        return squares + _product_lengths(a.reshape(len(a), -1, a.shape[-1]), back)
    unfold = nn.Unfold(layer.kernel_size, layer.dilation, cast("tuple[int, int]", layer.padding), layer.stride)
    size = max(1, _CELLS // (back.shape[1] * layer.weight[0].numel()))
    pairs = zip(torch.split(a, size), torch.split(back, size), strict=True)
    return squares + torch.cat([_product_lengths(unfold(some).transpose(1, 2), one) for some, one in pairs])


def _product_lengths(a: Tensor, g: Tensor) -> Tensor:
    """The squared length (N,) of the sums over T of outer products of `g` (N, T, p) and `a` (N, T, d).

    By products of places with places (ghost norm; Li, Tramer, Liang and Hashimoto 2022) where these are fewer, else by
    the matrices themselves, some images at a time.
    """
    places, wide, high = a.shape[1], a.shape[2], g.shape[2]
    if places == 1:
        return a[:, 0].square().sum(dim=1) * g[:, 0].square().sum(dim=1)
    if places * (wide + high) < wide * high:
        return ((a @ a.transpose(1, 2)) * (g @ g.transpose(1, 2))).sum(dim=(1, 2)).clamp_min(0)
    size = max(1, _CELLS // (wide * high))
    parts = zip(torch.split(a, size), torch.split(g, size), strict=True)
    return torch.cat([(back.transpose(1, 2) @ some).square().sum(dim=(1, 2)) for some, back in parts])


def _each(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor) -> Tensor:
    """Of any layer that treats every image by itself, by its own forward."""
    if isinstance(layer, nn.LayerNorm) and type(layer).forward is nn.LayerNorm.forward:
        return _layer_norm(layer, names, a, g)
    parameters = {name: dict(layer.named_parameters())[name].detach() for name in names}

    def one(given: Tensor, back: Tensor) -> Tensor:
        def forward(some: dict[str, Tensor]) -> Tensor:
            output: Tensor = torch.func.functional_call(layer, some, (given[None],))
            return output

        backward = torch.func.vjp(forward, parameters)[1]
        (gradients,) = backward(back[None])
        return torch.stack([gradient.square().sum() for gradient in gradients.values()]).sum()

    lengths: Tensor = torch.func.vmap(one)(a, g)
    return lengths


def _layer_norm(layer: nn.LayerNorm, names: Sequence[str], a: Tensor, g: Tensor) -> Tensor:
    places = tuple(range(1, a.ndim - len(layer.normalized_shape)))
    squares = g.new_zeros(len(g))
    if "weight" in names:
        product = g * functional.layer_norm(a, layer.normalized_shape, eps=layer.eps)
        squares += (product.sum(dim=places) if places else product).flatten(1).square().sum(dim=1)
    if "bias" in names:
        squares += (g.sum(dim=places) if places else g).flatten(1).square().sum(dim=1)
    return squares
