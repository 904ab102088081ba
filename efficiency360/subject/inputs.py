"""How images reach a model: what its file says, under what the manifest says, under `--input`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from torch import nn

from efficiency360.dataset.preprocess import Preprocess
from efficiency360.errors import InputError
from efficiency360.records import Caveat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from efficiency360.subject.formats.loaded import Loaded
    from efficiency360.subject.manifest import PreprocessTable
    from efficiency360.subject.request import SubjectRequest

_SAID = frozenset({"mean", "std", "resize"})
_IMAGE_WEIGHT_DIMS = 4
_ASSUMED = Caveat(
    id="subject.preprocess_assumed",
    severity="warning",
    text="No preprocessing is declared: images were resized to the input size and scaled to [0, 1], nothing else."
    " If the model was trained otherwise, give a manifest.",
)


def preprocessing(request: SubjectRequest, loaded: Loaded) -> tuple[Preprocess, tuple[Caveat, ...]]:
    """The preprocessing, with caveats on what was assumed.

    Raises:
        InputError: the input size is not known, or the values do not go together.
    """
    known, table = loaded.preprocess, from_table(request.manifest.preprocess)
    values = {**known, **table}
    if request.input is not None:
        values.update(_rescaled(values, request.input))
    if "size" not in values and request.data_shape is not None:
        channels, *size = request.data_shape
        values = {"channels": channels, "size": tuple(size), "resize": None} | values
    if "size" not in values:
        raise InputError(
            f"the input size of {request.arch or request.name} is not known: give --input 3x224x224 (channels x height"
            " x width), or [preprocess] size in a manifest"
        )
    values.setdefault("resize", values["size"])
    values.setdefault("channels", _channels_of(loaded.module))
    try:
        preprocess = Preprocess.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"preprocess.{'.'.join(map(str, first['loc'][:1]))}: {first['msg']}") from error
    _check_channels(preprocess)
    return preprocess, tuple(_doubts(preprocess, known, declared=bool(_SAID & {*known, *table})))


def _channels_of(module: nn.Module) -> int:
    """The channels that the first convolution takes, where that is an image's; else 3."""
    first = next((layer.in_channels for layer in module.modules() if isinstance(layer, nn.Conv2d)), None)
    if first is None:  # scripted layers have no class
        weights = (weight for weight in module.parameters() if weight.ndim == _IMAGE_WEIGHT_DIMS)
        first = next((weight.shape[1] for weight in weights), 3)
    return first if first in (1, 3) else 3


def from_table(table: PreprocessTable) -> dict[str, Any]:
    """The keys that a manifest's table gives, in the form of `Preprocess`."""
    values = table.model_dump(exclude_none=True)
    if isinstance(size := values.get("size"), int):
        values["size"] = (size, size)
    for key in ("mean", "std"):
        if isinstance(values.get(key), float | int):
            values[key] = (values[key],)
    return values


def _rescaled(values: dict[str, Any], shape: tuple[int, int, int]) -> dict[str, Any]:
    """The keys that change when the input becomes (C, H, W): a resize keeps its ratio to the crop."""
    channels, height, width = shape
    old, resize = values.get("size"), values.get("resize")
    scaled: int | tuple[int, int] = (height, width)
    if isinstance(resize, int) and old and height == width:
        scaled = round(resize * height / old[0])
    return {"channels": channels, "size": (height, width), "resize": scaled}


def _check_channels(preprocess: Preprocess) -> None:
    for key in ("mean", "std"):
        n = len(getattr(preprocess, key))
        if n not in (1, preprocess.channels):
            raise InputError(f"preprocess.{key} has {n} values for {preprocess.channels} channel(s)")


def _doubts(preprocess: Preprocess, known: Mapping[str, Any], *, declared: bool) -> list[Caveat]:
    if not declared:
        return [_ASSUMED]
    doubts = []
    ours = tuple(_per_channel(values, preprocess.channels) for values in (preprocess.mean, preprocess.std))
    theirs = tuple(known.get(key) for key in ("mean", "std"))
    if None not in theirs and ours != theirs:
        text = f"Mean and std {_pair(ours)} are not the architecture's own {_pair(theirs)}: wrong normalisation?"
        doubts.append(Caveat(id="subject.normalisation_differs", severity="warning", text=text))
    if max(map(abs, preprocess.mean)) > 1 or max(preprocess.std) > 2:  # noqa: PLR2004 - pixels are in [0, 1]
        text = f"Mean and std {_pair(ours)} look like 0-255 units, but pixels are in [0, 1]: wrong normalisation?"
        doubts.append(Caveat(id="subject.normalisation_scale", severity="warning", text=text))
    return doubts


def _per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values * channels if len(values) == 1 else values


def _pair(mean_and_std: tuple[Any, ...]) -> str:
    return " and ".join("[" + ", ".join(f"{value:g}" for value in values) + "]" for values in mean_and_std)
