"""Programs as people save them that are not one tensor in, one tensor out, for any number of images."""

from __future__ import annotations

import pickle

import pytest
import torch
from format_nets import Attention, Conv, trained
from saving import SIDE, freeze, images, quietly, script
from torch import nn

from efficiency360.errors import InputError
from efficiency360.numerics.fixed_batch import FixedBatch
from efficiency360.subject.request import SubjectOptions, request_subject

SHAPE = (1, SIDE, SIDE)


@pytest.fixture
def net():
    return trained(Conv())


def same(subject, net, n=5, atol=1e-5):
    with torch.inference_mode():
        return torch.allclose(subject.logits(images(n)).float(), net(images(n)), atol=atol)


class Around(nn.Module):
    def __init__(self, net, n=0):
        super().__init__()
        self.net, self.n = net, n


class Fixed(Around):
    def forward(self, x):
        return self.net(x.reshape(self.n, 1, SIDE, SIDE))


class InList(Around):
    def forward(self, x):
        return [self.net(x)]


class Nested(Around):
    def forward(self, x):
        return {"out": {"logits": self.net(x)}, "parts": (x, [self.net(x)])}


class Keyword(Around):
    def forward(self, *, pixel_values):
        return self.net(pixel_values)


class Optional(Around):
    def forward(self, labels, x, scale=1, mask=None):
        assert labels is None
        assert mask is None
        return self.net(x) * scale


@pytest.mark.parametrize("n", [2, 6, 7, 32])
def test_a_number_of_images_written_into_a_trace_is_found(folder, load, net, n):
    with quietly():
        torch.jit.trace(Fixed(net, n), images(n)).save(str(folder / "fixed.pt"))
    subject, info = load(folder / "fixed.pt", input=SHAPE)
    assert (subject.module.least, subject.module.most) == (n, n)
    assert "subject.fixed_batch" in {caveat.id for caveat in info.record.caveats}
    assert all(same(subject, net, count) for count in (1, 2, 3, 33))


def test_a_program_for_any_number_of_images_is_left_as_it_is(folder, load, net):
    with quietly():
        script(net, folder / "scripted.pt")
    assert not isinstance(load(folder / "scripted.pt", input=SHAPE)[0].module, FixedBatch)


def test_logits_alone_in_a_list_are_taken(folder, load, net):
    with quietly():
        script(InList(net), folder / "list.pt")
    assert same(load(folder / "list.pt", input=SHAPE)[0], net)


@pytest.mark.parametrize("where", ["out.logits", "parts.1.0"])
def test_a_path_leads_to_nested_logits(folder, load, manifest, net, where):
    with quietly():
        torch.export.save(
            torch.export.export(Nested(net), (images(2),), dynamic_shapes=({0: torch.export.Dim("n")},)),
            folder / "nested.pt2",
        )
    assert same(load(folder / "nested.pt2", manifest=manifest(f'"{where}"'))[0], net)
    with pytest.raises(InputError, match=r"output = 'out\.other' is not part|output = 'other' is not part"):
        load(folder / "nested.pt2", manifest=manifest('"out.other"'))


def test_an_exported_program_whose_images_are_a_keyword_or_one_of_several_arguments(folder, load, net):
    with quietly():
        keyword = torch.export.export(Keyword(net), (), {"pixel_values": images(2)})
        optional = torch.export.export(Optional(net), (None, images(2), 3), {"mask": None})
    for program, times in ((keyword, 1), (optional, 3)):
        torch.export.save(program, folder / "program.pt2")
        subject, _ = load(folder / "program.pt2")
        with torch.inference_mode():
            assert torch.allclose(subject.logits(images(5)), times * net(images(5)), atol=1e-5)


def test_a_frozen_script_in_half_precision_takes_images_in_half_precision(folder, load, net):
    with quietly():
        freeze(trained(Conv()).half(), folder / "half.pt")
    subject, _ = load(folder / "half.pt", input=SHAPE)
    assert same(subject, net, atol=1e-2)
    assert subject.weights.weights_bytes == 2 * subject.weights.params


def test_an_onnx_model_in_half_precision_is_converted(folder, load):
    with quietly():
        torch.onnx.export(trained(Attention()).half(), (images(2).half(),), str(folder / "half.onnx"), verbose=False)
    subject, info = load(folder / "half.onnx")
    assert "subject.onnx_converted" in {caveat.id for caveat in info.record.caveats}
    assert same(subject, trained(Attention()), atol=2e-2)


def test_what_torch_compile_puts_around_a_module_is_taken_off(folder, load, net):
    torch.save(torch.compile(net), folder / "compiled.pt")
    assert type(load(folder / "compiled.pt", input=SHAPE)[0].module) is Conv
    net.conv = torch.compile(net.conv)
    torch.save(nn.DataParallel(net), folder / "inside.pt")
    subject, _ = load(folder / "inside.pt", input=SHAPE)
    assert type(subject.module.conv) is nn.Conv2d
    assert same(subject, trained(Conv()))


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
def test_weights_in_another_pickle_protocol_load_where_they_are_trusted(folder, load, net, protocol):
    torch.save(net.state_dict(), folder / "weights.pt", pickle_protocol=protocol)
    arch = f"{folder / 'format_nets.py'}:Conv"
    assert same(load(folder / "weights.pt", input=SHAPE, arch=arch)[0], net)
    if protocol > 3:
        with pytest.raises(InputError, match="pickle protocol other than"):
            load(folder / "weights.pt", input=SHAPE, arch=arch, trust_code=False)


@pytest.mark.parametrize("name", ["models", "code", "CODE", "constants.pkl"])
def test_weights_may_be_named_like_a_part_of_a_program(folder, load, net, name):
    torch.save(net.state_dict(), folder / f"{name}.pt")
    arch = f"{folder / 'format_nets.py'}:Conv"
    assert same(load(folder / f"{name}.pt", input=SHAPE, arch=arch, trust_code=False)[0], net)


def test_a_factory_that_a_manifest_names_is_called_where_it_is_trusted(folder, load, net, monkeypatch):
    monkeypatch.chdir(folder.parent)
    torch.save(net.state_dict(), folder / "weights.pt")
    (folder / "weights.toml").write_text('[model]\narch = "format_nets.py:Conv"\n')
    assert same(load(folder / "weights.pt", input=SHAPE)[0], net)
    with pytest.raises(InputError, match="is code that would run; if you trust it, add --trust-code"):
        load(folder / "weights.pt", input=SHAPE, trust_code=False)
    asked = request_subject(str(folder / "weights.pt"), SubjectOptions(trust_code=True))
    assert asked.runs_code
    assert str(folder) in asked.reads
