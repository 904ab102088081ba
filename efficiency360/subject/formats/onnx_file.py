"""What an ONNX file says of itself: what it takes and answers, whose operators it needs, its weights. Worker only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.errors import InputError
from efficiency360.subject.files.names import quoted, short
from efficiency360.subject.files.parts import external_files
from efficiency360.subject.files.sniff import shown
from efficiency360.subject.subject import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import onnx

    from efficiency360.subject.request import SubjectRequest

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft"})
_IMAGE_DIMS = 4
_FLOATS = frozenset({"FLOAT", "FLOAT16", "DOUBLE"})
_WEIGHT_TYPES = frozenset({1, 2, 3, 10, 11, 16})  # of onnx.TensorProto: float, uint8, int8, float16, double, bfloat16


@dataclass(frozen=True)
class OnnxGraph:
    """A checked file: the sizes of its input (None where free), the names of its outputs, and which one to take."""

    path: Path
    proto: onnx.ModelProto
    sizes: tuple[int | None, ...]
    outputs: tuple[str, ...]
    output: str


def read_onnx(path: Path, request: SubjectRequest) -> OnnxGraph:
    """Read the file and its external data, and check what it takes and answers.

    Raises:
        InputError: it takes something else than one batch of images, its output is not named, or it needs other files
            or operators than it may.
    """
    import onnx  # noqa: PLC0415 - optional

    proto = onnx.load(str(path), load_external_data=False)
    _check_domains(proto, path)
    names = [
        entry.value for tensor in _tensors(proto.graph) for entry in tensor.external_data if entry.key == "location"
    ]
    strange = [file for file in external_files(path, names) if str(file) not in request.reads]
    if strange:
        raise InputError(
            f"{shown(path)} wants {short(strange[0].name)} read, which was not found when it was looked at"
        )
    if names:
        onnx.load_external_data_for_model(proto, str(path.parent))
    outputs = tuple(output.name for output in proto.graph.output)
    return OnnxGraph(path, proto, _sizes(proto.graph, path), outputs, _output(outputs, request, path))


def _check_domains(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse operators that only a library of somebody's own brings."""
    own = {function.domain for function in proto.functions}
    nodes = [*_nodes(proto.graph.node), *(node for function in proto.functions for node in _nodes(function.node))]
    foreign = sorted({node.domain for node in nodes} - _DOMAINS - own)
    if foreign:
        operators = sorted({node.op_type for node in nodes if node.domain == foreign[0]})
        raise InputError(
            f"{shown(path)} needs operators of {quoted(foreign)} ({quoted(operators)}), which a library of its own"
            " would have to bring, and e360 loads none; export it with standard operators"
        )


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner.node)


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Initialisers and constants, those of inner graphs included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _sizes(graph: onnx.GraphProto, path: Path) -> tuple[int | None, ...]:
    """(N, C, H, W) of the one input, None where a size is free."""
    import onnx  # noqa: PLC0415 - optional

    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    if len(inputs) != 1:
        named = quoted([value.name for value in inputs])
        raise InputError(
            f"{shown(path)} takes {len(inputs)} inputs ({named}); export one that takes one batch of images"
        )
    tensor = inputs[0].type.tensor_type
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type)
    sizes = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    shape = "x".join("?" if size is None else str(size) for size in sizes)
    takes = f"{shown(path)} takes {kind.lower()} {shape}"
    if kind not in _FLOATS:
        raise InputError(
            f"{takes}; export one that takes float32, float16 or float64 images, normalised as in training"
        )
    if len(sizes) != _IMAGE_DIMS:
        raise InputError(f"{takes}; export one that takes images as batch x channels x height x width")
    if sizes[1] not in (1, 3, None):
        last = "channels come last there: " if sizes[3] in (1, 3) else ""
        raise InputError(f"{takes}; {last}export one that takes images as batch x 1 or 3 channels x height x width")
    return sizes


def _output(names: tuple[str, ...], request: SubjectRequest, path: Path) -> str:
    wanted = request.manifest.model.output
    if isinstance(wanted, int) and -len(names) <= wanted < len(names):
        return names[wanted]
    if isinstance(wanted, str) and wanted in names:
        return wanted
    if wanted is None and len(names) == 1:
        return names[0]
    asked = "" if wanted is None else f", and output = {wanted!r} is none of them"
    raise InputError(
        f"{shown(path)} has the outputs {', '.join(map(short, names))}{asked}; say which holds the logits with output ="
        " ... under [model] in the manifest"
    )


def stored_in(graph: onnx.GraphProto) -> Stored:
    """The weights in the file: numbers that are not single; statistics of batch norm are no parameters."""
    import onnx  # noqa: PLC0415 - optional

    statistics = {
        name for node in _nodes(graph.node) if node.op_type == "BatchNormalization" for name in node.input[3:]
    }
    params = size = 0
    for tensor in _tensors(graph):
        n = math.prod(tensor.dims)
        if n > 1 and tensor.data_type in _WEIGHT_TYPES:
            params += 0 if tensor.name in statistics else n
            size += n * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return Stored(params, size)
