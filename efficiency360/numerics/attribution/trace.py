"""Watching a forward pass: its last feature map of a convolution, and the weights of its attention.

Functions are watched, not modules, so that models made of functional calls, converted graphs and exported programs are
seen too, whatever their parts are called. The answers are what they would be without a watcher: fused attention runs
as it is, and its weights, which it does not hand out, are computed beside it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable

_CONVOLUTIONS = frozenset({"conv2d", "convolution", "_convolution"})
_SOFTMAXES = frozenset({"softmax", "_softmax"})
_FUSED, _MULTI_HEAD = "scaled_dot_product_attention", "multi_head_attention_forward"
_IMAGES, _HEADS = 4, 4
_MOST_TOKENS = 1700
"""Attention among more tokens takes more memory than it is worth."""


class Trace(TorchFunctionMode):
    """Watches what happens to `n` images while it is entered.

    `feature` is the last tensor (n, C, h, w) of the size that the last convolution left, with more than one place:
    that convolution's output after the normalisation, addition and activation that follow it. `attentions` are the
    weights (n, T, T) of all attention among the same T tokens, averaged over heads, in order. `foreign` counts
    attention of other kinds, such as within windows; `attends_last` says that attention came after that convolution.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self._n = n
        self.feature: Tensor | None = None
        self.attentions: list[Tensor] = []
        self.foreign = 0
        self.attends_last = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and note what it did."""
        kwargs = kwargs or {}
        answer = func(*args, **kwargs)
        name = getattr(func, "__name__", "").partition(".")[0]
        if name == _FUSED:
            self._attend(_weights(*args, **kwargs))
        elif name == _MULTI_HEAD:
            told = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": True})
            self._attend(told[1])
        elif name in _SOFTMAXES and isinstance(answer, Tensor) and answer.ndim in {3, 4} and _square(answer):
            self._attend(answer)
        elif isinstance(answer, Tensor) and answer.ndim == _IMAGES:
            self._map(answer, convolved=name in _CONVOLUTIONS)
        return answer

    def _map(self, found: Tensor, *, convolved: bool) -> None:
        if len(found) != self._n or found.shape[2] * found.shape[3] <= 1 or not found.is_floating_point():
            return
        if convolved:
            self.attends_last = False
        if convolved or (self.feature is not None and found.shape == self.feature.shape):
            self.feature = found

    def _attend(self, weights: Tensor | None) -> None:
        self.attends_last = True
        if weights is None or len(weights) != self._n or not _square(weights) or not _sums_to_one(weights):
            self.foreign += 1
            return
        weights = weights.detach().float()
        self.attentions.append(weights.mean(dim=1) if weights.ndim == _HEADS else weights)


def _square(weights: Tensor) -> bool:
    return 1 < weights.shape[-1] == weights.shape[-2]


def _sums_to_one(weights: Tensor) -> bool:
    return bool(torch.allclose(weights.sum(dim=-1).float(), weights.new_ones(()).float(), atol=1e-2))


def _weights(  # noqa: PLR0913, PLR0917 - torch's own signature
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001 - see above
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001 - see above
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor | None:
    """The weights that `scaled_dot_product_attention` multiplies its values with; None where there are too many."""
    if max(query.shape[-2], key.shape[-2]) > _MOST_TOKENS:
        return None
    with torch.no_grad():
        if enable_gqa:
            key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
        products = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        if is_causal:
            attn_mask = torch.ones(products.shape[-2:], dtype=torch.bool, device=products.device).tril()
        if attn_mask is not None:
            kept = attn_mask.dtype == torch.bool
            products = products.masked_fill(~attn_mask, -math.inf) if kept else products + attn_mask
        return products.softmax(dim=-1)
