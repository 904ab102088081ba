"""A gallery of model files that cannot be audited: each entry writes one, and says what the refusal must mention.

The payloads are harmless: unpickled, they would create an empty marker file, which the tests then look for.
"""

from __future__ import annotations

import argparse
import io
import os
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARKER = "marker"


def small_net(classes: int = 3) -> nn.Sequential:
    """The architecture that the gallery's weights belong to: (N, 1, 8, 8) -> (N, classes); 9 entries in its state."""
    generator = torch.Generator().manual_seed(7)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)
    )
    for parameter in net.parameters():
        nn.init.normal_(parameter, generator=generator)
    return net.eval()


class Payload:
    """Pickles as a call of `open` that creates the marker file."""

    def __init__(self, folder: Path) -> None:
        self.marker = str(folder / MARKER)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (self.marker, "w")


@dataclass(frozen=True)
class Broken:
    """One entry: `write(folder, name)` returns the path to give to e360; the refusal contains every word of `says`."""

    write: Callable[[Path, str], Path]
    says: tuple[str, ...]


GALLERY: dict[str, Broken] = {}


def _entry(*says: str) -> Callable[[Callable[[Path, Path], None]], None]:
    """Register a function `(path, folder)` that writes the file at `path`."""

    def register(build: Callable[[Path, Path], None]) -> None:
        def write(folder: Path, name: str) -> Path:
            path = folder / f"{name}.pt"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                build(path, folder)
            return path

        GALLERY[build.__name__.removeprefix("_")] = Broken(write, says)

    return register


def _bytes(name: str, content: bytes, *says: str) -> None:
    """Register a file of given bytes."""

    def write(folder: Path, entry: str) -> Path:
        path = folder / f"{entry}.pt"
        path.write_bytes(content)
        return path

    GALLERY[name] = Broken(write, says)


def _saved(name: str, make: Callable[[], Any], *says: str) -> None:
    """Register what `torch.save` writes for an object."""

    def write(folder: Path, entry: str) -> Path:
        path = folder / f"{entry}.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(make(), path)
        return path

    GALLERY[name] = Broken(write, says)


def _state(net: nn.Module | None = None) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict((net or small_net()).state_dict())


def repack(path: Path, edit: Callable[[dict[str, bytes]], object], compression: int = zipfile.ZIP_STORED) -> None:
    """Write a torch archive of the small net's weights again with Python's zipfile, its members edited."""
    buffer = io.BytesIO()
    torch.save(_state(), buffer)
    with zipfile.ZipFile(buffer) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@_entry("no such file")
def _missing(path: Path, folder: Path) -> None:
    del path, folder


@_entry("a folder", "give the model file in it")
def _folder(path: Path, _: Path) -> None:
    path.mkdir()


@_entry("not a regular file")
def _pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


@_entry("cannot be read", "Too many levels of symbolic links")
def _link_to_itself(path: Path, _: Path) -> None:
    path.symlink_to(path)


_bytes("empty", b"", "an empty file")
_bytes("text", b"Entry not found\n", "a text file", "'Entry not found'")
_bytes("text_cut_inside_a_letter", ("é" * 2048 + "é").encode()[:-1], "a text file")
_bytes("git_lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS", "git lfs pull")
_bytes("web_page", b"\n<!DOCTYPE html><html><title>Sign in</title>", "a web page", "download it again")
_bytes("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image (PNG)", "--data")
_bytes("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF", "image (JPEG)")
_bytes("hdf5", b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5", "not supported")
_bytes("tflite", b"\x1c\0\0\0TFL3" + bytes(64), "TensorFlow Lite")
_bytes("gguf", b"GGUF\3\0\0\0" + bytes(64), "GGUF")
_bytes("saved_model", b"\x08\x01\x12\x04\x0a\x02ab", "TensorFlow SavedModel")
_bytes("gzip", b"\x1f\x8b\x08" + bytes(20), "gzip", "unpack it")
_bytes("random_bytes", bytes(range(128, 256)) * 4, "not a model file that e360 knows")
_bytes("zeros", bytes(4096), "not a model file that e360 knows")
_bytes("zip_end_alone", b"PK\5\6" + bytes(18), "an empty zip archive")
_bytes("zip_header_alone", b"PK\3\4" + bytes(60), "damaged or cut short")
_bytes("zip_vast_directory", b"PK\3\4" + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, 2**31, 0, 0), "more members")
_bytes("onnx", b"\x08\x08\x12\x07pytorch\x3a\x05\x0a\x03abc", "ONNX", "not supported yet", "safetensors")
_bytes("pickle_cut_short", pickle.dumps({"a": [1, 2]})[:-3], "damaged or cut short")
_bytes("pickle_without_stack", b"\x80\x02R.", "damaged or cut short")
_bytes("pickle_plain", pickle.dumps({"a": 1}), "a Python pickle that torch.save did not write")
_bytes("pickle_of_an_object", pickle.dumps(argparse.Namespace(a=1)), "made by argparse.Namespace")
_bytes("pickle_in_text", pickle.dumps({"a": 1}, protocol=0), "a Python pickle")
_bytes("safetensors_cut_header", struct.pack("<Q", 500) + b'{"a":{"dtype"', "safetensors", "cut short")
_bytes("safetensors_bad_header", struct.pack("<Q", 7) + b'{"a":1}', "safetensors", "damaged header")
_bytes("safetensors_bad_json", struct.pack("<Q", 4) + b'{"a"', "safetensors", "damaged header")
_bytes("safetensors_deep_json", struct.pack("<Q", 100_005) + b'{"a":' + b"[" * 100_000, "safetensors", "damaged")


@_entry("safetensors", "cut short by 5 bytes")
def _safetensors_cut(path: Path, _: Path) -> None:
    save_file(_state(), path)
    path.write_bytes(path.read_bytes()[:-5])


@_entry("safetensors", "damaged")
def _safetensors_overlong(path: Path, _: Path) -> None:
    save_file(_state(), path)
    path.write_bytes(path.read_bytes() + b"12345")


@_entry("NumPy array (.npy)")
def _npy(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@_entry("NumPy archive (.npz)")
def _npz(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


@_entry("a tar archive", "unpack it")
def _tar(path: Path, folder: Path) -> None:
    (folder / "inside.txt").write_text("x")
    with tarfile.open(path, "w") as archive:
        archive.add(folder / "inside.txt", "inside.txt")


@_entry("a Keras model")
def _keras(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")


@_entry("a zip archive without a torch model in it")
def _zip_of_documents(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")


@_entry("damaged or cut short")
def _zip_cut(path: Path, _: Path) -> None:
    torch.save(_state(), path)
    path.write_bytes(path.read_bytes()[:-300])


@_entry("damaged or cut short")
def _zip_with_a_tail(path: Path, _: Path) -> None:
    torch.save(_state(), path)
    path.write_bytes(path.read_bytes() + b"tail")


@_entry("is compressed")
def _zip_deflated(path: Path, _: Path) -> None:
    repack(path, lambda members: members, zipfile.ZIP_DEFLATED)


@_entry("is there twice")
def _zip_repeated_member(path: Path, _: Path) -> None:
    repack(path, lambda members: members.update({"archive/DATA/0": b"other"}))


@_entry("'../outside'", "own folder")
def _zip_climbing_member(path: Path, _: Path) -> None:
    repack(path, lambda members: members.update({"../outside": b""}))


@_entry("own folder")
def _zip_climbing_inside(path: Path, _: Path) -> None:
    repack(path, lambda members: members.update({"archive/../../outside": b""}))


@_entry("own folder")
def _zip_absolute_member(path: Path, _: Path) -> None:
    repack(path, lambda members: members.update({"/outside": b""}))


@_entry("is encrypted")
def _zip_encrypted(path: Path, _: Path) -> None:
    torch.save(_state(), path)
    _edit_directory(path, b"data/0", 8, struct.pack("<H", 1))


@_entry("past the end")
def _zip_member_beyond_the_end(path: Path, _: Path) -> None:
    torch.save(_state(), path)
    _edit_directory(path, b"data/0", 20, struct.pack("<2L", 10**6, 10**6))


@_entry("damaged or cut short")
def _zip_damaged_pickle(path: Path, _: Path) -> None:
    torch.save(_state(), path)
    path.write_bytes(path.read_bytes().replace(b"collections", b"collectionz", 1))


@_entry("checksum", "data/0")
def _zip_damaged_weights(path: Path, _: Path) -> None:
    torch.save(_state(), path)
    content = bytearray(path.read_bytes())
    weights = small_net().state_dict()["0.weight"].numpy().tobytes()
    content[content.index(weights)] ^= 0xFF
    path.write_bytes(content)


@_entry("without checksums")
def _zip_without_checksums(path: Path, _: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(_state(), path)
    finally:
        torch.serialization.set_crc32_options(True)


@_entry("damaged or cut short")
def _zip_pickle_claims_a_longer_tensor(path: Path, _: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        members["archive/data/0"] = members["archive/data/0"][:4]

    repack(path, edit)


def _edit_directory(path: Path, member: bytes, offset: int, value: bytes) -> None:
    """Overwrite a field of a member's entry in the zip's table of contents."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\1\2", 0, content.rindex(member))
    content[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(content)


@_entry("damaged or cut short")
def _legacy_cut(path: Path, _: Path) -> None:
    torch.save(_state(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-10])


@_entry("damaged or cut short")
def _legacy_cut_early(path: Path, _: Path) -> None:
    torch.save(_state(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:150])


@_entry("pickle protocol")
def _protocol_5(path: Path, _: Path) -> None:
    torch.save(_state(), path, pickle_protocol=5)


@_entry("whole pickled model", "--arch")
def _payload_alone(path: Path, folder: Path) -> None:
    torch.save(Payload(folder), path)


@_entry("whole pickled model", "--arch")
def _payload_legacy(path: Path, folder: Path) -> None:
    torch.save(Payload(folder), path, _use_new_zipfile_serialization=False)


@_entry("made by io.open")
def _payload_in_a_plain_pickle(path: Path, folder: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(folder)))


@_entry("made by io.open")
def _payload_in_a_text_pickle(path: Path, folder: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(folder), protocol=0))


@_entry("'io.open'", "other than weights", "safetensors")
def _payload_beside_weights(path: Path, folder: Path) -> None:
    torch.save({"state_dict": _state(), "hook": Payload(folder)}, path)


@_entry("'io.open'", "other than weights")
def _payload_beside_legacy_weights(path: Path, folder: Path) -> None:
    torch.save({"state_dict": _state(), "hook": Payload(folder)}, path, _use_new_zipfile_serialization=False)


@_entry("whole pickled model", "any code")
def _whole_module(path: Path, _: Path) -> None:
    torch.save(small_net(), path)


@_entry("whole pickled model")
def _whole_module_legacy(path: Path, _: Path) -> None:
    torch.save(small_net(), path, _use_new_zipfile_serialization=False)


@_entry("whole pickled model")
def _whole_module_in_a_plain_pickle(path: Path, _: Path) -> None:
    path.write_bytes(pickle.dumps(small_net()))


@_entry("TorchScript", "safetensors", "--arch")
def _torchscript(path: Path, _: Path) -> None:
    cast("Any", torch.jit.script(small_net())).save(str(path))


@_entry("torch.export", "safetensors", "--arch")
def _exported(path: Path, folder: Path) -> None:
    save = cast("Any", torch.export.save)
    save(torch.export.export(small_net(), (torch.zeros(1, 1, 8, 8),)), folder / "program.pt2")
    (folder / "program.pt2").rename(path)


@_entry("torch.export")
def _exported_by_older_torch(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", "")


def _with_namespace() -> dict[str, Any]:
    return {"state_dict": _state(), "args": argparse.Namespace(lr=0.1), "accuracy": np.float64(0.9)}


def _renamed(rename: Callable[[str], str], net: nn.Module | None = None) -> dict[str, torch.Tensor]:
    return {rename(name): tensor for name, tensor in _state(net).items()}


def _quantised() -> object:
    quantize = cast("Any", torch.ao.quantization.quantize_dynamic)
    return quantize(small_net(), {nn.Linear}).state_dict()


_saved("module_in_a_checkpoint", lambda: {"model": small_net()}, "whole pickled modules", "torch.nn.modules")
_saved(
    "namespace_in_a_checkpoint", _with_namespace, "'argparse.Namespace'", "numpy", 'torch.save(checkpoint["state_dict"]'
)
_saved("single_tensor", lambda: torch.zeros(3), "no state dict", "type Tensor")
_saved("list_of_tensors", lambda: [torch.zeros(3)], "no state dict", "type list")
_saved("number", lambda: 3, "no state dict")
_saved("empty_dict", dict, "no state dict")
_saved("optimiser_alone", lambda: torch.optim.Adam(small_net().parameters()).state_dict(), "no state dict")
_saved("another_architecture", lambda: _renamed(lambda n: f"stem{n}", nn.Linear(2, 2)), "none of its 2 names", "--arch")
_saved("another_head", lambda: _state(small_net(7)), "'5.weight' is [7, 4] instead of [3, 4]")
_saved("missing_weight", lambda: dict(list(_state().items())[1:]), "1 missing ('0.weight')")
_saved("unexpected_weight", lambda: {**_state(), "9.weight": torch.zeros(2)}, "1 unexpected ('9.weight')")
_saved("integer_weights", lambda: {n: t.long() for n, t in _state().items()}, "is int64 instead of float32", "5 more")
_saved("quantised", _quantised, "unexpected", "_packed_params")
_saved("stranger_in_the_net", lambda: {"net": {**_state(), "extra": None}}, "unexpected ('extra')")
_saved("without_data", lambda: _state(small_net().to("meta")), "has no data")
_saved("sparse_weight", lambda: {**_state(), "5.weight": torch.eye(3, 4).to_sparse()}, "is not a dense tensor")
_saved(
    "two_nets",
    lambda: {"model": _state(), "model_ema": _renamed(str, _halved())},
    "'model', 'model_ema'",
    "--key model_ema",
)
_saved("list_of_nets", lambda: {"nets": [_state(), _state(_halved())]}, "'nets.0', 'nets.1'", "--key nets.1")
_saved("loss_beside_the_net", lambda: {**_renamed(lambda n: f"net.{n}"), "loss.w": torch.ones(2)}, "--key net")
_saved("other_names", lambda: _renamed(lambda n: f"{n[0]}_{n}"), "the names differ", "--remap order")


def _halved() -> nn.Module:
    net = small_net()
    net.load_state_dict({name: tensor / 2 for name, tensor in net.state_dict().items()})
    return net


def build_all(folder: Path) -> dict[str, Path]:
    """Write the whole gallery, each entry in a folder of its own; name -> path."""
    paths = {}
    for name, broken in GALLERY.items():
        (folder / name).mkdir()
        paths[name] = broken.write(folder / name, name)
    return paths
