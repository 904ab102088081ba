"""Architecture by name -> an untrained module with what is known about its input. Runs in the worker only."""

from __future__ import annotations

import importlib.util
import inspect
import math
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.spec import suggest
from efficiency360.subject.formats.foreign_code import answering

if TYPE_CHECKING:
    from collections.abc import Callable

_IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Architecture:
    """An untrained module; `preprocess` holds the keys of `Preprocess` that the architecture's home declares.

    `head` and `stem` name the tensors whose first and second dimension are the classes and the input channels.
    """

    module: nn.Module
    preprocess: dict[str, Any]
    class_names: tuple[str, ...] | None = None
    head: str | None = None
    stem: str | None = None


@dataclass(frozen=True)
class Wishes:
    """How an architecture should differ from its defaults; one that cannot is built as it is. `size` is (H, W)."""

    num_classes: int | None = None
    channels: int | None = None
    size: tuple[int, int] | None = None


def build(arch: str, wishes: Wishes, *, seed: int) -> Architecture:
    """Build an architecture with random weights drawn from `seed`.

    Raises:
        InputError: no such architecture, or it cannot be built.
    """
    catalogue, _, name = arch.partition(":")
    builder: Callable[..., Architecture] = {"timm": _timm, "torchvision": _torchvision, "zoo": _zoo}.get(
        catalogue, _factory
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        return builder(arch if builder is _factory else name, wishes)


def _timm(name: str, wishes: Wishes) -> Architecture:
    import timm  # noqa: PLC0415 - a second of import, only for its own architectures

    if not timm.is_model(name):
        raise InputError(f"timm has no architecture '{name}'{_nearest(name, timm.list_models())}")
    config = timm.models.get_pretrained_cfg(name).to_dict()
    fixed = config.get("fixed_input_size") and wishes.size not in (None, config["input_size"][1:])
    options = {
        "num_classes": wishes.num_classes,
        "in_chans": wishes.channels,
        "img_size": wishes.size if fixed else None,
    }
    module = timm.create_model(name, pretrained=False, **{key: value for key, value in options.items() if value})
    preprocess = timm_preprocess(timm.data.resolve_data_config({}, model=module, verbose=False))
    if wishes.channels not in (None, preprocess["channels"]):
        mean_and_std = {key: preprocess[key][:1] for key in ("mean", "std")}
        preprocess = {**preprocess, "channels": wishes.channels, **mean_and_std}
    return Architecture(
        module,
        preprocess,
        class_names=_imagenet_synsets(timm) if module.num_classes == _IMAGENET_CLASSES else None,
        head=_weight_name(config.get("classifier")),
        stem=_weight_name(config.get("first_conv")),
    )


def timm_preprocess(config: dict[str, Any]) -> dict[str, Any]:
    """Timm's evaluation transform (timm.data.transforms_factory) in our terms."""
    channels, height, width = config["input_size"]
    scaled = (math.floor(height / config["crop_pct"]), math.floor(width / config["crop_pct"]))
    squash = config["crop_mode"] == "squash" or height != width
    interpolation = config["interpolation"]
    return {
        "size": (height, width),
        "resize": scaled if squash else scaled[0],
        "interpolation": "bilinear" if interpolation == "random" else interpolation,
        "channels": channels,
        "mean": tuple(map(float, config["mean"])),
        "std": tuple(map(float, config["std"])),
    }


def _imagenet_synsets(timm: Any) -> tuple[str, ...]:
    return tuple(timm.data.ImageNetInfo("imagenet-1k").label_names())


def _weight_name(layer: str | tuple[str, ...] | None) -> str | None:
    first = layer[0] if isinstance(layer, tuple | list) and layer else layer
    return f"{first}.weight" if isinstance(first, str) and first else None


def _torchvision(name: str, wishes: Wishes) -> Architecture:
    from torchvision import models  # noqa: PLC0415 - see _timm

    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"torchvision has no classifier '{name}'{_nearest(name, known)}")
    options = {"num_classes": wishes.num_classes} if wishes.num_classes else {}
    module = models.get_model(name, weights=None, **options)
    transform = models.get_model_weights(name).DEFAULT.transforms()
    preprocess = {
        "size": tuple(transform.crop_size) * (2 // len(transform.crop_size)),
        "resize": transform.resize_size[0],
        "interpolation": transform.interpolation.value,
        "channels": 3,
        "mean": tuple(transform.mean),
        "std": tuple(transform.std),
    }
    return Architecture(module, preprocess, head=_last_matrix(module))


def _last_matrix(module: nn.Module) -> str | None:
    """The last weight of a linear or 1x1 convolution layer: a classifier's head, by convention of order."""
    linear = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return f"{linear[-1]}.weight" if linear else None


def _first_filter(module: nn.Module) -> str | None:
    """The first convolution's weight: a network's stem, by convention of order."""
    first = next((name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d)), None)
    return None if first is None else f"{first}.weight".lstrip(".")


def _zoo(name: str, wishes: Wishes) -> Architecture:
    module = zoo.create(name, num_classes=wishes.num_classes, channels=wishes.channels, size=wishes.size)
    if (spec := getattr(module, "spec", None)) is None:
        return Architecture(module, {})
    return Architecture(
        module, {"size": spec.size, "channels": spec.channels}, head=_last_matrix(module), stem=_first_filter(module)
    )


def _factory(arch: str, wishes: Wishes) -> Architecture:
    """Call `path/to/file.py:function`, with `num_classes`, `in_chans` and `img_size` where it takes them."""
    file, _, function = arch.rpartition(":")
    factory = _import_function(Path(file), function)
    with answering(f"{arch} cannot be called"):
        parameters = inspect.signature(factory).parameters
    wanted = {"num_classes": wishes.num_classes, "in_chans": wishes.channels, "img_size": wishes.size}
    with answering(f"{arch} does not make a model"):
        module = factory(**{key: value for key, value in wanted.items() if value and key in parameters})
    if not isinstance(module, nn.Module):
        raise InputError(f"{arch} returned {type(module).__name__}, not a torch.nn.Module")
    return Architecture(module, {}, head=_last_matrix(module), stem=_first_filter(module))


def _import_function(path: Path, function: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"e360_factory_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # so that it can import what lies beside it, as when it is run
    with answering(f"{path} cannot be imported"):
        spec.loader.exec_module(module)
    if not callable(found := getattr(module, function, None)):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise InputError(f"{path} has no function '{function}'{suggest(function, names)}")
    return found  # type: ignore[no-any-return]


def _nearest(name: str, known: list[str]) -> str:
    hint = suggest(name, known)
    return hint if "did you mean" in hint else f"; it knows {len(known)} others"
