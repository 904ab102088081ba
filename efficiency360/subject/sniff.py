"""What a model file is, decided by its content alone. Nothing is unpickled; only what decides is read."""

from __future__ import annotations

import io
import json
import stat
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError
from efficiency360.subject.archive import check_members, open_archive, read_member, root_of
from efficiency360.subject.foreign import is_onnx, name_by_start, name_zip
from efficiency360.subject.opcodes import MAX_PICKLE_BYTES, Made, Program, read_program

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_HEAD_BYTES = 4096
_MAX_HEADER_BYTES = 16 * 2**20
_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_TORCH_MAGIC_TEXT = b"L119547037146038801333356L\n."
_LEGACY_PREAMBLE = 3
_LAST_PROTOCOL = b"\5"


class FileKind(StrEnum):
    """What a model file is."""

    SAFETENSORS = "safetensors"
    ZIP_WEIGHTS = "zip_weights"
    LEGACY_WEIGHTS = "legacy_weights"
    PICKLED_MODULE = "pickled_module"
    TORCHSCRIPT = "torchscript"
    EXPORTED_PROGRAM = "exported_program"
    ONNX = "onnx"
    HUGGINGFACE = "huggingface_folder"


@dataclass(frozen=True)
class Sniffed:
    """A file's kind, the "module.name" of every global that its pickle names, and one clause: what in it says so.

    `external` names the other files that an ONNX model wants read for its weights.
    """

    kind: FileKind
    globals: tuple[str, ...]
    evidence: str
    external: tuple[str, ...] = ()


_WAY_ON = (
    "where you trust it, add --trust-code; or save the weights alone with"
    ' safetensors.torch.save_file(model.state_dict(), "model.safetensors") and audit that file with --arch'
)
REFUSALS: Mapping[FileKind, str] = MappingProxyType(
    {
        FileKind.PICKLED_MODULE: "this is a whole pickled model, and opening it can run any code that it carries;"
        f" {_WAY_ON}",
        FileKind.TORCHSCRIPT: f"this is a TorchScript archive, and opening it can run code that it carries; {_WAY_ON}",
        FileKind.EXPORTED_PROGRAM: "this is a torch.export archive, and opening it can run code that it carries;"
        f" {_WAY_ON}",
        FileKind.ONNX: "this is an ONNX model that wants other files read for its weights; where you trust it, add"
        " --trust-code; or save it again as one file with onnx.save_model(model, path)",
    }
)


def refusal(sniffed: Sniffed, *, trust_code: bool = False) -> str | None:
    """Why a file is not opened and the ways on, in a sentence; None for what is opened."""
    if trust_code or (sniffed.kind is FileKind.ONNX and not sniffed.external):
        return None
    return REFUSALS.get(sniffed.kind)


def sniff(path: Path) -> Sniffed:
    """Decide what a file is by its content, without running anything in it; time and memory do not grow with it.

    Raises:
        InputError: not a readable file, damaged, or not a model: what it is instead, and the next step.
    """
    try:
        size = _regular_size(path)
        with path.open("rb") as file:
            return _decide(file, size)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error}") from error
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error


def shown(path: Path) -> str:
    """A path for a message: on one line, whatever its characters."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _regular_size(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise InputError("no such file") from error
    except ValueError as error:
        raise InputError("not a file name") from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError("a folder, not a file; give the model file in it")
    if not stat.S_ISREG(status.st_mode):
        raise InputError("not a regular file but a pipe, socket or device; give a file on disk")
    if status.st_size == 0:
        raise InputError("an empty file; download or save it again")
    return status.st_size


def _decide(file: BinaryIO, size: int) -> Sniffed:
    head = file.read(_HEAD_BYTES)
    if head[8:10] in (b'{"', b"{}", b"{ ") and int.from_bytes(head[:8], "little") <= _MAX_HEADER_BYTES:
        return _safetensors(file, size)
    if head.startswith(b"PK\3\4"):
        return _zip(file, size)
    if _is_pickle(head):
        return _pickle(file, head)
    if is_onnx(file, size):
        return Sniffed(FileKind.ONNX, (), "a ModelProto with a graph")
    _refuse_text_pickle(head)
    raise InputError(name_by_start(head))


def _is_pickle(head: bytes) -> bool:
    return (head[:1] == b"\x80" and head[1:2] <= _LAST_PROTOCOL) or head.startswith(_TORCH_MAGIC_TEXT)


def _safetensors(file: BinaryIO, size: int) -> Sniffed:
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    try:
        header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        missing = int(8 + length + max(ends, default=0) - size)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        what = "is cut short" if 8 + length > size else "has a damaged header"
        raise InputError(f"a safetensors file that {what}; download or save it again") from error
    if missing > 0:
        raise InputError(f"a safetensors file that is cut short by {missing:,} bytes; download or save it again")
    return Sniffed(FileKind.SAFETENSORS, (), f"a safetensors header that lists {len(ends)} tensors")


def _zip(file: BinaryIO, size: int) -> Sniffed:
    with open_archive(file, size) as archive:
        root = root_of(archive)
        names = frozenset(name.removeprefix(root) for name in archive.namelist())
        if script := _first(names, ("constants.pkl", "bytecode.pkl", "code/")):
            return Sniffed(FileKind.TORCHSCRIPT, (), f"a zip archive with {script}")
        if export := _first(names, ("archive_format", "serialized_exported_program.json", "models/")):
            return Sniffed(FileKind.EXPORTED_PROGRAM, (), f"a zip archive with {export}")
        if "data.pkl" not in names or not root:
            raise InputError(name_zip(archive.namelist()))
        check_members(archive, size)
        program = read_program(io.BytesIO(read_member(archive, f"{root}data.pkl", MAX_PICKLE_BYTES)))
    return _by_program(program, FileKind.ZIP_WEIGHTS, "a torch.save archive")


def _first(names: Collection[str], marks: tuple[str, ...]) -> str | None:
    """The first of `marks` that is a name, or a folder (with its slash) of one."""
    return next(
        (mark for mark in marks if any(n == mark or (mark[-1] == "/" and n.startswith(mark)) for n in names)), None
    )


def _pickle(file: BinaryIO, head: bytes) -> Sniffed:
    file.seek(0)
    data = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    if _TORCH_MAGIC not in head[:32] and not head.startswith(_TORCH_MAGIC_TEXT):
        return _plain_pickle(read_program(data))
    for _ in range(_LEGACY_PREAMBLE):
        read_program(data)
    return _by_program(read_program(data), FileKind.LEGACY_WEIGHTS, "a file in torch.save's old format")


def _by_program(program: Program, weights: FileKind, where: str) -> Sniffed:
    if program.top in (Made.OBJECT, Made.GLOBAL):
        return Sniffed(
            FileKind.PICKLED_MODULE, program.globals, f"{where} whose top object is made by {_maker(program)}"
        )
    held = {Made.CONTAINER: "a plain dict or list", Made.TENSOR: "a single tensor"}.get(program.top, "a plain value")
    return Sniffed(weights, program.globals, f"{where} whose pickle holds {held}")


def _plain_pickle(program: Program) -> Sniffed:
    """A pickle without torch.save around it."""
    makes_object = program.top in (Made.OBJECT, Made.GLOBAL)
    if makes_object and any(name.startswith("torch.") for name in program.globals):
        return Sniffed(
            FileKind.PICKLED_MODULE, program.globals, f"a plain pickle whose top object is made by {_maker(program)}"
        )
    made = f"its top object is made by {_maker(program)}" if makes_object else "it holds plain values"
    raise InputError(
        f"a Python pickle that torch.save did not write ({made}), and opening it can run any code that it carries;"
        " save model.state_dict() with torch.save instead"
    )


def _maker(program: Program) -> str:
    return program.maker or "something that it does not name"


def _refuse_text_pickle(head: bytes) -> None:
    """Pickle protocols 0 and 1 look like text; a short one is recognised by being a whole pickle."""
    try:
        program = read_program(io.BytesIO(head))
    except InputError:
        return
    _plain_pickle(program)
