from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import pickle
import pickletools
import random
import subprocess
import sys
import time
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import broken_models as gallery
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from efficiency360.errors import InputError
from efficiency360.subject.files.archive import open_archive
from efficiency360.subject.files.opcodes import Made, read_program
from efficiency360.subject.files.pickle_tokens import Bulk, tokens
from efficiency360.subject.files.sniff import REFUSALS, FileKind, Sniffed, refusal, sniff
from efficiency360.subject.inspection.inspect import inspect

if TYPE_CHECKING:
    from collections.abc import Callable


def _save(path: Path, value: object, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, path, **options)
    return path


def test_importing_it_does_not_import_torch() -> None:
    code = "import sys, efficiency360.subject.files.sniff; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("kind", "evidence", "write"),
    [
        (FileKind.ZIP_WEIGHTS, "a plain dict or list", lambda path: _save(path, gallery.small_net().state_dict())),
        (FileKind.ZIP_WEIGHTS, "a plain dict or list", lambda path: _save(path, {"model": gallery.small_net()})),
        (FileKind.ZIP_WEIGHTS, "a single tensor", lambda path: _save(path, torch.zeros(2))),
        (FileKind.ZIP_WEIGHTS, "a single tensor", lambda path: _save(path, nn.Parameter(torch.zeros(2)))),
        (FileKind.ZIP_WEIGHTS, "a plain value", lambda path: _save(path, "text")),
        (
            FileKind.ZIP_WEIGHTS,
            "a plain dict",
            lambda path: _save(path, gallery.small_net().state_dict(), pickle_protocol=4),
        ),
        (
            FileKind.LEGACY_WEIGHTS,
            "old format",
            lambda path: _save(path, gallery.small_net().state_dict(), _use_new_zipfile_serialization=False),
        ),
        (
            FileKind.LEGACY_WEIGHTS,
            "old format",
            lambda path: _save(path, [1], _use_new_zipfile_serialization=False, pickle_protocol=0),
        ),
        (FileKind.PICKLED_MODULE, "Sequential", lambda path: _save(path, gallery.small_net())),
        (
            FileKind.PICKLED_MODULE,
            "made by torch.nn.modules.container.Sequential",
            lambda path: _save(path, gallery.small_net(), _use_new_zipfile_serialization=False),
        ),
        (FileKind.PICKLED_MODULE, "torch.nn.modules.linear.Linear", lambda path: _save(path, nn.Linear)),
        (
            FileKind.SAFETENSORS,
            "9 tensors",
            lambda path: save_file(gallery.small_net().state_dict(), path, metadata={"format": "pt"}),
        ),
    ],
)
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors", "model.onnx", "model"])
def test_the_content_decides_not_the_name(
    tmp_path: Path, name: str, kind: FileKind, evidence: str, write: Callable[[Path], object]
) -> None:
    write(tmp_path / "file")
    sniffed = sniff((tmp_path / "file").rename(tmp_path / name))
    assert sniffed.kind is kind
    assert evidence in sniffed.evidence


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("torchscript", FileKind.TORCHSCRIPT),
        ("exported", FileKind.EXPORTED_PROGRAM),
        ("exported_by_older_torch", FileKind.EXPORTED_PROGRAM),
        ("onnx_external", FileKind.ONNX),
        ("zip_script_in_capitals", FileKind.TORCHSCRIPT),
        ("whole_module_in_a_plain_pickle", FileKind.PICKLED_MODULE),
        ("payload_alone", FileKind.PICKLED_MODULE),
    ],
)
def test_kinds_that_are_refused_are_still_named(tmp_path: Path, entry: str, kind: FileKind) -> None:
    sniffed = sniff(gallery.GALLERY[entry].write(tmp_path, entry))
    assert sniffed.kind is kind
    assert "--trust-code" in REFUSALS[kind]


def test_every_kind_is_either_refused_or_opened() -> None:
    opened = {kind for kind in FileKind if refusal(Sniffed(kind, (), "", external=("weights.bin",))) is None}
    weights = {FileKind.SAFETENSORS, FileKind.ZIP_WEIGHTS, FileKind.LEGACY_WEIGHTS, FileKind.HUGGINGFACE}
    assert opened == weights
    assert refusal(Sniffed(FileKind.ONNX, (), "")) is None
    assert not any(refusal(Sniffed(kind, (), ""), trust_code=True) for kind in FileKind)
    assert not any("\n" in sentence for sentence in REFUSALS.values())


@pytest.mark.parametrize("options", [{}, {"pickle_protocol": 5}, {"_use_new_zipfile_serialization": False}])
def test_globals_are_listed_for_every_protocol(tmp_path: Path, options: dict[str, Any]) -> None:
    named = sniff(_save(tmp_path / "a.pt", {"net": gallery.small_net(), "hook": gallery.Payload(tmp_path)}, **options))
    assert {"torch.nn.modules.conv.Conv2d", "io.open", "collections.OrderedDict"} <= set(named.globals)
    assert len(named.globals) == len(set(named.globals))


def test_globals_have_their_python_3_names() -> None:
    program = read_program(io.BytesIO(pickle.dumps({"a": {1, 2}, "b": range(3)}, protocol=2)))
    assert program.globals == ("builtins.set", "builtins.range")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_top_object_is_known_for_every_protocol(tmp_path: Path, protocol: int) -> None:
    class_instance = read_program(io.BytesIO(pickle.dumps(Path("a"), protocol=protocol)))
    call = read_program(io.BytesIO(pickle.dumps(gallery.Payload(tmp_path), protocol=protocol)))
    plain = read_program(io.BytesIO(pickle.dumps([{"a": (1, 2.5, None, b"x", {3})}], protocol=protocol)))
    assert (class_instance.top, class_instance.maker.rpartition(".")[2]) == (Made.OBJECT, "PosixPath")
    assert (call.top, call.maker) == (Made.OBJECT, "io.open")
    assert plain.top is Made.CONTAINER


def test_what_the_old_format_names_before_its_weights_counts(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.pt", {"a": 1}, _use_new_zipfile_serialization=False)
    magic = path.read_bytes().index(b".") + 1
    payload = pickle.dumps(gallery.Payload(tmp_path), protocol=2)
    path.write_bytes(path.read_bytes()[:magic] + payload + path.read_bytes()[magic:])
    sniffed = sniff(path)
    assert sniffed.kind is FileKind.PICKLED_MODULE
    assert "io.open" in sniffed.globals


def test_an_onnx_model_in_one_file_is_opened(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            gallery.small_net(), (torch.zeros(1, 1, 8, 8),), tmp_path / "model.onnx", external_data=False, verbose=False
        )
    sniffed = sniff(tmp_path / "model.onnx")
    assert (sniffed.kind, sniffed.external) == (FileKind.ONNX, ())
    assert refusal(sniffed) is None


@pytest.mark.parametrize("where", ["graph", "attribute", "subgraph"])
def test_the_files_that_an_onnx_model_wants_are_named(tmp_path: Path, where: str) -> None:
    gallery.onnx_with_external_data(tmp_path / "model.onnx", "../../weights.bin", where=where)
    sniffed = sniff(tmp_path / "model.onnx")
    assert (sniffed.kind, sniffed.external) == (FileKind.ONNX, ("../../weights.bin",))


@pytest.mark.parametrize(
    ("config", "library"),
    [({"architecture": "resnet18"}, "timm"), ({"architectures": ["ViTForImageClassification"]}, "transformers")],
)
def test_a_folder_with_the_config_of_a_classifier_and_safetensors_is_opened(
    tmp_path: Path, config: dict[str, Any], library: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(gallery.small_net().state_dict(), tmp_path / "model.safetensors")
    sniffed = sniff(tmp_path)
    assert sniffed.kind is FileKind.HUGGINGFACE
    assert library in sniffed.evidence
    assert refusal(sniffed) is None


@pytest.mark.parametrize("write", [_save, lambda path, state: save_file(state, path)])
def test_bytes_of_another_file_at_the_end_are_seen(tmp_path: Path, write: Callable[[Path, Any], object]) -> None:
    whole, other = tmp_path / "whole.pt", tmp_path / "other.zip"
    write(whole, dict(gallery.small_net().state_dict()))
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({}))
    for first, second in ((whole, other), (other, whole)):
        path = tmp_path / "both.pt"
        path.write_bytes(first.read_bytes() + second.read_bytes())
        with pytest.raises(InputError):
            sniff(path)


def _files(folder: Path) -> list[Path]:
    state = dict(gallery.small_net().state_dict())
    save_file(state, folder / "model.safetensors")
    gallery.onnx_with_external_data(folder / "model.onnx", "weights.bin")
    files = [_save(folder / "weights.pt", state), folder / "model.safetensors", folder / "model.onnx"]
    files.append(_save(folder / "legacy.pt", state, _use_new_zipfile_serialization=False))
    return [
        *files,
        gallery.GALLERY["torchscript"].write(folder, "script"),
        gallery.GALLERY["exported"].write(folder, "p"),
    ]


@pytest.mark.parametrize("index", range(6))
def test_no_damage_makes_it_crash(tmp_path: Path, index: int) -> None:
    path = _files(tmp_path)[index]
    whole, rng = path.read_bytes(), random.Random(index)  # noqa: S311 - a seed
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice((len(damaged), rng.randrange(1, len(damaged))))])
        with contextlib.suppress(InputError):
            inspect(str(path))
            refused -= 1
        refused += 1
    assert refused > 100


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_instructions_are_those_that_pickletools_reads(protocol: int) -> None:
    value = {"a": [1, -2, 2**40, 1.5, None, True, b"x", "\u00e9\U0001f600"], "b": ({3}, (), (1,)), "c": Path("d")}
    data = pickle.dumps([value, value, [0] * 300, "l" * 300], protocol=protocol)
    expected = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(data)]
    found = [(name, argument) for name, argument, _ in tokens(data, 0)]
    assert [name for name, _ in found] == [name for name, _ in expected]
    pairs = [(ours, theirs) for (_, ours), (_, theirs) in zip(found, expected, strict=True)]
    assert all(_same(ours, theirs) for ours, theirs in pairs), pairs


def _same(ours: object, theirs: object) -> bool:
    return isinstance(ours, Bulk) or ours == theirs or (isinstance(ours, tuple) and " ".join(ours) == theirs)


def test_a_file_that_shrinks_while_it_is_read_is_damaged(tmp_path: Path) -> None:
    path = _save(tmp_path / "weights.pt", gallery.small_net().state_dict())
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 200)
        with pytest.raises(InputError, match="damaged"):
            open_archive(file, size)


def test_a_pipe_in_the_place_of_a_file_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"x")
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda *_, **__: regular)
    with pytest.raises(InputError, match="not a regular file"):
        sniff(path)


def test_a_subclass_of_dict_does_not_pass_for_a_dict() -> None:
    program = read_program(io.BytesIO(b"\x80\x02cmine\nDict\n)\x81}X\x01\x00\x00\x00aK\x01s."))
    assert program.top is Made.CONTAINER
    disguised = read_program(io.BytesIO(b"\x80\x02cmine\nDict\n)\x81X\x01\x00\x00\x00aK\x01s."))
    assert (disguised.top, disguised.maker) == (Made.OBJECT, "mine.Dict")


def test_a_computed_global_is_listed_as_such() -> None:
    program = read_program(io.BytesIO(b"\x80\x04\x8c\x01ah\x00\x93.".replace(b"h\x00", b"K\x01")))
    assert program.globals == ("(computed).(computed)",)


def test_control_characters_in_a_global_are_escaped() -> None:
    assert read_program(io.BytesIO(b"\x80\x02ca\x1b[2J\nb\n.")).globals == (r"a\x1b[2J.b",)


@pytest.mark.slow
def test_an_endless_pickle_is_refused() -> None:
    with pytest.raises(InputError, match="more than any model needs"):
        read_program(io.BytesIO(b"\x80\x02" + b"N0" * 2_000_000 + b"N."))


def test_the_message_is_one_line_for_any_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        sniff(tmp_path / "two\nlines.pt")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a file name"):
        sniff(tmp_path / "nul\0.pt")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "model.pt").write_bytes(b"x")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match=r"model\.pt: cannot be read: Permission denied"):
        sniff(tmp_path / "model.pt")


def _sparse_zip(path: Path, size: int) -> None:
    """A torch archive with a weight of `size` bytes that takes no room on disk."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps({"a": 1}, protocol=2))
        member = zipfile.ZipInfo("model/data/0")
        member.file_size = member.compress_size = size
        member.CRC = 0
        assert archive.fp is not None
        member.header_offset = archive.fp.tell()
        archive.fp.write(member.FileHeader(zip64=True))
        archive.fp.seek(size, io.SEEK_CUR)
        archive.start_dir = archive.fp.tell()
        archive.filelist.append(member)


def _sparse_safetensors(path: Path, size: int) -> None:
    save_file({"a": torch.zeros(4)}, path)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    old = path.read_bytes()[8 : 8 + length]
    new = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    assert b'"a"' in old
    path.write_bytes(len(new).to_bytes(8, "little") + new)
    with path.open("r+b") as file:
        file.truncate(8 + len(new) + size)


def _sparse_legacy(path: Path, size: int) -> None:
    _save(path, {"a": torch.zeros(4)}, _use_new_zipfile_serialization=False)
    with path.open("r+b") as file:
        file.truncate(size)


def _sparse_zeros(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def _sparse_onnx(path: Path, size: int) -> None:
    path.write_bytes(b"\x08\x08\x32\xf0\xff\xff\xff\x07" + b"a")
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (_sparse_zip, FileKind.ZIP_WEIGHTS),
        (_sparse_safetensors, FileKind.SAFETENSORS),
        (_sparse_legacy, FileKind.LEGACY_WEIGHTS),
        (_sparse_zeros, None),
        (_sparse_onnx, None),
    ],
)
def test_a_file_of_two_gigabytes_takes_little_time_and_memory(
    tmp_path: Path, write: Callable[[Path, int], None], kind: FileKind | None
) -> None:
    path = tmp_path / "large.pt"
    write(path, 2 * 2**30)
    tracemalloc.start()
    start = time.perf_counter()
    try:
        assert sniff(path).kind is kind
    except InputError:
        assert kind is None
    seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 3
    assert peak < 100 * 2**20
