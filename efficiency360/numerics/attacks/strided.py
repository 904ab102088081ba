"""The gradient of a convolution with respect to its input as a forward convolution, which processors run faster."""

from __future__ import annotations

import sys
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
        self.stride, self.same = int(layer.stride[0]), _is_same(layer)
        self.padding = (int(layer.padding[0]), int(layer.padding[1]))
        self.register_buffer("weight", layer.weight.detach().contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())
        self.register_buffer("phases", phases(layer.weight.detach(), self.stride))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K, H', W')."""
        if not (torch.is_grad_enabled() and images.requires_grad):
            return self.convolved(images)
        answer: Tensor = _Convolution.apply(images, self)
        return answer

    def convolved(self, images: Tensor) -> Tensor:
        """The convolution without a graph."""
        if not self.same:
            return functional.conv2d(images, self.weight, self.bias, self.stride, self.padding)
        top, bottom = self._around(images.shape[2], self.weight.shape[2])
        left, right = self._around(images.shape[3], self.weight.shape[3])
        padded = functional.pad(images, (left, right, top, bottom))
        return functional.conv2d(padded, self.weight, self.bias, self.stride)

    def before(self, size: torch.Size) -> tuple[int, int]:
        """Rows and columns of padding before images of this size (H, W)."""
        if not self.same:
            return self.padding
        return self._around(size[0], self.weight.shape[2])[0], self._around(size[1], self.weight.shape[3])[0]

    def _around(self, length: int, kernel: int) -> tuple[int, int]:
        """Padding before and after, so that the output is as long as the input, divided by the stride, rounded up."""
        short = max((-(-length // self.stride) - 1) * self.stride + kernel - length, 0)
        return short // 2, short - short // 2


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, images: Tensor, layer: Strided) -> Tensor:
        ctx.layer, ctx.size = layer, images.shape[2:]  # type: ignore[attr-defined]
        return layer.convolved(images)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        layer = ctx.layer
        return input_gradient(grads[0], layer.phases, layer.stride, layer.before(ctx.size), ctx.size), None


def phases(weight: Tensor, stride: int) -> Tensor:
    """(C stride stride, K, h, w): for each place of an input pixel within a stride, the weights that meet it, flipped.

    With i + padding = stride q + r the gradient at i is the sum over j of grad[q - j] weight[r + stride j].
    """
    outputs, channels, height, width = weight.shape
    padded = functional.pad(weight, (0, -width % stride, 0, -height % stride))
    tall, wide = padded.shape[2] // stride, padded.shape[3] // stride
    split = padded.view(outputs, channels, tall, stride, wide, stride).flip(2, 4)
    flat = split.permute(1, 3, 5, 0, 2, 4).reshape(channels * stride**2, outputs, tall, wide)
    return flat.contiguous(memory_format=torch.channels_last)


def input_gradient(
    grad: Tensor, weights: Tensor, stride: int, padding: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """The gradient (N, C, *size) that belongs to the gradient of the output (N, K, H', W')."""
    reach = (weights.shape[2] - 1, weights.shape[3] - 1)
    grad = grad.contiguous(memory_format=torch.channels_last)
    whole = _interleaved(functional.conv2d(grad, weights, padding=reach), stride)
    top, left = padding
    short = (max(0, top + size[0] - whole.shape[2]), max(0, left + size[1] - whole.shape[3]))
    if any(short):  # pixels past the last window meet no weight
        whole = functional.pad(whole, (0, short[1], 0, short[0]))
    return whole[:, :, top : top + size[0], left : left + size[1]]


def _interleaved(phased: Tensor, stride: int) -> Tensor:
    """(N, C stride stride, h, w) -> (N, C, stride h, stride w), both channels last."""
    n, places, height, width = phased.shape
    if places > stride**2:
        return functional.pixel_shuffle(phased, stride)
    rows = phased.permute(0, 2, 3, 1).reshape(n, height, width, stride, stride).transpose(2, 3)
    return rows.reshape(n, 1, height * stride, width * stride)  # twice as fast as `pixel_shuffle` for one channel


def can_be_strided(layer: nn.Module) -> bool:
    """Whether `Strided` stands for the layer."""
    if not isinstance(layer, nn.Conv2d) or not (type(layer) is nn.Conv2d or _is_same(layer)):
        return False
    return (
        layer.groups == 1
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
        and set(layer.dilation) == {1}
        and layer.stride[0] == layer.stride[1]
    )


def _is_same(layer: nn.Module) -> bool:
    """Whether it is timm's convolution that pads as TensorFlow does."""
    layers = sys.modules.get("timm.layers")
    return layers is not None and type(layer) is layers.Conv2dSame
