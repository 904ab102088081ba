"""Gradients of single images, layer by layer, from what a layer was given and what came back to it; never all at once.

For N images a layer was given `a` (N, ...) and the loss, summed over images, depends on its output by `g` (N, ...).
Lengths of single images' gradients come from these, and so does the sum of gradients weighted by image (book-keeping;
Bu, Wang, Zha and Karypis 2023), so one forward and one backward pass are enough. Until the lengths over all layers are
known, each layer keeps what is smaller: `a` and `g`, or its gradient for each image, which is then made only once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def has_small_gradients(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor) -> bool:
    """Whether a layer's gradients for each image are made at once, and take up no more than `a` and `g` do."""
    if not (_is_affine(layer) or _is_layer_norm(layer)):
        return False
    parameters = dict(layer.named_parameters(recurse=False))
    return sum(parameters[name].numel() for name in names) <= a[0].numel() + g[0].numel()


def gradients(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor) -> list[Tensor]:
    """Each image's gradient (N, ...) of a layer's parameters `names`, for layers that `has_small_gradients`."""
    if isinstance(layer, nn.LayerNorm):
        return _norm_gradients(layer, names, a, g)
    back = _places_last(layer, g)
    weight = dict(layer.named_parameters(recurse=False))["weight"]
    found = []
    for name in names:
        if name == "bias":
            found.append(back.sum(dim=1))
            continue
        made = back.new_empty(len(back), *weight.shape)
        for rows, places in _places_of(layer, a, back):
            torch.bmm(back[rows].transpose(1, 2), places, out=made[rows].view(len(places), len(weight), -1))
        found.append(made)
    return found


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


def _is_layer_norm(layer: nn.Module) -> bool:
    return isinstance(layer, nn.LayerNorm) and type(layer).forward is nn.LayerNorm.forward


def _affine_lengths(layer: nn.Module, names: Sequence[str], a: Tensor, g: Tensor) -> Tensor:
    """Of a layer that gives W x + b at each of T places."""
    back = _places_last(layer, g)
    squares = back.new_zeros(len(back))
    if "bias" in names:
        squares += back.sum(dim=1).square().sum(dim=1)
    if "weight" in names:
        parts = [_product_lengths(places, back[rows]) for rows, places in _places_of(layer, a, back)]
        squares += torch.cat(parts)
    return squares


def _places_last(layer: nn.Module, g: Tensor) -> Tensor:
    """What came back to an affine layer as (N, T, p)."""
    return g.flatten(2).transpose(1, 2) if isinstance(layer, nn.Conv2d) else g.reshape(len(g), -1, g.shape[-1])


def _places_of(layer: nn.Module, a: Tensor, back: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """What an affine layer was given as (B, T, d), some images at a time where patches have to be made of it."""
    if not isinstance(layer, nn.Conv2d):
        yield slice(None), a.reshape(len(a), -1, a.shape[-1])
        return
    unfold = nn.Unfold(layer.kernel_size, layer.dilation, cast("tuple[int, int]", layer.padding), layer.stride)
    size = max(1, _CELLS // (back.shape[1] * layer.weight[0].numel()))
    for start in range(0, len(a), size):
        rows = slice(start, start + size)
        yield rows, unfold(a[rows]).transpose(1, 2)


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
    if isinstance(layer, nn.LayerNorm) and _is_layer_norm(layer):
        return sum_of_squares(_norm_gradients(layer, names, a, g))
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


def sum_of_squares(each: Sequence[Tensor]) -> Tensor:
    """The squared length (N,) of each image's gradient, of one or more parameters (N, ...)."""
    return torch.stack([torch.linalg.vector_norm(one.flatten(1), dim=1) for one in each]).square().sum(dim=0)


def _norm_gradients(layer: nn.LayerNorm, names: Sequence[str], a: Tensor, g: Tensor) -> list[Tensor]:
    places = tuple(range(1, a.ndim - len(layer.normalized_shape)))
    found = []
    for name in names:
        product = g * functional.layer_norm(a, layer.normalized_shape, eps=layer.eps) if name == "weight" else g
        found.append(product.sum(dim=places) if places else product)
    return found
