"""`SubjectRequest` -> `Subject`, in the worker: build, fill with weights, find out shapes by one probe."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import ValidationError
from torch import nn

from efficiency360.dataset.preprocess import Preprocess
from efficiency360.errors import InputError
from efficiency360.records import Caveat, SubjectRecord
from efficiency360.subject.architectures import Architecture, Wishes, build
from efficiency360.subject.checkpoint import fit, read_weights, shape_of
from efficiency360.subject.info import SubjectInfo
from efficiency360.subject.sniff import FileKind
from efficiency360.subject.subject import Subject, select_logits, weights_dtype

if TYPE_CHECKING:
    from efficiency360.subject.manifest import PreprocessTable
    from efficiency360.subject.request import SubjectRequest


@dataclass(frozen=True)
class _Loaded:
    architecture: Architecture
    caveats: tuple[Caveat, ...]


_RANDOM = Caveat(
    id="subject.random_weights",
    severity="critical",
    text="The weights are random: only axes that need no labels, such as cost, mean anything.",
)
_FACTORY_WEIGHTS = Caveat(
    id="subject.factory_weights",
    severity="warning",
    text="No weights file was given: the weights are what the factory's code made. If it did not load trained ones,"
    " only axes that need no labels, such as cost, mean anything.",
)
_IN_MEMORY = Caveat(
    id="subject.in_process",
    severity="warning",
    text="The model was observed in the caller's own process: no isolation from it, and no hard limit on its time.",
)
_ASSUMED = Caveat(
    id="subject.preprocess_assumed",
    severity="warning",
    text="No preprocessing is declared: images were resized to the input size and scaled to [0, 1], nothing else."
    " If the model was trained otherwise, give a manifest.",
)


def load_subject(request: SubjectRequest, module: nn.Module | None = None) -> tuple[Subject, SubjectInfo]:
    """Load the subject; a `module` already in memory is copied and takes the place of file and architecture.

    Raises:
        InputError: the weights do not fit, the input is not known, or the model does not return logits.
    """
    loaded = _in_memory(module) if module is not None else _from_request(request)
    preprocess, caveats = _preprocess(request, loaded)
    device = _device(request.device)
    network = loaded.architecture.module.to(device).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    num_classes = _probe(network, preprocess, request.manifest.model.output, device)
    file_bytes = Path(request.file).stat().st_size if request.file else None
    subject = Subject(
        network, preprocess, device, request.fingerprint, num_classes, request.manifest.model.output, file_bytes
    )
    return subject, _info(request, subject, loaded, caveats)


def _info(request: SubjectRequest, subject: Subject, loaded: _Loaded, caveats: tuple[Caveat, ...]) -> SubjectInfo:
    record = SubjectRecord(
        name=request.name,
        file=Path(request.file).name if request.file else None,
        fingerprint=request.fingerprint,
        kind=request.kind,
        arch=_portable(request.arch),
        num_classes=subject.num_classes,
        input=subject.input_shape,
        preprocess=subject.preprocess.model_dump(mode="json"),
        caveats=(*loaded.caveats, *caveats),
    )
    names = request.manifest.labels.names or loaded.architecture.class_names
    return SubjectInfo(
        record=record,
        preprocess=subject.preprocess,
        num_classes=subject.num_classes,
        class_names=names,
        differentiable=subject.differentiable,
        device=_device_name(subject.device),
        versions={"torch": torch.__version__},
    )


def _portable(arch: str | None) -> str | None:
    """An architecture without the folders that only this machine has."""
    return Path(arch).name if arch and arch.rpartition(":")[0].endswith(".py") else arch


def _in_memory(module: nn.Module) -> _Loaded:
    try:
        return _Loaded(Architecture(copy.deepcopy(module), {}), (_IN_MEMORY,))
    except Exception as error:
        raise InputError(
            f"the module cannot be copied ({type(error).__name__}: {error}); audit its weights file"
        ) from error


def _from_request(request: SubjectRequest) -> _Loaded:
    assert request.arch is not None  # noqa: S101 - the parent refuses files without one
    declared = _declared(request)
    if request.file is None:
        built = build(request.arch, declared, seed=request.seed)
        return _Loaded(built, (_RANDOM if request.factory_fingerprint is None else _FACTORY_WEIGHTS,))
    path = Path(request.file)
    weights = read_weights(path, FileKind(request.kind), request.globals_)
    architecture = _resized(build(request.arch, Wishes(size=declared.size), seed=request.seed), weights, request)
    expected = architecture.module.state_dict()
    fitted = fit(weights, expected, remap=request.remap, key=request.key, file=path.name, arch=request.arch)
    state = OrderedDict(fitted.tensors)
    state._metadata = expected._metadata  # type: ignore[attr-defined] # noqa: SLF001 - names are now as of this version
    architecture.module.load_state_dict(state, strict=True)
    return _Loaded(architecture, tuple(map(_weights_caveat, fitted.notes)))


def _weights_caveat(note: str) -> Caveat:
    if "NaN or infinite" in note:
        return Caveat(id="subject.broken_weights", severity="critical", text=f"Weights: {note}.")
    return Caveat(id="subject.weights", severity="info", text=f"Weights: {note}.")


def _declared(request: SubjectRequest) -> Wishes:
    """The channels and the size that the user or the manifest state."""
    if request.input:
        return Wishes(channels=request.input[0], size=request.input[1:])
    table = _from_table(request.manifest.preprocess)
    return Wishes(channels=table.get("channels"), size=table.get("size"))


def _resized(architecture: Architecture, weights: object, request: SubjectRequest) -> Architecture:
    """The architecture again with the number of classes and channels that the weights were made for."""
    assert request.arch is not None  # noqa: S101 - see _from_request
    expected = architecture.module.state_dict()
    wanted = {}
    for option, name, dim in (("num_classes", architecture.head, 0), ("channels", architecture.stem, 1)):
        if name is None or name not in expected:
            continue
        found = shape_of(weights, name, expected, key=request.key)
        if found and len(found) == expected[name].ndim and found[dim] != expected[name].shape[dim]:
            wanted[option] = found[dim]
    wishes = Wishes(size=_declared(request).size, **wanted)
    return build(request.arch, wishes, seed=request.seed) if wanted else architecture


def _preprocess(request: SubjectRequest, loaded: _Loaded) -> tuple[Preprocess, tuple[Caveat, ...]]:
    """The architecture's preprocessing under the manifest's under `--input`, with caveats on what was assumed."""
    known, table = loaded.architecture.preprocess, request.manifest.preprocess
    values = {**known, **_from_table(table)}
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
    values.setdefault("channels", _channels_of(loaded.architecture.module))
    try:
        preprocess = Preprocess.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"preprocess.{'.'.join(map(str, first['loc'][:1]))}: {first['msg']}") from error
    _check_channels(preprocess)
    return preprocess, tuple(
        _doubts(
            preprocess, known, declared=bool(known) or {"mean", "std", "resize"} & _from_table(table).keys() != set()
        )
    )


def _channels_of(module: nn.Module) -> int:
    """The channels that the first convolution takes, where that is an image's; else 3."""
    first = next((layer.in_channels for layer in module.modules() if isinstance(layer, nn.Conv2d)), 3)
    return first if first in (1, 3) else 3


def _from_table(table: PreprocessTable) -> dict[str, Any]:
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


def _doubts(preprocess: Preprocess, known: dict[str, Any], *, declared: bool) -> list[Caveat]:
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


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _probe(module: nn.Module, preprocess: Preprocess, output: int | str | None, device: torch.device) -> int:
    """The number of classes, from one forward pass over two grey images."""
    images = torch.full((2, preprocess.channels, *preprocess.size), 0.5, device=device, dtype=weights_dtype(module))
    try:
        with torch.inference_mode():
            answer = module(images)
    except Exception as error:
        shape = "x".join(map(str, images.shape[1:]))
        line = (str(error).splitlines() or [""])[0]
        hint = "" if "argument" in line else "; is that the right size (--input)?"
        raise InputError(f"the model does not run on a {shape} input ({type(error).__name__}: {line}){hint}") from error
    return int(select_logits(answer, output, len(images)).shape[1])
