"""What onnx2torch does not know: operators of newer versions, and some in the form in which torch models have them."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import onnx
import torch
from onnx2torch.node_converters import registry  # type: ignore[import-untyped]
from onnx2torch.utils.common import (  # type: ignore[import-untyped]
    OperationConverterResult,
    onnx_mapping_from_node,
)
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from onnx2torch.onnx_graph import OnnxGraph  # type: ignore[import-untyped]
    from onnx2torch.onnx_node import OnnxNode  # type: ignore[import-untyped]

_IMAGE_DIMS = 4
_SPATIAL = (2, 3)
_NEW_SETTINGS = {"Resize": {"antialias", "axes", "keep_aspect_ratio_policy"}}
_NEW_INPUTS = {"Pad": 3}


class Operator(nn.Module):
    """A function of tensors, some of which may be left out, with an operator's settings."""

    def __init__(self, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.function, self.settings = function, dict(settings)

    def forward(self, *inputs: Tensor | None) -> Any:
        """The operator's output, or a tuple of them."""
        return self.function(*inputs, **self.settings)


def _reduce(
    reduced: Callable[..., Tensor],
    x: Tensor,
    axes: Tensor | None = None,
    *,
    keepdims: int = 1,
    noop_with_empty_axes: int = 0,
) -> Tensor:
    given = [] if axes is None else [int(axis) % x.ndim for axis in axes]
    if not given and noop_with_empty_axes:
        return x
    answer: Tensor = reduced(x, tuple(sorted(given)) or tuple(range(x.ndim)), keepdim=bool(keepdims))
    return answer


def _mean(x: Tensor, axes: tuple[int, ...], *, keepdim: bool) -> Tensor:
    """The mean; that of each plane, kept as a plane, is what exporters make of average pooling."""
    if keepdim and axes == _SPATIAL and x.ndim == _IMAGE_DIMS:
        return functional.adaptive_avg_pool2d(x, 1)
    return x.mean(axes, keepdim=keepdim)


def _norm(order: int, x: Tensor, axes: tuple[int, ...], *, keepdim: bool) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(x, order, axes, keepdim)
    return norm


def _sum_of_squares(x: Tensor, axes: tuple[int, ...], *, keepdim: bool) -> Tensor:
    return x.square().sum(axes, keepdim=keepdim)


def _average_pool(x: Tensor) -> Tensor:
    if x.ndim == _IMAGE_DIMS:
        return functional.adaptive_avg_pool2d(x, 1)
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


def _layer_norm(  # noqa: PLR0913 - as the operator
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    del stash_type  # in which type the statistics are kept
    return functional.layer_norm(x, x.shape[axis % x.ndim :], weight, bias, epsilon)


def _rms_norm(x: Tensor, weight: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Tensor:
    del stash_type
    return functional.rms_norm(x, x.shape[axis % x.ndim :], weight, epsilon)


def _group_norm(  # noqa: PLR0913 - as the operator
    x: Tensor, weight: Tensor, bias: Tensor, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    del stash_type
    return functional.group_norm(x, num_groups, weight, bias, epsilon)


def _gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return functional.gelu(x, approximate=approximate)


def _cast_like(x: Tensor, like: Tensor, *, saturate: int = 1, round_mode: str = "up") -> Tensor:
    del saturate, round_mode  # of types with 8 bits
    return x.to(like.dtype)


def _reshape(x: Tensor, shape: Tensor, *, allowzero: int = 0) -> Tensor:
    sizes = [int(size) for size in shape]
    return x.reshape(sizes if allowzero else [size or x.shape[place] for place, size in enumerate(sizes)])


def _slice(x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None) -> Tensor:
    given = (starts, ends, range(len(starts)) if axes is None else axes, [1] * len(starts) if steps is None else steps)
    for start, end, axis, step in zip(*(map(int, numbers) for numbers in given), strict=True):
        places = range(*slice(start, end, step).indices(x.shape[axis]))
        if step > 0:
            x = x[(slice(None),) * (axis % x.ndim) + (slice(places.start, places.stop, step),)]
        else:
            x = x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))
    return x


def _split(
    x: Tensor, sizes: Tensor | None = None, *, axis: int = 0, num_outputs: int | None = None
) -> tuple[Tensor, ...]:
    if sizes is not None:
        return torch.split(x, [int(size) for size in sizes], axis)
    if num_outputs is None:
        raise ValueError("Split without sizes")
    return torch.split(x, -(-x.shape[axis] // num_outputs), axis)


def _attention(  # noqa: PLR0913 - as the operator
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    scale: float | None = None,
    is_causal: int = 0,
) -> Tensor:
    if query.ndim != _IMAGE_DIMS:
        raise ValueError("Attention of three-dimensional inputs")
    grouped = query.shape[1] != key.shape[1]
    return functional.scaled_dot_product_attention(
        query, key, value, mask, is_causal=bool(is_causal), scale=scale, enable_gqa=grouped
    )


_OPERATORS: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "ReduceMean": ((18,), partial(_reduce, _mean)),
    "ReduceMax": ((18, 20), partial(_reduce, torch.amax)),
    "ReduceMin": ((18, 20), partial(_reduce, torch.amin)),
    "ReduceL1": ((18,), partial(_reduce, partial(_norm, 1))),
    "ReduceL2": ((18,), partial(_reduce, partial(_norm, 2))),
    "ReduceLogSumExp": ((18,), partial(_reduce, torch.logsumexp)),
    "ReduceSumSquare": ((18,), partial(_reduce, _sum_of_squares)),
    "GlobalAveragePool": ((1, 22), _average_pool),
    "LayerNormalization": ((17,), _layer_norm),
    "RMSNormalization": ((23,), _rms_norm),
    "GroupNormalization": ((21,), _group_norm),
    "Gelu": ((20,), _gelu),
    "CastLike": ((15, 19, 21, 23, 24, 25), _cast_like),
    "Mish": ((18, 22), functional.mish),
    "Reshape": ((5, 13, 14, 19, 21, 23, 24, 25), _reshape),
    "Slice": ((10, 11, 13), _slice),
    "Split": ((18,), _split),
    "Attention": ((23, 24), _attention),
}
"""Operator -> its versions, and the function of its inputs and settings."""
_ONE_OUTPUT = frozenset(_OPERATORS) - {"Split"}


@cache
def teach_onnx2torch() -> None:
    """Add to the table of converters; each is checked on every model by comparison with ONNX Runtime."""
    table = registry._CONVERTER_REGISTRY  # noqa: SLF001 - its own function refuses to replace an entry
    for operator, (versions, function) in _OPERATORS.items():
        for version in versions:
            table[registry.OperationDescription("", operator, version)] = partial(_convert, function)
    known = {entry.operation_type for entry in table}
    for schema in sorted(onnx.defs.get_all_schemas_with_history(), key=lambda schema: schema.since_version):
        entry = registry.OperationDescription("", schema.name, schema.since_version)
        if schema.domain == "" and schema.name in known and schema.name not in _OPERATORS and entry not in table:
            _take_over(table, entry)


def _take_over(table: dict[Any, Any], entry: Any) -> None:
    """Convert a newer version as the one before: most differ in the types allowed."""
    older = [other for other in table if other.operation_type == entry.operation_type and not other.domain]
    older = [other for other in older if other.version < entry.version]
    if older:
        table[entry] = partial(_convert_as_before, table[max(older, key=lambda other: other.version)])


def _convert_as_before(before: Callable[..., Any], node: OnnxNode, graph: OnnxGraph) -> Any:
    new = _NEW_SETTINGS.get(node.operation_type, set()) & node.attributes.keys()
    if new or len(node.input_values) > _NEW_INPUTS.get(node.operation_type, len(node.input_values)):
        raise NotImplementedError(f"{node.operation_type} with what its newer version added")
    return before(node, graph)


def _convert(function: Callable[..., Any], node: OnnxNode, _graph: OnnxGraph) -> OperationConverterResult:
    if node.operation_type in _ONE_OUTPUT and len(node.output_values) > 1:
        raise NotImplementedError(f"{node.operation_type} with {len(node.output_values)} outputs")
    return OperationConverterResult(Operator(function, node.attributes), onnx_mapping_from_node(node))
