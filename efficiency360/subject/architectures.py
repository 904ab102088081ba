"""Architecture by name -> an untrained module with what is known about its input. Runs in the worker only."""

from __future__ import annotations

import importlib.util
import inspect
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.spec import suggest

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


def build(arch: str, *, seed: int, num_classes: int | None = None, channels: int | None = None) -> Architecture:
    """Build an architecture with random weights drawn from `seed`.

    Other numbers of classes and channels are wishes: an architecture that cannot have them is built as it is.

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
        return builder(arch if builder is _factory else name, num_classes, channels)


def _timm(name: str, num_classes: int | None, channels: int | None) -> Architecture:
    import timm  # noqa: PLC0415 - a second of import, only for its own architectures

    if not timm.is_model(name):
        raise InputError(f"timm has no architecture '{name}'{_nearest(name, timm.list_models())}")
    options = {"num_classes": num_classes, "in_chans": channels}
    module = timm.create_model(name, pretrained=False, **{key: value for key, value in options.items() if value})
    config = module.pretrained_cfg
    preprocess = _timm_preprocess(timm.data.resolve_data_config({}, model=module, verbose=False))
    if channels and channels != preprocess["channels"]:
        preprocess = {**preprocess, "channels": channels, "mean": preprocess["mean"][:1], "std": preprocess["std"][:1]}
    return Architecture(
        module,
        preprocess,
        class_names=_imagenet_synsets(timm) if module.num_classes == _IMAGENET_CLASSES else None,
        head=_weight_name(config.get("classifier")),
        stem=_weight_name(config.get("first_conv")),
    )


def _timm_preprocess(config: dict[str, Any]) -> dict[str, Any]:
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


def _torchvision(name: str, num_classes: int | None, _channels: int | None) -> Architecture:
    from torchvision import models  # noqa: PLC0415 - see _timm

    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"torchvision has no classifier '{name}'{_nearest(name, known)}")
    options = {"num_classes": num_classes} if num_classes else {}
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


def _zoo(name: str, _num_classes: int | None, _channels: int | None) -> Architecture:
    return Architecture(zoo.create(name), {})


def _factory(arch: str, num_classes: int | None, channels: int | None) -> Architecture:
    """Call `path/to/file.py:function`, with `num_classes` and `in_chans` where it takes them."""
    file, _, function = arch.rpartition(":")
    factory = _import_function(Path(file), function)
    parameters = inspect.signature(factory).parameters
    wanted = {"num_classes": num_classes, "in_chans": channels}
    try:
        module = factory(**{key: value for key, value in wanted.items() if value and key in parameters})
    except Exception as error:
        raise InputError(f"{arch} raised {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{arch} returned {type(module).__name__}, not a torch.nn.Module")
    return Architecture(module, {}, head=_last_matrix(module))


def _import_function(path: Path, function: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"e360_factory_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(found := getattr(module, function, None)):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise InputError(f"{path} has no function '{function}'{suggest(function, names)}")
    return found  # type: ignore[no-any-return]


def _nearest(name: str, known: list[str]) -> str:
    hint = suggest(name, known)
    return hint if "did you mean" in hint else f"; it knows {len(known)} others"
