"""A gallery of model files and folders that are refused: each entry writes one, and says what the message must mention.

Whole models, TorchScript, exported programs and ONNX with external data are among them, as they are without
`--trust-code`.

The payloads are harmless: unpickled, they would create an empty marker file, which the tests then look for.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import socket
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx
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


@_entry("a folder", "give the model file in it", "'weights.pt'")
def _folder_with_a_model(path: Path, _: Path) -> None:
    path.mkdir()
    torch.save(_state(), path / "weights.pt")


def _model_folder(name: str, config: object, files: dict[str, bytes], *says: str) -> None:
    """Register a folder with a config.json and other files."""

    def write(folder: Path, entry: str) -> Path:
        path = folder / entry
        path.mkdir()
        (path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
        for file, content in files.items():
            (path / file).write_bytes(content)
        return path

    GALLERY[name] = Broken(write, says)


_RESNET = {"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}
_model_folder(
    "folder_of_pickles", _RESNET, {"pytorch_model.bin": b"x"}, "pytorch_model.bin alone", "safe_serialization=True"
)
_model_folder("folder_without_weights", _RESNET, {}, "without weights", "model.safetensors")
_model_folder("folder_of_tensorflow", _RESNET, {"tf_model.h5": b"x"}, "weights for TensorFlow alone")
_model_folder("folder_of_a_language_model", {"architectures": ["BertForMaskedLM"]}, {}, "'BertForMaskedLM'", "no image")
_model_folder("folder_without_architecture", {"a": 1}, {}, "names no architecture")
_model_folder("folder_with_a_damaged_config", "{", {}, "config.json is damaged")
_model_folder("folder_with_a_list_for_config", [1], {}, "config.json is damaged")
_model_folder(
    "folder_with_damaged_weights", _RESNET, {"model.safetensors": b"x" * 20}, "'model.safetensors'", "safetensors"
)


@_entry("not a regular file")
def _pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


@_entry("a link to a file that does not exist")
def _link_to_nothing(path: Path, folder: Path) -> None:
    path.symlink_to(folder / "nothing")


@_entry("not a regular file")
def _device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


@_entry("not a regular file")
def _socket(path: Path, _: Path) -> None:
    where = os.open(path.parent, os.O_RDONLY)  # the name of a socket has to be short
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(f"/proc/self/fd/{where}/{path.name}")
    os.close(where)


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
_bytes("ends_in_zip", pickle.dumps({"a": 1}, protocol=2) + b"PK\5\6" + bytes(18), "a Python pickle")
_bytes("zip_header_alone", b"PK\3\4" + bytes(60), "damaged or cut short")
_bytes("zip_vast_directory", b"PK\3\4" + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, 2**31, 0, 0), "more members")
_bytes("onnx_damaged", b"\x08\x08\x12\x07pytorch\x3a\x05\x0a\x03abc", "ONNX", "damaged or cut short")
_bytes("onnx_cut", b"\x08\x08\x3a\x20\x0a\x10", "ONNX", "damaged or cut short")
_bytes("pickle_cut_short", pickle.dumps({"a": [1, 2]})[:-3], "damaged or cut short")
_bytes("pickle_without_stack", b"\x80\x02R.", "damaged or cut short")
_bytes("pickle_plain", pickle.dumps({"a": 1}), "a Python pickle that torch.save did not write")
_bytes("pickle_of_an_object", pickle.dumps(argparse.Namespace(a=1)), "made by argparse.Namespace")
_bytes("pickle_in_text", pickle.dumps({"a": 1}, protocol=0), "a Python pickle")
_bytes("pickle_claims_2_to_the_60_bytes", b"\x80\4\x8e" + struct.pack("<Q", 2**60) + b"a.", "damaged or cut short")
_bytes("pickle_claims_a_text_of_4_gb", b"\x80\2X" + struct.pack("<L", 2**32 - 1) + b"a.", "damaged or cut short")
_bytes("pickle_frame_beyond_the_end", b"\x80\4\x95" + struct.pack("<Q", 2**40) + b"N.", "damaged or cut short")
_bytes("pickle_negative_length", b"\x80\2T" + struct.pack("<l", -5) + b"abc.", "damaged or cut short")
_bytes("pickle_huge_long", b"\x80\2\x8b" + struct.pack("<l", 10**6) + b"\x7f" * 10**6 + b".", "a Python pickle")
_bytes("pickle_endless_digits", b"\x80\2I" + b"9" * 10**6 + b"\n.", "a Python pickle")
_bytes("pickle_of_an_extension", b"\x80\2\x82\x01.", "made by copyreg.extension 1")
_bytes("pickle_computed_name", b"\x80\4\x8c\2osK\1\x93)R.", "made by (computed).(computed)")
_bytes("pickle_instance", b"\x80\2(ios\nsystem\n.", "made by os.system")
_bytes("pickle_object", b"\x80\2(cos\nsystem\nX\2\0\0\0lso.", "made by os.system")
_bytes("pickle_memo_laughs", b"\x80\2)" + b"q\0h\0h\0\x86" * 100_000 + b".", "a Python pickle")
_bytes("pickle_from_a_buffer", b"\x80\5\x97\x98.", "a Python pickle")
_bytes("safetensors_cut_header", struct.pack("<Q", 500) + b'{"a":{"dtype"', "safetensors", "cut short")
_bytes("safetensors_bad_header", struct.pack("<Q", 7) + b'{"a":1}', "safetensors", "damaged header")
_bytes("safetensors_bad_json", struct.pack("<Q", 4) + b'{"a"', "safetensors", "damaged header")
_bytes("safetensors_deep_json", struct.pack("<Q", 100_005) + b'{"a":' + b"[" * 100_000, "safetensors", "damaged")


@_entry("safetensors", "cut short by 5 bytes")
def _safetensors_cut(path: Path, _: Path) -> None:
    save_file(_state(), path)
    path.write_bytes(path.read_bytes()[:-5])


def safetensors(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with a header of one's own: JSON values, or text as it is."""
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text.encode())) + text.encode() + data


def _f32(start: int, end: int, *shape: object, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


_ONE = json.dumps(_f32(0, 4, 1))
for _name, _header, _says in (
    ("overlap", {"a": _f32(0, 8, 2), "b": _f32(4, 12, 2)}, "overlaps before 'b'"),
    ("gap", {"a": _f32(0, 4, 1), "b": _f32(8, 12, 1)}, "leaves a gap before 'b'"),
    ("gap_first", {"a": _f32(4, 12, 2)}, "leaves a gap before 'a'"),
    ("wrong_shape", {"a": _f32(0, 12, 2)}, "not what its shape and dtype take"),
    ("backwards", {"a": _f32(12, 0, 3)}, "not what its shape and dtype take"),
    ("unknown_dtype", {"a": _f32(0, 12, 3, dtype="F33")}, "unknown dtype, 'F33'"),
    ("number_for_dtype", {"a": _f32(0, 12, 3, dtype=32)}, "unknown dtype, '32'"),
    ("negative_size", {"a": _f32(0, 12, -3)}, "whole numbers"),
    ("huge_size", {"a": _f32(0, 12, 2**64)}, "whole numbers"),
    ("product_of_sizes_beyond_64_bits", {"a": _f32(0, 12, 2**40, 2**40)}, "not what its shape"),
    ("broken_size", {"a": _f32(0, 12, 1.5)}, "whole numbers"),
    ("true_for_a_size", {"a": _f32(0, 12, True)}, "whole numbers"),
    ("three_offsets", {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12, 12]}}, "pair of offsets"),
    ("strange_key", {"a": {**_f32(0, 12, 3), "path": "/etc/passwd"}}, "is not described by"),
    ("number_in_metadata", {"__metadata__": {"a": 1}, "a": _f32(0, 12, 3)}, "metadata is not text"),
    ("same_name_twice", f'{{"a":{_ONE},"a":{json.dumps(_f32(4, 12, 2))}}}', "names 'a' twice"),
    ("dtype_twice", '{"a":{"dtype":"F64","dtype":"F32","shape":[3],"data_offsets":[0,12]}}', "is not described by"),
    ("endless_digits", '{"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,12]}}' % ("9" * 5000), "damaged header"),
    ("nan_for_a_size", '{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,12]}}', "damaged header"),
):
    _bytes(f"safetensors_{_name}", safetensors(_header, bytes(12)), "safetensors", _says)
_bytes("safetensors_vast_list", safetensors('{"a":[%s[]]}' % ("[]," * 1_000_000)), "more tensors than any model")
_bytes("safetensors_huge_header", struct.pack("<Q", 2**62) + b'{"a":', "claims a header of", "safetensors")
_bytes(
    "safetensors_and_zip",
    safetensors({"a": _f32(0, 22, 22, dtype="U8")}, b"PK\5\6" + bytes(18)),
    "two files in one",
    "safetensors",
)


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


@_entry("goes on after its end")
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


@dataclass
class Part:
    """A member of a zip archive as it is written: what it says of itself before its bytes, and in the table behind."""

    name: str
    content: bytes
    table_name: str | None = None
    size_before: int | None = None
    crc_before: int | None = None
    attributes: int = 0
    gap: bytes = b""
    extra: bytes = b""
    at: int | None = None


def write_zip(
    path: Path, parts: list[Part], *, before: bytes = b"", between: bytes = b"", comment: bytes = b""
) -> None:
    """Write an archive of stored members, with any of the lies that a `Part` can tell."""
    body, table = before, b""
    for part in parts:
        name, listed = part.name.encode(), (part.table_name or part.name).encode()
        crc, size = zlib.crc32(part.content), len(part.content)
        said = size if part.size_before is None else part.size_before
        local = (10, 0, 0, 0, 33, crc if part.crc_before is None else part.crc_before, said, said, len(name), 0)
        offset = len(body) if part.at is None else part.at
        if part.at is None:
            body += b"PK\3\4" + struct.pack("<5H3L2H", *local) + name + part.content + part.gap
        fields = (10, 10, 0, 0, 0, 33, crc, size, size, len(listed), len(part.extra), 0, 0, 0, part.attributes, offset)
        table += b"PK\1\2" + struct.pack("<6H3L5H2L", *fields) + listed + part.extra
    body += between
    end = struct.pack("<4H2LH", 0, 0, len(parts), len(parts), len(table), len(body), len(comment))
    path.write_bytes(body + table + b"PK\5\6" + end + comment)


def weights_parts() -> list[Part]:
    """The members of a torch archive with the small net's weights."""
    buffer = io.BytesIO()
    torch.save(_state(), buffer)
    with zipfile.ZipFile(buffer) as archive:
        return [Part(name, archive.read(name)) for name in archive.namelist()]


def _zip(name: str, edit: Callable[[list[Part]], dict[str, bytes] | None], *says: str) -> None:
    """Register a torch archive whose parts are edited; what `edit` returns is written around them."""

    def write(folder: Path, entry: str) -> Path:
        path, parts = folder / f"{entry}.pt", weights_parts()
        around = edit(parts) or {}
        write_zip(path, parts, **around)
        return path

    GALLERY[name] = Broken(write, says)


def _set(index: int, **fields: Any) -> Callable[[list[Part]], None]:
    def edit(parts: list[Part]) -> None:
        for name, value in fields.items():
            setattr(parts[index], name, value)

    return edit


def _append(*parts: Part) -> Callable[[list[Part]], None]:
    return lambda listed: listed.extend(parts)


_zip("zip_two_names", _set(4, table_name="archive/data/9"), "'archive/data/9'", "described otherwise before its bytes")
_zip("zip_two_sizes", _set(4, size_before=3), "described otherwise before its bytes")
_zip("zip_two_checksums", _set(4, crc_before=1), "described otherwise before its bytes")
_zip("zip_hidden_bytes", _set(4, gap=b"hidden"), "has other bytes before it")
_zip("zip_hidden_member", _set(4, gap=b"PK\3\4" + bytes(26)), "has other bytes before it")
_zip("zip_bytes_before", lambda _: {"before": b"PK\3\4 a pickle, say"}, "has other bytes before it")
_zip("zip_end_in_a_comment", lambda _: {"comment": b"PK\5\6" + bytes(18)}, "disagrees with its table")
_zip("zip_comment_of_text", lambda _: {"comment": b"hello"}, "goes on after its end")
_zip("zip_link", _set(4, attributes=0o120777 << 16), "is a link or a device")
_zip("zip_pipe", _set(4, attributes=0o010777 << 16), "is a link or a device")
_zip("zip_second_name", _set(4, extra=struct.pack("<2H", 0x7075, 6) + b"\1\0\0\0\0x"), "two names or sizes")
_zip("zip_overlap", _append(Part("archive/data/99", b"", at=0)), "overlaps another")
_zip("zip_backslash", _append(Part("archive\\..\\outside", b"")), "own folder")
_zip("zip_backslash_inside", _append(Part("archive/a\\b", b"")), "own folder")
_zip("zip_drive", _append(Part("archive/c:/a", b"")), "own folder")
_zip("zip_nul_in_a_name", _append(Part("archive/data/9\0.txt", b"")), "own folder")
_zip("zip_two_roots", _append(Part("other/data.pkl", b"")), "own folder")
_zip("zip_other_case", _append(Part("archive/Data.PKL", b"N.")), "is there twice")
_zip("zip_empty_name", _append(Part("archive//data/9", b"")), "own folder")
_zip("zip_script_beside_weights", _append(Part("archive/constants.pkl", b"N.")), "TorchScript archive", "--trust-code")
_zip("zip_script_in_capitals", _append(Part("archive/CONSTANTS.pkl", b"N.")), "TorchScript archive", "--trust-code")
_zip("zip_script_in_another_folder", _append(Part("b/code/a.py", b"")), "own folder")
_zip("zip_export_beside_weights", _append(Part("archive/archive_format", b"pt2")), "torch.export archive")
_zip("zip_without_pickle", lambda parts: parts.pop(0) and None, "without a torch model")
_zip("zip_pickle_goes_on", lambda parts: _go_on(parts[0]), "goes on after its end")
_zip(
    "zip_in_zip",
    lambda parts: _nest(parts),  # noqa: PLW0108 - defined below
    "without a torch model",
    "unpack it",
)


def _go_on(part: Part) -> None:
    part.content += b"cos\nsystem\n."


def _nest(parts: list[Part]) -> None:
    buffer = io.BytesIO()
    torch.save(_state(), buffer)
    parts[:] = [Part("model.pt", buffer.getvalue())]


@_entry("more members")
def _zip_of_many_members(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(66_000):
            archive.writestr(f"archive/data/{number}", b"")


@_entry("zip bomb", "unpack to over")
def _zip_bomb(path: Path, _: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/constants.pkl", b"N.")
        for number in range(5):
            archive.writestr(f"a/code/{number}.py", bytes(64 * 2**20))


@_entry("ONNX", "other files", "--trust-code", "onnx.save_model")
def _onnx_external(path: Path, _: Path) -> None:
    onnx_with_external_data(path, "../outside.bin")


def onnx_with_external_data(path: Path, location: str, *, where: str = "graph") -> None:
    """An ONNX model with a tensor that lies in another file: in the graph, or in an attribute of a node."""
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [0.0, 0.0])
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    port = onnx.helper.make_tensor_value_info
    ports = [port("x", onnx.TensorProto.FLOAT, [1, 2])], [port("y", onnx.TensorProto.FLOAT, [1, 2])]
    add = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    nodes = {
        "graph": [add],
        "attribute": [onnx.helper.make_node("Constant", [], ["w"], value=tensor), add],
        "subgraph": [_branch(tensor), add],
    }[where]
    graph = onnx.helper.make_graph(nodes, "g", *ports, initializer=[tensor] if where == "graph" else [])
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())


def _branch(tensor: Any) -> Any:
    port = onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [2])
    graph = onnx.helper.make_graph([], "b", [], [port], initializer=[tensor])
    return onnx.helper.make_node("If", ["c"], ["w"], then_branch=graph, else_branch=graph)


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
