"""Folders as Hugging Face's libraries write them: config.json beside weights, recognised without loading anything."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.subject.files.names import short
from efficiency360.subject.files.safetensors import read_header

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG = "config.json"
_WEIGHTS = ".safetensors"
_CLASSIFIER = "ForImageClassification"
_CLASSIFIERS = (_CLASSIFIER, f"{_CLASSIFIER}WithTeacher")
_MAX_CONFIG_BYTES = 2**20
_MAX_FILES = 10_000
_PICKLES = ("pytorch_model.bin", "model.bin", "pytorch_model.bin.index.json")
_MODELS = (_WEIGHTS, ".pt", ".pth", ".onnx", ".pt2", ".bin")
_OTHERS = {"tf_model.h5": "TensorFlow", "flax_model.msgpack": "Flax", "openvino_model.xml": "OpenVINO"}


@dataclass(frozen=True)
class ModelFolder:
    """An image classifier's folder: the library that wrote it ("timm" or "transformers"), and what its config names."""

    library: str
    architecture: str


def open_folder(folder: Path) -> ModelFolder:
    """Read what a folder says about itself, and check the headers of its weights.

    Raises:
        InputError: no model folder, or one of a kind that is not opened; the message says what to give instead.
    """
    names = _names(folder)
    if _CONFIG not in names:
        raise InputError(f"a folder, not a file; give the model file in it{_hint(names)}")
    library, architecture = _architecture(_config(folder / _CONFIG))
    weights = [folder / name for name in sorted(names) if name.endswith(_WEIGHTS)]
    if not weights:
        raise InputError(f"a model folder {_without_weights(names)}")
    for path in weights:
        _check(path)
    return ModelFolder(library, architecture)


def _names(folder: Path) -> set[str]:
    names = set()
    for path in folder.iterdir():
        names.add(path.name)
        if len(names) > _MAX_FILES:
            raise InputError("a folder with more files than any model has; give the model file in it")
    return names


def _hint(names: set[str]) -> str:
    models = sorted(name for name in names if name.endswith(_MODELS))
    return f" (such as {short(models[0])})" if models else ""


def _config(path: Path) -> dict[str, Any]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_CONFIG_BYTES:
        raise InputError("a model folder whose config.json is no small file; download it again")
    with path.open("rb") as file:
        raw = file.read(_MAX_CONFIG_BYTES)
    try:
        config = json.loads(raw.decode())
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise InputError("a model folder whose config.json is damaged; download it again")
    return config


def _architecture(config: dict[str, Any]) -> tuple[str, str]:
    """("timm", name) or ("transformers", class) of an image classifier."""
    if isinstance(name := config.get("architecture"), str):
        return "timm", name
    classes = config.get("architectures")
    named = [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []
    if classifiers := [name for name in named if name.endswith(_CLASSIFIERS)]:
        return "transformers", classifiers[0]
    what = f"{short(named[0])}, which is no image classifier" if named else "no architecture"
    raise InputError(
        f"a model folder whose config.json names {what}; give the folder of a timm model or of a transformers"
        f" ...{_CLASSIFIER}"
    )


def _without_weights(names: set[str]) -> str:
    if any(name in names for name in _PICKLES):
        return (
            "with weights in pytorch_model.bin alone, a pickle; save it again as safetensors with"
            " model.save_pretrained(folder, safe_serialization=True), or give the .bin file itself with --arch"
        )
    if other := next((_OTHERS[name] for name in sorted(names) if name in _OTHERS), None):
        return f"with weights for {other} alone; save it again from PyTorch with model.save_pretrained(folder)"
    return "without weights; download its model.safetensors too"


def _check(path: Path) -> None:
    """The header of a weights file keeps the rules."""
    what = f"a model folder whose {short(path.name)}"
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{what} is not a regular file; download it again")
    try:
        with path.open("rb") as file:
            read_header(file, status.st_size)
    except InputError as error:
        raise InputError(f"{what} is {error}") from error
