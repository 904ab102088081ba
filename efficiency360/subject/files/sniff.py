"""What a model file is, decided by its content alone. Nothing is unpickled; only what decides is read."""

from __future__ import annotations

import io
import stat
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

from efficiency360.errors import InputError
from efficiency360.subject.files.archive import check_members, open_archive, read_member, root_of
from efficiency360.subject.files.foreign import name_by_start, name_zip
from efficiency360.subject.files.model_folder import open_folder
from efficiency360.subject.files.onnx_proto import read_onnx
from efficiency360.subject.files.opcodes import MAX_PICKLE_BYTES, Made, Program, read_program
from efficiency360.subject.files.regular import blaming, open_regular, shown, status_of
from efficiency360.subject.files.safetensors import begins_as_safetensors, read_header
from efficiency360.subject.files.zip_directory import ends_in_zip

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ["HEAD_BYTES", "REFUSALS", "FileKind", "Sniffed", "read_pickles", "refusal", "shown", "sniff"]

HEAD_BYTES = 4096
_ZIP_START = b"PK\3\4"
_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_TORCH_MAGIC_TEXT = b"L119547037146038801333356L\n."
_LEGACY_PREAMBLE = 3
_LAST_PROTOCOL = b"\5"
_SCRIPT_MARKS = ("constants.pkl", "bytecode.pkl", "code/")
_EXPORT_MARKS = ("archive_format", "serialized_exported_program.json", "models/")


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
    """Decide what a file or folder is by its content, without running anything in it.

    Time and memory do not grow with the file: its weights are not read.

    Raises:
        InputError: not a readable file, damaged, or not a model: what it is instead, and the next step.
    """
    with blaming(path):
        if stat.S_ISDIR(status_of(path).st_mode):
            return _folder(path)
        with open_regular(path) as (file, size):
            return _decide(file, size)


def _folder(path: Path) -> Sniffed:
    folder = open_folder(path)
    evidence = f"a config.json that names {folder.architecture[:80]!a} ({folder.library})"
    return Sniffed(FileKind.HUGGINGFACE, (), evidence)


def _decide(file: BinaryIO, size: int) -> Sniffed:
    head = file.read(HEAD_BYTES)
    if head.startswith(_ZIP_START) and not begins_as_safetensors(head):
        return _zip(file, size)
    found = _without_zip(file, size, head)
    if ends_in_zip(file, size):
        raise InputError(
            f"two files in one ({found.evidence}, and a zip archive at its end), so two programs would see different"
            " models; save the weights again"
        )
    return found


def _without_zip(file: BinaryIO, size: int, head: bytes) -> Sniffed:
    if begins_as_safetensors(head):
        header = read_header(file, size)
        return Sniffed(FileKind.SAFETENSORS, (), f"a safetensors header that lists {len(header.entries)} tensors")
    if _is_pickle(head):
        return _pickle(file, head)
    if (model := read_onnx(file, size)) is not None:
        return Sniffed(FileKind.ONNX, (), "a ModelProto with a graph", tuple(model.external))
    _refuse_text_pickle(head)
    raise InputError(name_by_start(head))


def _is_pickle(head: bytes) -> bool:
    return (head[:1] == b"\x80" and head[1:2] <= _LAST_PROTOCOL) or head.startswith(_TORCH_MAGIC_TEXT)


def _zip(file: BinaryIO, size: int) -> Sniffed:
    archive = open_archive(file, size)
    root = root_of(archive)
    found = _program_in(archive.names, root)
    if found is None and (f"{root}data.pkl" not in archive.members or not root):
        raise InputError(name_zip(archive.names))
    check_members(archive, packed=found is not None)
    if found is not None:
        return found
    data = io.BytesIO(read_member(archive, f"{root}data.pkl", MAX_PICKLE_BYTES))
    program = read_program(data)
    if data.read(1):
        raise InputError("its pickle goes on after its end, which torch.save never writes; save the weights again")
    return _by_program(program, FileKind.ZIP_WEIGHTS, "a torch.save archive")


def _program_in(names: Collection[str], root: str) -> Sniffed | None:
    """What carries code in an archive, in the most dangerous reading: in any case, and below its folder or any.

    The folder itself tells nothing: torch names it after the file.
    """
    inside = {name.removeprefix(root).lower() for name in names}
    inside |= {name.partition("/")[2] for name in inside} if not root else set()
    for kind, marks in ((FileKind.TORCHSCRIPT, _SCRIPT_MARKS), (FileKind.EXPORTED_PROGRAM, _EXPORT_MARKS)):
        if mark := _first(inside, marks):
            return Sniffed(kind, (), f"a zip archive with {mark}")
    return None


def _first(names: Collection[str], marks: tuple[str, ...]) -> str | None:
    """The first of `marks` that is a name, or a folder (with its slash) of one."""
    return next(
        (mark for mark in marks if any(n == mark or (mark[-1] == "/" and n.startswith(mark)) for n in names)), None
    )


def _pickle(file: BinaryIO, head: bytes) -> Sniffed:
    programs, legacy = read_pickles(file, head)
    if not legacy:
        return _plain_pickle(programs[0])
    named = tuple(dict.fromkeys(name for program in programs for name in program.globals))
    acting = [one for one in programs if one.top in (Made.OBJECT, Made.GLOBAL)]
    top = (acting or programs[-1:])[0]
    return _by_program(replace(top, globals=named), FileKind.LEGACY_WEIGHTS, "a file in torch.save's old format")


def read_pickles(file: BinaryIO, head: bytes) -> tuple[list[Program], bool]:
    """The pickles that a file begins with up to the one that holds the weights, and whether torch.save wrote them.

    In torch.save's old format three come first, which torch.load unpickles too.
    """
    file.seek(0)
    data = io.BytesIO(file.read(MAX_PICKLE_BYTES))
    legacy = _TORCH_MAGIC in head[:32] or head.startswith(_TORCH_MAGIC_TEXT)
    return [read_program(data) for _ in range(_LEGACY_PREAMBLE + 1 if legacy else 1)], legacy


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
