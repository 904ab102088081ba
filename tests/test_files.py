"""What lands on disk is whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from efficiency360.errors import InputError
from efficiency360.files import sha256_bytes, sha256_file, sha256_json, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_bytes(b"abc") == sha256_file(tmp_path / "file") == ABC


def test_the_hash_of_a_table_does_not_depend_on_the_order_of_its_keys() -> None:
    assert sha256_json({"a": 1, "ü": [2]}) == sha256_json({"ü": [2], "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": 2})
    assert sha256_json([1, 2]) != sha256_json([2, 1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_has_no_hash(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        sha256_json({"a": value})


def test_a_write_makes_folders_replaces_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "card.json"
    for content in (b"old", b"new and longer", b""):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert names(path.parent) == ["card.json"]
    assert path.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException | type[BaseException]
) -> None:
    path = tmp_path / "card.json"
    write_atomic(path, b"old")

    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, interrupted)
    expected = KeyboardInterrupt if error is KeyboardInterrupt else InputError
    with pytest.raises(expected):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["card.json"]


def test_a_process_that_dies_while_it_writes_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_atomic(path, b"old")
    code = (
        "import os, pathlib, sys; from efficiency360.files import write_atomic\n"
        "os.fsync = lambda handle: os._exit(9)\n"
        "write_atomic(pathlib.Path(sys.argv[1]), b'new')"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    assert path.read_bytes() == b"old"


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append(os.fstat(handle).st_size), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *names: (steps.append("rename"), replace(*names)))
    write_atomic(tmp_path / "card.json", b"12345")
    assert steps == [5, "rename"]


def test_a_place_that_cannot_be_written_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "card.json", tmp_path / "folder"):
        with pytest.raises(InputError, match="cannot write") as caught:
            write_atomic(path, b"new")
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert names(tmp_path / "folder") == []
    assert names(tmp_path) == ["file", "folder"]
