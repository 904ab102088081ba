"""The gradient of a convolution with respect to its input as a forward convolution, which processors run faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch.autograd.function import FunctionCtx


class Strided(nn.Module):
    """A convolution with constant weights and the same stride both ways, whose backward pass is `input_gradient`."""

    weight: Tensor
    bias: Tensor | None
    phases: Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.stride, self.padding = int(layer.stride[0]), (int(layer.padding[0]), int(layer.padding[1]))
        self.register_buffer("weight", layer.weight.detach())
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())
        self.register_buffer("phases", phases(layer.weight.detach(), self.stride))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K, H', W')."""
        if not (torch.is_grad_enabled() and images.requires_grad):
            return functional.conv2d(images, self.weight, self.bias, self.stride, self.padding)
        answer: Tensor = _Convolution.apply(images, self)
        return answer


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, layer: Strided) -> Tensor:
        ctx.layer, ctx.size = layer, images.shape[2:]  # type: ignore[attr-defined]
        return functional.conv2d(images, layer.weight, layer.bias, layer.stride, layer.padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        layer = ctx.layer
        return input_gradient(grads[0], layer.phases, layer.stride, layer.padding, ctx.size), None


def phases(weight: Tensor, stride: int) -> Tensor:
    """(C stride stride, K, h, w): for each place of an input pixel within a stride, the weights that meet it, flipped.

    With i + padding = stride q + r the gradient at i is the sum over j of grad[q - j] weight[r + stride j].
    """
    outputs, channels, height, width = weight.shape
    padded = functional.pad(weight, (0, -width % stride, 0, -height % stride))
    tall, wide = padded.shape[2] // stride, padded.shape[3] // stride
    split = padded.view(outputs, channels, tall, stride, wide, stride).flip(2, 4)
    return split.permute(1, 3, 5, 0, 2, 4).reshape(channels * stride**2, outputs, tall, wide).contiguous()


def input_gradient(
    grad: Tensor, weights: Tensor, stride: int, padding: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """The gradient (N, C, *size) that belongs to the gradient of the output (N, K, H', W')."""
    reach = (weights.shape[2] - 1, weights.shape[3] - 1)
    whole = functional.pixel_shuffle(functional.conv2d(grad, weights, padding=reach), stride)
    top, left = padding
    short = (max(0, top + size[0] - whole.shape[2]), max(0, left + size[1] - whole.shape[3]))
    if any(short):  # pixels past the last window meet no weight
        whole = functional.pad(whole, (0, short[1], 0, short[0]))
    return whole[:, :, top : top + size[0], left : left + size[1]]


def can_be_strided(layer: nn.Module) -> bool:
    """Whether `Strided` stands for the layer."""
    return (
        type(layer) is nn.Conv2d
        and layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and set(layer.dilation) == {1}
        and layer.stride[0] == layer.stride[1]
    )
