"""Multiply-adds of one operator from the shapes of what enters and leaves it.

Convention of fvcore (``fvcore.nn.FlopCountAnalysis``), which published tables of MACs follow: a multiply-add counts
one; a bias, an activation and a softmax count nothing; a normalisation layer counts 5 per element (4 without affine
parameters; an evaluated batch norm 2 and 1); interpolation counts one per source pixel of each output pixel; an average
pool counts one per input element. Dense definitions throughout: causal masks, sparsity and padding save nothing.

Where fvcore counts an operator of a family, its siblings follow: pooling and interpolation in other dimensions,
``rms_norm`` one less than ``layer_norm`` for the mean that it leaves out.
"""

from collections.abc import Callable
from math import ceil, prod
from typing import Any

from efficiency360.numerics.flop_values import Values, integers, is_list, items, numel, shape

Macs = Callable[[Values, Values], int]
"""Inputs and outputs of an operator -> multiply-adds; raises where a shape or a setting is not known."""


def convolution(inputs: Values, outputs: Values) -> int:
    """Count a convolution of any dimension and grouping, from (input, weight, ...)."""
    filters, *_ = weight = shape(inputs[1])
    return numel(outputs[0]) // filters * prod(weight)


def transposed_convolution(inputs: Values, _outputs: Values) -> int:
    """Count a transposed convolution: each input element meets each weight of its channel once."""
    channels, *_ = weight = shape(inputs[1])
    return numel(inputs[0]) // channels * prod(weight)


def any_convolution(inputs: Values, outputs: Values) -> int:
    """Count the general operator, whose seventh input says whether it is transposed."""
    transposed: bool = inputs[6].toIValue()
    return (transposed_convolution if transposed else convolution)(inputs, outputs)


def matmul(inputs: Values, outputs: Values) -> int:
    """Count a product of operands of any rank, broadcast on either side: each output sums over the last axis."""
    return numel(outputs[0]) * shape(inputs[0])[-1]


def added_matmul(inputs: Values, outputs: Values) -> int:
    """Count a product that is added to the first input."""
    return numel(outputs[0]) * shape(inputs[1])[-1]


def summed_bmm(inputs: Values, _outputs: Values) -> int:
    """Count ``addbmm``, which sums its batch of products."""
    return numel(inputs[1]) * shape(inputs[2])[-1]


def dot(inputs: Values, _outputs: Values) -> int:
    """Count an inner product of vectors."""
    return numel(inputs[0])


def vecdot(inputs: Values, outputs: Values) -> int:
    """Count inner products along one axis."""
    axis: int = inputs[2].toIValue()
    return numel(outputs[0]) * max(shape(inputs[0])[axis], shape(inputs[1])[axis])


def tensordot(inputs: Values, outputs: Values) -> int:
    """Count a contraction over the axes that the third input names."""
    return numel(outputs[0]) * prod(shape(inputs[0])[axis] for axis in integers(inputs[2]))


def outer(_inputs: Values, outputs: Values) -> int:
    """Count one multiplication an output element."""
    return numel(outputs[0])


def bilinear(inputs: Values, outputs: Values) -> int:
    """Count the sum over both inputs' features: first over one, then over the other."""
    _, left, right = shape(inputs[2])
    return numel(outputs[0]) * right * (left + 1)


def attention(inputs: Values, outputs: Values) -> int:
    """Count scores and weighted values, for any batch axes, grouped heads and width of the values."""
    query, key, value = (shape(item) for item in inputs[:3])
    return prod(shape(outputs[0])[:-1]) * key[-2] * (query[-1] + value[-1])


def attention_activations(inputs: Values, outputs: Values) -> int:
    """Count the elements of scores and output, as two matrix products would leave them."""
    scores = prod(shape(outputs[0])[:-1]) * shape(inputs[1])[-2]
    return scores + numel(outputs[0])


def _steps_times_matrices(steps: list[int], weights: list[list[int]]) -> int:
    matrices = (prod(sizes) for sizes in weights if len(sizes) > 1)
    return prod(steps[:-1]) * sum(matrices)


def recurrent(inputs: Values, _outputs: Values) -> int:
    """Count every weight matrix of an LSTM, GRU or RNN once a step: all layers, directions and projections."""
    *_, weights = (value for value in inputs[:4] if is_list(value))
    return _steps_times_matrices(shape(inputs[0]), [shape(item) for item in items(weights)])


def recurrent_layer(inputs: Values, _outputs: Values) -> int:
    """Count one layer in one direction, from (steps, input weights, hidden weights, ...)."""
    return _steps_times_matrices(shape(inputs[0]), [shape(item) for item in inputs[1:3]])


def distances(inputs: Values, outputs: Values) -> int:
    """Count pairwise distances: one multiply-add a coordinate of each pair."""
    return numel(outputs[0]) * shape(inputs[0])[-1]


def affine_grid(inputs: Values, outputs: Values) -> int:
    """Count the product of each grid point with its affine matrix."""
    return numel(outputs[0]) * shape(inputs[0])[-1]


def norm(weight: int, plain: int = 4) -> Macs:
    """Make a handle that counts ``plain`` an element, and one more where the input number ``weight`` is given."""

    def macs(inputs: Values, _outputs: Values) -> int:
        affine = bool(inputs[weight].isCompleteTensor())
        return numel(inputs[0]) * (plain + affine)

    return macs


def batch_norm(inputs: Values, outputs: Values) -> int:
    """Count a batch norm: cheap with stored statistics, as the others where it computes its own."""
    training: bool = inputs[5].toIValue()
    return norm(1, plain=4 if training else 1)(inputs, outputs)


def pool(inputs: Values, _outputs: Values) -> int:
    """Count one addition an input element."""
    return numel(inputs[0])


def sources(count: int) -> Macs:
    """Make a handle that counts ``count`` source pixels an output pixel."""
    return lambda _inputs, outputs: numel(outputs[0]) * count


def antialiased(support: int) -> Macs:
    """Make a handle for a window that widens with the factor of reduction, as Pillow's does."""

    def macs(inputs: Values, outputs: Values) -> int:
        before, after = shape(inputs[0])[2:], shape(outputs[0])[2:]
        windows = (ceil(support * max(1.0, old / new)) for old, new in zip(before, after, strict=True))
        return numel(outputs[0]) * prod(windows)

    return macs


def grid_sample(inputs: Values, outputs: Values) -> int:
    """Count the source pixels of ``grid_sampler``: linear 2 an axis, nearest 1, cubic 4."""
    mode: Any = inputs[2].toIValue()
    axes = len(shape(inputs[0])) - 2
    return numel(outputs[0]) * int({0: 2, 1: 1, 2: 4}[mode] ** axes)


def roi_align(inputs: Values, outputs: Values) -> int:
    """Count bilinear samples; ValueError where their number depends on the size of each region."""
    samples: int = inputs[5].toIValue()
    if samples < 1:
        raise ValueError("an adaptive number of samples is not in the graph")
    return numel(outputs[0]) * samples**2 * 4
