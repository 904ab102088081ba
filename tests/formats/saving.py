"""One network, saved as people save them. Warnings of the exporters are not the tests' matter."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIDE = 8


def images(n: int) -> torch.Tensor:
    return torch.rand((n, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(n))


@contextmanager
def quietly() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def script(net: nn.Module, path: Path) -> None:
    torch.jit.script(net).save(str(path))


def trace(net: nn.Module, path: Path) -> None:
    torch.jit.trace(net, images(2), strict=False).save(str(path))


def freeze(net: nn.Module, path: Path) -> None:
    torch.jit.freeze(torch.jit.script(net)).save(str(path))


def export(net: nn.Module, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.export.save(torch.export.export(net, (images(2),), dynamic_shapes=({0: batch},)), path)


def export_for(n: int) -> Callable[[nn.Module, Path], None]:
    return lambda net, path: torch.export.save(torch.export.export(net, (images(n),)), path)


def onnx(net: nn.Module, path: Path, **options: object) -> None:
    given = {"dynamic_shapes": ({0: torch.export.Dim("batch")},), "dynamo": True, "external_data": False} | options
    torch.onnx.export(net, (images(2),), str(path), verbose=False, **given)


def onnx_as_it_is(net: nn.Module, path: Path) -> None:
    """With the batch norm kept, which exporters fold into the convolution before it."""
    onnx(net, path, optimize=False)


def onnx_for_two(net: nn.Module, path: Path) -> None:
    onnx(net, path, dynamic_shapes=None, optimize=False)


def onnx_by_tracing(net: nn.Module, path: Path) -> None:
    onnx(
        net,
        path,
        dynamo=False,
        dynamic_shapes=None,
        external_data=True,
        opset_version=17,
        input_names=["images"],
        dynamic_axes={"images": {0: "n"}},
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )


PROGRAMS: dict[str, Callable[[nn.Module, Path], None]] = {
    "scripted.pt": script,
    "traced.pt": trace,
    "pickled.pt": torch.save,
    "legacy.pt": lambda net, path: torch.save(net, path, _use_new_zipfile_serialization=False),
    "exported.pt2": export,
    "exported_for_1.pt2": export_for(1),
    "exported_for_2.pt2": export_for(2),
    "exported_for_8.pt2": export_for(8),
    "dynamic.onnx": onnx_as_it_is,
    "for_two.onnx": onnx_for_two,
    "by_tracing.onnx": onnx_by_tracing,
}
"""File name -> how it is saved; all bring their own code, and keep every layer."""
WEIGHTS: dict[str, Callable[[nn.Module, Path], None]] = {
    "state_dict.pt": lambda net, path: torch.save(net.state_dict(), path),
    "weights.safetensors": lambda net, path: save_file(net.state_dict(), path),
}
"""The same for weights, which need an architecture."""
