"""The files that one model is made of: external data of ONNX models, folders of the Hugging Face kind. No torch."""

from __future__ import annotations

import json
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.files import sha256_file, sha256_json
from efficiency360.subject.files.names import short
from efficiency360.subject.files.sniff import FileKind, shown, sniff

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
_INDEX, _WEIGHTS = "model.safetensors.index.json", "model.safetensors"
_MAX_JSON_BYTES = 64 * 2**20
_MAX_SHARDS = 1000


def external_files(model: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """The files with an ONNX model's external data, absolute.

    Raises:
        InputError: one that is not a regular file inside the model's folder, or reached by a link.
    """
    return tuple(_inside(model, name) for name in dict.fromkeys(names))


def _inside(model: Path, name: str) -> Path:
    refused = f"{shown(model)} wants {short(name)} read for its weights, "
    parts = PurePosixPath(name).parts
    if not name.isprintable() or not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise InputError(f"{refused}which is not a path inside its folder; save it again as one file")
    if PureWindowsPath(name).drive or "\\" in name:
        raise InputError(f"{refused}which is a path of another system; save it again as one file")
    path = model.resolve().parent
    for part in parts:
        path /= part
        if path.is_symlink():
            raise InputError(f"{refused}which is reached by a symbolic link; put the file itself there")
    _check_regular(path, refused)
    return path


def _check_regular(path: Path, refused: str) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise InputError(f"{refused}which is not there; put it beside the model") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{refused}which is not a regular file")


def folder_files(folder: Path) -> tuple[Path, ...]:
    """The files of a Hugging Face folder that are read, in a fixed order: settings first, then weights by name.

    Raises:
        InputError: one is missing, damaged or outside of the folder, or there are no safetensors.
    """
    settings = [folder / name for name in (CONFIG, PREPROCESSOR) if (folder / name).exists()]
    weights = _weights_in(folder)
    for path in (*settings, *weights):
        _check_regular(path, f"{shown(folder)} needs {short(path.name)}, ")
    for path in weights:
        if path.suffix == ".safetensors" and sniff(path).kind is not FileKind.SAFETENSORS:
            raise InputError(f"{shown(path)}: not safetensors, whatever its name says; save it again")
    return (*settings, *weights)


def _weights_in(folder: Path) -> tuple[Path, ...]:
    if (folder / _WEIGHTS).exists():
        return (folder / _WEIGHTS,)
    if not (folder / _INDEX).exists():
        raise InputError(
            f"{shown(folder)} holds no {_WEIGHTS}; pickled weights are not opened from a folder: save them again with"
            " model.save_pretrained(folder, safe_serialization=True)"
        )
    return (folder / _INDEX, *(folder / name for name in _shards(folder / _INDEX)))


def _shards(index: Path) -> list[str]:
    """The names of the files that the weights are spread over.

    Raises:
        InputError: the index is damaged, or names something that is not a safetensors file beside it.
    """
    table = read_json(index).get("weight_map")
    names = set(table.values()) if isinstance(table, dict) and all(map(_is_text, table.values())) else set()
    if not names or len(names) > _MAX_SHARDS:
        raise InputError(f"{shown(index)}: no table weight_map of tensors and their files; save the model again")
    for name in names:
        if not name.endswith(".safetensors") or "/" in name or "\\" in name or not name.isprintable():
            raise InputError(f"{shown(index)}: names {short(name)}, which is not a safetensors file beside it")
    return sorted(names)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        InputError: it cannot be read, is too large, or is something else.
    """
    _check_regular(path, f"{shown(path.parent)} needs {short(path.name)}, ")
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise InputError(f"{shown(path)}: larger than any such file has reason to be")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)}: cannot be read as JSON; download or save it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{shown(path)}: not a JSON object; download or save it again")
    return content


def fingerprint(files: Sequence[Path]) -> str:
    """The sha256 of a file; of several, that of the list of their names and sha256."""
    if len(files) == 1:
        return sha256_file(files[0])
    return sha256_json([[path.name, sha256_file(path)] for path in files])
