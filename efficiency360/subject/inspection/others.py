"""What lies in safetensors files, in ONNX models and in folders of the Hugging Face kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from efficiency360.subject.files.onnx_proto import OnnxModel, read_onnx
from efficiency360.subject.files.safetensors import read_header
from efficiency360.subject.files.storages import ITEM_BYTES
from efficiency360.subject.inspection.contents import (
    MAX_TENSORS,
    Contents,
    Place,
    StoredTensor,
    WeightSet,
    image_input,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.subject.files.onnx_proto import Initializer, Port

_SAFETENSORS: Mapping[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
_ONNX = [
    "undefined",
    "float32",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "float64",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "uint4",
    "int4",
    "float4_e2m1",
    "float8_e8m0fnu",
]
_SHOWN_PORTS = 4


def safetensors_contents(file: BinaryIO, size: int) -> Contents:
    """The contents of a safetensors file, which sorts its tensors.

    Raises:
        InputError: damaged.
    """
    header = read_header(file, size)
    tensors = tuple(
        StoredTensor(one.name, one.shape, _SAFETENSORS.get(one.dtype, one.dtype), Place(one.start, one.end - one.start))
        for one in sorted(header.entries, key=lambda entry: entry.name)[:MAX_TENSORS]
    )
    return Contents(
        (WeightSet("", tensors, ordered=False),), facts={f"says {k}": v for k, v in header.metadata.items()}
    )


def onnx_contents(file: BinaryIO, size: int) -> Contents:
    """The initialisers, inputs, outputs and operator sets of an ONNX model.

    Raises:
        InputError: damaged.
    """
    model = read_onnx(file, size) or OnnxModel()
    tensors = tuple(map(_initializer, model.initializers))
    known = {tensor.name for tensor in tensors}
    inputs = [port for port in model.inputs if port.name not in known]
    facts = {
        "opset": ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in list(model.opsets.items())[:8]),
        "producer": model.producer,
        "inputs": _ports(inputs),
        "outputs": _ports(model.outputs),
        "nodes": str(model.nodes),
    }
    return Contents(
        (WeightSet("", tensors, ordered=False),),
        code=tuple(f"operators of {domain[:80]!a}, which need a library of their own" for domain in model.domains),
        facts={key: value for key, value in facts.items() if value},
        input=image_input(inputs[0].shape) if inputs else None,
    )


def _initializer(one: Initializer) -> StoredTensor:
    dtype = _ONNX[one.dtype] if one.dtype < len(_ONNX) else "?"
    plain = StoredTensor(one.name, one.shape, dtype, unread=one.unread)
    if one.start is None or one.end is None:
        return plain
    if one.end - one.start != plain.numel * ITEM_BYTES.get(dtype, 0):
        return StoredTensor(one.name, one.shape, dtype, unread="its bytes are not what its shape and dtype take")
    return StoredTensor(one.name, one.shape, dtype, Place(one.start, one.end - one.start))


def _ports(ports: list[Port]) -> str:
    shown = [f"{port.name[:40]} {'x'.join(map(str, port.shape)) or '(a number)'}" for port in ports[:_SHOWN_PORTS]]
    return ", ".join(shown) + (f" and {len(ports) - _SHOWN_PORTS} more" if len(ports) > _SHOWN_PORTS else "")
