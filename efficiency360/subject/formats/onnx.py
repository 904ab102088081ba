"""ONNX files: as a torch module where they convert faithfully, else run by ONNX Runtime. Worker only."""

from __future__ import annotations

import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.subject.files.sniff import shown
from efficiency360.subject.formats.exported import known_input
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.subject.formats.loaded import Loaded
from efficiency360.subject.formats.onnx_file import OnnxGraph, read_onnx, stored_in
from efficiency360.subject.formats.onnx_runtime import OnnxRuntimeModule
from efficiency360.subject.subject import weights_dtype
from efficiency360.words import one_line, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import onnx
    from torch import Tensor

    from efficiency360.subject.request import SubjectRequest

_PACKAGES = ("onnx", "onnx2torch", "onnxruntime")
_USUAL_SIDE = 224
_TOLERANCE, _HALF_TOLERANCE = 1e-4, 1e-2  # of the largest answer; some 10 units of rounding in half precision
_KNOWN_VERSIONS = (17, 13)
_CONVERTED = Caveat(
    id="subject.onnx_converted",
    severity="info",
    text="The ONNX graph was converted to torch, and agrees with ONNX Runtime on two random inputs. Speed is that of"
    " the converted model; what the export folded, such as batch norm, is not in its MACs.",
)


_BLACK_BOX = "ONNX Runtime runs this model, and torch does not see inside"


class _Chosen(nn.Module):
    """One of the outputs of a converted graph."""

    def __init__(self, module: nn.Module, place: int | None) -> None:
        super().__init__()
        self.module, self.place = module, place

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> the chosen output."""
        answer = self.module(images)
        chosen: Tensor = answer if self.place is None else answer[self.place]
        return chosen


def opened(request: SubjectRequest) -> Loaded:
    """An ONNX model.

    Raises:
        InputError: packages are missing, the file is damaged, needs operators of others, or takes something else than
            one batch of images.
    """
    if missing := [package for package in _PACKAGES if find_spec(package) is None]:
        raise InputError(
            f"{request.name} is an ONNX model, and opening it needs {', '.join(missing)}: pip install"
            " 'efficiency360[onnx]'"
        )
    if request.key is not None or request.remap is not None:
        raise InputError(f"{request.name} is a whole program; --key and --remap go with weights and checkpoints")
    path = Path(request.file or "")
    with warnings.catch_warnings(), answering(f"{shown(path)} cannot be opened as ONNX"):
        warnings.simplefilter("ignore")
        graph = read_onnx(path, request)
        reference = OnnxRuntimeModule(path, graph.output)
        converted, why_not = _converted(graph, reference, request)
    n = graph.sizes[0]
    return Loaded(
        reference if converted is None else converted,
        known_input(graph.sizes[1:]),
        caveats=(_CONVERTED if converted is not None else _not_converted(why_not),),
        takes_output=True,
        batch=None if n is None else (n, n),
        stored=stored_in(graph.proto.graph),
        black_box=_BLACK_BOX if converted is None else "",
    )


def _not_converted(why: str) -> Caveat:
    text = (
        f"ONNX Runtime runs the model as it is, because it was not converted to torch: {why}. No gradients reach the"
        " images, so axes that need them are skipped; it has no other layout, type or size than it was exported with;"
        " its MACs are not known."
    )
    return Caveat(id="subject.onnx_runtime", severity="warning", text=text)


def _converted(graph: OnnxGraph, reference: OnnxRuntimeModule, request: SubjectRequest) -> tuple[nn.Module | None, str]:
    """The graph as a torch module that agrees with ONNX Runtime; else why not."""
    place = None if len(graph.outputs) == 1 else graph.outputs.index(graph.output)
    why_not = ""
    for proto in _versions(graph.proto):
        try:
            module = _Chosen(_convert(proto), place).eval()
            disagreement = _disagreement(module, reference, _examples(graph, request))
        except Exception as error:  # noqa: BLE001 - a converter may fail in any way, and then another way is taken
            why_not = why_not or told(error)
            continue
        if not disagreement:
            return module, ""
        why_not = why_not or disagreement
    return None, one_line(why_not)


def _versions(proto: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """The model with its functions written out, then in versions of the operators that are better known."""
    import onnx.inliner  # noqa: PLC0415 - optional

    inlined = onnx.inliner.inline_local_functions(proto) if proto.functions else proto
    yield inlined
    now = next((entry.version for entry in inlined.opset_import if entry.domain in ("", "ai.onnx")), 0)
    for version in _KNOWN_VERSIONS:
        if version != now:
            with suppress(Exception):
                yield onnx.version_converter.convert_version(inlined, version)


def _convert(proto: onnx.ModelProto) -> nn.Module:
    import onnx2torch  # type: ignore[import-untyped] # noqa: PLC0415 - optional

    from efficiency360.subject.formats.onnx_operators import teach_onnx2torch  # noqa: PLC0415

    teach_onnx2torch()
    module: nn.Module = onnx2torch.convert(proto)
    return module


def _examples(graph: OnnxGraph, request: SubjectRequest) -> list[Tensor]:
    """Two random batches of different sizes, as far as the input is free."""
    known = request.input or request.data_shape or (3, _USUAL_SIDE, _USUAL_SIDE)
    shape = [size or free for size, free in zip(graph.sizes[1:], known, strict=True)]
    generator = torch.Generator().manual_seed(request.seed)
    return [torch.rand((graph.sizes[0] or n, *shape), generator=generator) for n in (1, 3)]


def _tolerance(reference: OnnxRuntimeModule, module: nn.Module) -> float:
    """How far answers may be apart by rounding, for one of size 1."""
    return _HALF_TOLERANCE if torch.float16 in (reference.dtype, weights_dtype(module)) else _TOLERANCE


def _disagreement(module: nn.Module, reference: OnnxRuntimeModule, examples: Iterable[Tensor]) -> str:
    """How far the module's answers are from those of ONNX Runtime, where that is more than rounding."""
    for images in examples:
        with torch.inference_mode():
            theirs = reference(images).float()
            ours = module(images.to(weights_dtype(module))).float()
        if ours.shape != theirs.shape:
            return f"converted, it answers {tuple(ours.shape)} instead of {tuple(theirs.shape)}"
        most = _tolerance(reference, module) * max(1.0, float(theirs.abs().max()))
        if not torch.allclose(ours, theirs, rtol=0, atol=most, equal_nan=True):
            return f"converted, its answers differ by {float((ours - theirs).abs().max()):.2g}"
    return ""
