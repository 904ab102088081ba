"""Writes the index of architectures that `e360 inspect` compares files with; run by `make architectures`.

Every classifier of timm, torchvision and the zoo is built twice on the meta device, which holds shapes and no weights.
"""

from __future__ import annotations

import json
import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import timm
import torch
import torchvision
from torch.overrides import TorchFunctionMode

from efficiency360 import zoo
from efficiency360.subject.inspection.signatures import Signature, pack, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn

    Build = Callable[[int], nn.Module]
    Shapes = dict[str, tuple[int, ...]]

_CLASSES = (1000, 1001)


def builders() -> Iterator[tuple[str, Build]]:
    """Every architecture by its name on the command line, with a function of the number of classes that builds it."""
    for name in timm.list_models():
        yield f"timm:{name}", partial(_timm, name)
    models = torchvision.models
    for name in models.list_models(module=models):
        yield f"torchvision:{name}", partial(_torchvision, name)
    for name in zoo.names():
        yield f"zoo:{name}", partial(_zoo, name)


def _timm(name: str, classes: int) -> nn.Module:
    module: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
    return module


def _torchvision(name: str, classes: int) -> nn.Module:
    module: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes)
    return module


def _zoo(name: str, classes: int) -> nn.Module:
    return zoo.create(name, num_classes=classes)


class _WeightsOnMeta(TorchFunctionMode):
    """Only what layers make their weights with is without data, not the numbers that a constructor computes with."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = dict(kwargs or {})
        if func in (torch.empty, torch.zeros, torch.ones):
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def signature(arch: str, build: Build) -> Signature:
    """The signature of one architecture; raises whatever building it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.device("meta"):
                one, other = map(_shapes, map(build, _CLASSES))
        except NotImplementedError:  # its constructor reads a number back from a tensor
            with _WeightsOnMeta():
                one, other = map(_shapes, map(build, _CLASSES))
    return sign(arch, one, other)


def _shapes(module: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def main() -> None:
    """Write the index to standard output, and what could not be built to standard error."""
    signatures = []
    for arch, build in builders():
        try:
            signatures.append(signature(arch, build))
        except Exception as error:  # noqa: BLE001 - one that cannot be built is left out, and said
            sys.stderr.write(f"{arch}: left out, {type(error).__name__}: {str(error)[:200]}\n")
    versions = {"timm": timm.__version__, "torchvision": torchvision.__version__.partition("+")[0]}
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in pack(signatures))
    sys.stdout.write(f'{{"versions":{json.dumps(versions)},"architectures":[\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
