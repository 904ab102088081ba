"""Damage that torch does not see: wrong checksums, and records that are shorter than the tensors made of them."""

from __future__ import annotations

import collections
import zipfile

import pytest
import torch
from format_nets import Conv, trained
from saving import SIDE, export, freeze, images, quietly, script, trace

from efficiency360.errors import InputError

SHAPE = (1, SIDE, SIDE)


def objects(net, path):
    torch.save({"state_dict": net.state_dict(), "by": collections.deque()}, path)


def bytes_of_weights(path):
    """Where the largest member that holds weights lies, and how long it is."""
    with zipfile.ZipFile(path) as archive:
        weights = [one for one in archive.infolist() if "/data/" in one.filename or "/constants/" in one.filename]
        largest = max(weights, key=lambda one: one.file_size)
        return path.read_bytes().index(archive.read(largest), largest.header_offset), largest.file_size


@pytest.mark.parametrize("save", [script, trace, freeze, export, torch.save, objects])
def test_a_changed_bit_of_a_trusted_file_is_seen(folder, load, save):
    with quietly():
        save(trained(Conv()), folder / "model.pt")
    at, _ = bytes_of_weights(folder / "model.pt")
    content = bytearray((folder / "model.pt").read_bytes())
    content[at + 3] ^= 0x40
    (folder / "model.pt").write_bytes(content)
    arch = f"{folder / 'format_nets.py'}:Conv" if save is objects else None
    with pytest.raises(InputError, match=r"model\.pt: the checksum of '.*' is wrong"):
        load(folder / "model.pt", input=SHAPE, arch=arch)


def rewritten(path, change):
    """The same archive, with members changed and true checksums, as torch's own writer aligns them or not."""
    with zipfile.ZipFile(path) as archive:
        members = [(one.filename, archive.read(one)) for one in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            archive.writestr(name, change(name, content))


@pytest.mark.parametrize("save", [script, trace, freeze])
def test_a_record_of_a_script_that_is_shorter_than_its_tensor_is_refused(folder, load, save):
    with quietly():
        save(trained(Conv()), folder / "model.pt")
    rewritten(folder / "model.pt", lambda _, content: content)
    load(folder / "model.pt", input=SHAPE)  # so that it is not the archive that is refused
    where = "/constants/" if save is freeze else "/data/"
    rewritten(folder / "model.pt", lambda name, content: content[: len(content) - 4 * (where in name)])
    with pytest.raises(InputError, match=r"whose record '(data|constants)/\d+' is shorter than the tensor"):
        load(folder / "model.pt", input=SHAPE)


@pytest.mark.parametrize(("size", "claimed"), [(b"K\x04", b"K\x05"), (b"K\x02", b"K\x7f")])
def test_a_tensor_of_a_script_that_is_larger_than_its_storage_is_refused(folder, load, size, claimed):
    with quietly():
        script(trained(Conv()), folder / "model.pt")

    def larger(name, content):
        """The sizes of one tensor, which end its description, are changed; its storage stays as it is."""
        if not name.endswith("/data.pkl"):
            return content
        at = content.rindex(size)
        return content[:at] + claimed + content[at + 2 :]

    rewritten(folder / "model.pt", larger)
    with pytest.raises(InputError, match="shorter than the tensor that is made of it"):
        load(folder / "model.pt", input=SHAPE)


def test_an_example_of_a_trace_that_was_left_out_is_no_damage(folder, load):
    net = trained(Conv())
    with quietly():
        torch.jit.trace(net, images(9)[:2]).save(str(folder / "traced.pt"))  # a view, whose bytes torch does not save
    subject, _ = load(folder / "traced.pt", input=SHAPE)
    with torch.inference_mode():
        assert torch.allclose(subject.logits(images(5)), net(images(5)), atol=1e-6)
