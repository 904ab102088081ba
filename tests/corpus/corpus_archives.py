"""Zip archives that lie: bombs, doubles, names that climb, tables of contents that do not agree, and polyglots."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import torch
from corpus_kit import Raw, Site, hostile, piece, run_of, saved, state, weights_body, whole, write_zip
from safetensors.torch import save as safetensors_bytes

if TYPE_CHECKING:
    from pathlib import Path

EOCD = struct.Struct("<4s4H2LH")


def _system(site: Site) -> Raw:
    return run_of("os", "system", site.touch)


def _good(site: Site) -> Path:
    return saved(site.file("model.pt"), state())


def _members() -> dict[str, bytes]:
    body, members = weights_body()
    return {"archive/data.pkl": whole(body), **members}


def _patched(path: Path, at: int, value: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


def _end(path: Path) -> int:
    return path.read_bytes().rindex(b"PK\5\6")


def _central(path: Path, member: bytes) -> int:
    """Where a member's entry in the table of contents begins."""
    content = path.read_bytes()
    return content.rindex(b"PK\1\2", 0, content.rindex(member))


@hostile("compressed")
def zip_bomb(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.pt"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("archive/data.pkl", whole(weights_body()[0]), zipfile.ZIP_STORED)
        archive.writestr("archive/data/0", bytes(200 * 2**20))
    return site.file("model.pt")


@hostile()
def zip_bomb_of_the_pickle(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.pt"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]0" * (60 * 2**20) + b"].")
    return site.file("model.pt")


@hostile()
def zip_bomb_that_claims_to_be_small(site: Site) -> Path:
    path = zip_bomb(site)
    return _patched(path, _central(path, b"archive/data/0") + 24, struct.pack("<L", 100))


@hostile()
def zip_doubled_pickle(site: Site) -> Path:
    path = site.file("model.pt")
    members = _members()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("archive/data.pkX", whole(_system(site)))
    path.write_bytes(path.read_bytes().replace(b"archive/data.pkX", b"archive/data.pkl"))
    return path


@hostile("twice")
def zip_pickle_in_capitals(site: Site) -> Path:
    return write_zip(site.file("model.pt"), weights_body()[0], more={"archive/DATA.PKL": whole(_system(site))})


@hostile()
def zip_local_name_differs(site: Site) -> Path:
    """The header before the content says another name than the table of contents."""
    path = write_zip(site.file("model.pt"), weights_body()[0], more={"archive/data.pkX": whole(_system(site))})
    content = path.read_bytes()
    local = content.replace(b"archive/data.pkl", b"archive/data.pkY", 1).replace(
        b"archive/data.pkX", b"archive/data.pkl", 1
    )
    path.write_bytes(local)
    return path


@hostile()
def zip_local_method_differs(site: Site) -> Path:
    return _patched(_good(site), 8, struct.pack("<H", zipfile.ZIP_DEFLATED))


@hostile()
def zip_overlapping_members(site: Site) -> Path:
    path = _good(site)
    where = _central(path, b"/data/1")
    other = _central(path, b"/data/0")
    offset = path.read_bytes()[other + 42 : other + 46]
    return _patched(path, where + 42, offset)


@hostile()
def zip_backslashes(site: Site) -> Path:
    return write_zip(site.file("model.pt"), weights_body()[0], more={"archive\\..\\..\\x": b""})


@hostile()
def zip_nul_in_a_name(site: Site) -> Path:
    path = write_zip(site.file("model.pt"), weights_body()[0], more={"archive/data.pkl#x": whole(_system(site))})
    path.write_bytes(path.read_bytes().replace(b"data.pkl#x", b"data.pkl\0x"))
    return path


@hostile()
def zip_drive_in_a_name(site: Site) -> Path:
    return write_zip(site.file("model.pt"), weights_body()[0], more={"archive/C:/x": b""})


@hostile()
def zip_climbing_name(site: Site) -> Path:
    return write_zip(site.file("model.pt"), weights_body()[0], more={f"archive/../../../..{site.marker}": b"x"})


@hostile()
def zip_name_with_escapes(site: Site) -> Path:
    return write_zip(site.file("model.pt"), weights_body()[0], more={"\x1b[31m[bold]/<b>\n../x": b"x"})


@hostile()
def zip_comment_with_another_end(site: Site) -> Path:
    """One reader takes the first end record, another the last."""
    path = _good(site)
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\5\6")
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("archive/data.pkl", whole(_system(site)))
    content[end + 20 : end + 22] = struct.pack("<H", len(evil.getvalue()))
    path.write_bytes(bytes(content) + evil.getvalue())
    return path


@hostile()
def zip_pickle_before_it(site: Site) -> Path:
    path = _good(site)
    path.write_bytes(whole(_system(site)) + path.read_bytes())
    return path


@hostile()
def zip_legacy_before_it(site: Site) -> Path:
    old = saved(site.file("old.pt"), {"x": _Hook(site)}, _use_new_zipfile_serialization=False).read_bytes()
    path = _good(site)
    path.write_bytes(old + path.read_bytes())
    return path


class _Hook:
    def __init__(self, site: Site) -> None:
        self.site = site

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self.site.marker), "w")


@hostile()
def zip_behind_safetensors(site: Site) -> Path:
    path = _good(site)
    path.write_bytes(safetensors_bytes(state()) + path.read_bytes())
    return path


@hostile()
def zip_of_two_kinds(site: Site) -> Path:
    """Weights for one reader, TorchScript for another."""
    more = {"archive/constants.pkl": whole(_system(site)), "archive/code/__torch__.py": b"x"}
    return write_zip(site.file("model.pt"), weights_body()[0], more=more)


@hostile()
def zip_npz_with_a_pickle(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.npz"), "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\1\0")
        archive.writestr("data.pkl", whole(_system(site)))
    return site.file("model.npz")


@hostile()
def zip_in_a_zip(site: Site) -> Path:
    inner = write_zip(site.file("inner.pt"), _system(site))
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        archive.write(inner, "archive/model.pt")
    return site.file("model.pt")


@hostile()
def zip_of_two_archives(site: Site) -> Path:
    return write_zip(site.file("model.pt"), weights_body()[0], more={"other/data.pkl": whole(_system(site))})


@hostile()
def zip_without_a_pickle(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        archive.writestr("archive/data/0", bytes(8))
        archive.writestr("archive/version", b"3\n")
    return site.file("model.pt")


@hostile()
def zip_of_many_members(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        for index in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"archive/data/{'x' * 40}{index}"), b"")
    return site.file("model.pt")


@hostile()
def zip_claims_a_vast_directory(site: Site) -> Path:
    path = _good(site)
    return _patched(path, _end(path) + 12, struct.pack("<L", 2**31))


@hostile()
def zip_directory_elsewhere(site: Site) -> Path:
    path = _good(site)
    return _patched(path, _end(path) + 16, struct.pack("<L", 2**30))


@hostile()
def zip_of_several_disks(site: Site) -> Path:
    path = _good(site)
    return _patched(path, _end(path) + 4, struct.pack("<2H", 7, 7))


@hostile()
def zip64_claims(site: Site) -> Path:
    """A record of the large format that promises 2**60 members."""
    path = _good(site)
    content = path.read_bytes()
    end = content.rindex(b"PK\5\6")
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2**60, 2**60, 2**60, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    tail = EOCD.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0)
    path.write_bytes(content[:end] + large + locator + tail)
    return path


@hostile()
def zip_member_claims_to_be_vast(site: Site) -> Path:
    path = _good(site)
    return _patched(path, _central(path, b"/data/0") + 20, struct.pack("<2L", 0xFFFF_FFFE, 0xFFFF_FFFE))


@hostile()
def zip_wrong_checksum(site: Site) -> Path:
    path = _good(site)
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("model/data/0").header_offset
    _patched(path, at + 14, b"\1\2\3\4")
    return _patched(path, _central(path, b"/data/0") + 16, b"\1\2\3\4")


@hostile()
def zip_directory_entry_as_pickle(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        archive.writestr("archive/data.pkl/", b"")
        archive.writestr("archive/data/0", bytes(8))
    return site.file("model.pt")


@hostile()
def zip_hostile_version(site: Site) -> Path:
    members = _members()
    members["archive/version"] = b"9" * 4000
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return site.file("model.pt")


@hostile()
def zip_hostile_byteorder(site: Site) -> Path:
    members = {**_members(), "archive/byteorder": b"\x1b[31m" + b"x" * 1000}
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return site.file("model.pt")


@hostile()
def zip_weights_are_missing(site: Site) -> Path:
    members = {name: content for name, content in _members().items() if not name.startswith("archive/data/")}
    with zipfile.ZipFile(site.file("model.pt"), "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return site.file("model.pt")


@hostile()
def zip_first_bytes_only(site: Site) -> Path:
    site.file("model.pt").write_bytes(b"PK\3\4")
    return site.file("model.pt")


@hostile("unexpected")
def tensor_name_without_an_end(site: Site) -> Path:
    return saved(site.file("model.pt"), {**state(), "x" * 100_000: torch.zeros(1)})


@hostile()
def tensor_names_with_escapes(site: Site) -> Path:
    names = ("\x1b[31mred", "[bold]b[/]", "<script>", "two\nlines", "a\0b", "\u202egpj", "=1+1")
    return saved(site.file("model.pt"), {**state(), **{name: torch.zeros(1) for name in names}})


@hostile()
def tensor_names_of_other_types(site: Site) -> Path:
    body = Raw(b"}(" + piece(1) + piece(2) + piece((1, 2)) + piece("x") + b"u")
    return write_zip(site.file("model.pt"), body)
