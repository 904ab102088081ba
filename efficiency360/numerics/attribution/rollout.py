"""Attention rollout (Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, section 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from efficiency360.errors import AxisError
from efficiency360.numerics.attribution.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from efficiency360.numerics.attribution.model import Model

_MOST_PREFIXES = 8
"""A class token, a distillation token, a few registers."""


def attention_rollout(model: Model, images: Tensor) -> Tensor:
    """How much of each place of an image reaches the answer through attention; the same for every class.

    Args:
        model: the model.
        images: (N, C, H, W) in [0, 1].

    Returns:
        (N, H, W), 0 and above, bilinear between the tokens.

    Raises:
        AxisError: there is no attention among all tokens, or the tokens are no grid. A model whose tokens are in
            another order than that of the grid's rows says so by an attribute `tokens_in_rows` that is False.
    """
    if not all(getattr(layer, "tokens_in_rows", True) for layer in model.module.modules()):
        raise AxisError("its tokens are not in the order of the image's rows")
    size = (images.shape[2], images.shape[3])
    coarse = torch.cat([_of_batch(model, some) for some in torch.split(images, model.batch)])
    return functional.interpolate(coarse[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def _of_batch(model: Model, images: Tensor) -> Tensor:
    with torch.no_grad(), Trace(len(images)) as trace:
        model.outputs(images)
    if trace.foreign or not trace.attentions:
        raise AxisError(
            "not all of its attention is among all tokens" if trace.foreign else "no attention was seen in it"
        )
    return rollout(trace.attentions, images.shape[2], images.shape[3])


def rollout(attentions: Sequence[Tensor], height: int, width: int) -> Tensor:
    """The share of each token's place in the answer: attention of all layers, (N, T, T) each -> (N, rows, columns).

    Half of each layer is taken to be its attention, averaged over heads, and half the skip connection. The answer is
    read from the first token where there are more tokens than places, else from the mean of all. Where a layer has
    fewer tokens, each stands for the square of places that were merged into it.

    Raises:
        AxisError: the tokens are no grid of the image's shape, or were merged in another way.
    """
    joint: Tensor | None = None
    for attention in attentions:
        tokens = attention.shape[-1]
        mixed = (attention + torch.eye(tokens, device=attention.device)) / 2
        mixed = mixed / mixed.sum(dim=-1, keepdim=True)
        if joint is not None and joint.shape[1] != tokens:
            joint = _merged(joint, tokens, height, width)
        joint = mixed if joint is None else mixed @ joint
    assert joint is not None  # noqa: S101 - there is attention
    rows, columns = _grid(joint.shape[2], height, width)
    prefixes = joint.shape[2] - rows * columns
    reaching = joint[:, 0, prefixes:] if prefixes else joint.mean(dim=1)
    return reaching.reshape(-1, rows, columns)


def _grid(tokens: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the image's shape that leave the fewest tokens over."""
    for prefixes in range(min(_MOST_PREFIXES, tokens - 1) + 1):
        places = tokens - prefixes
        rows = math.isqrt(places * height // width) or 1
        if places > 1 and places % rows == 0 and rows * width == places // rows * height:
            return rows, places // rows
    raise AxisError(f"its {tokens} tokens are no grid over the image")


def _merged(joint: Tensor, tokens: int, height: int, width: int) -> Tensor:
    """Rows (N, T, first) of fewer tokens, as the means of the squares that were merged."""
    before, after = _grid(joint.shape[1], height, width), _grid(tokens, height, width)
    factor = before[0] // after[0]
    whole = (after[0] * factor, after[1] * factor) == before
    if not whole or before[0] * before[1] != joint.shape[1] or after[0] * after[1] != tokens:
        raise AxisError(f"its {joint.shape[1]} tokens become {tokens} in a way that is not known")
    squares = joint.reshape(len(joint), after[0], factor, after[1], factor, -1)
    return squares.mean(dim=(2, 4)).flatten(1, 2)
