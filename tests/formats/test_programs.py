"""TorchScript, exported programs and pickled modules: outputs, modes, batches, and everything that goes wrong."""

from __future__ import annotations

import collections
import dataclasses
import pickle
import sys

import format_nets
import pytest
import torch
from format_nets import Conv, Named, Several, trained
from saving import SIDE, export, export_for, images, quietly, script, trace
from torch import nn

from efficiency360.errors import InputError
from efficiency360.numerics.fixed_batch import FixedBatch
from efficiency360.subject.request import SubjectOptions, request_subject

SHAPE = (1, SIDE, SIDE)


@pytest.fixture
def net():
    return trained(Conv())


@dataclasses.dataclass
class Answer:
    given: torch.Tensor
    logits: torch.Tensor


class AnsweringOwnClass(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return Answer(x, self.net(x))


def same(subject, net, n=5):
    with torch.inference_mode():
        return torch.allclose(subject.logits(images(n)), net(images(n)), atol=1e-6)


@pytest.mark.parametrize(("wrapped", "output"), [(Several, "1"), (Several, "-1"), (Named, '"logits"')])
@pytest.mark.parametrize("save", [torch.save, script, trace, export, export_for(2)])
def test_the_manifest_chooses_among_outputs(folder, load, manifest, net, wrapped, output, save):  # noqa: PLR0913, PLR0917
    with quietly():
        save(wrapped(net).eval(), folder / "model.pt")
    subject, _ = load(folder / "model.pt", input=SHAPE, manifest=manifest(output))
    assert same(subject, net)


@pytest.mark.parametrize("save", [script, export])
def test_without_a_choice_the_error_says_what_there_is(folder, load, net, save):
    with quietly():
        save(Named(net).eval(), folder / "model.pt")
    with pytest.raises(InputError, match="a dict with 'given', 'logits'; say which part"):
        load(folder / "model.pt", input=SHAPE)


def test_an_output_of_a_class_that_is_not_known_here_is_chosen_by_the_names_of_its_fields(folder, load, manifest, net):
    registered = torch.utils._pytree.SUPPORTED_NODES, torch.utils._pytree.SUPPORTED_SERIALIZED_TYPES
    registered += (torch.utils._pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE,)
    before = [dict(table) for table in registered]
    torch.export.register_dataclass(Answer, serialized_type_name="somebody.Answer")
    with quietly():
        export_for(2)(AnsweringOwnClass(net).eval(), folder / "own.pt2")
    for table, content in zip(registered, before, strict=True):
        table.clear()
        table.update(content)
    subject, _ = load(folder / "own.pt2", manifest=manifest('"logits"'))
    assert same(subject, net)
    with pytest.raises(InputError, match="a dict with 'given', 'logits'"):
        load(folder / "own.pt2")


def test_an_exported_program_tells_its_input_size_and_channels(folder, load, net):
    with quietly():
        export(net, folder / "exported.pt2")
    subject, info = load(folder / "exported.pt2")
    assert subject.input_shape == SHAPE
    assert "subject.preprocess_assumed" in {caveat.id for caveat in info.record.caveats}


@pytest.mark.parametrize("n", [1, 2, 8])
def test_a_program_for_a_number_of_images_says_so(folder, load, net, n):
    with quietly():
        export_for(n)(net, folder / "fixed.pt2")
    subject, info = load(folder / "fixed.pt2")
    assert isinstance(subject.module, FixedBatch)
    caveat = next(caveat for caveat in info.record.caveats if caveat.id == "subject.fixed_batch")
    assert ("exactly" in caveat.text, "one image at a time" in caveat.text) == (n > 1, n == 1)


def test_a_program_that_needs_two_images_gets_two(folder, load, net):
    net.train()
    batch = torch.export.Dim("batch", min=2, max=6)
    with quietly():
        program = torch.export.export(net, (images(4),), dynamic_shapes=({0: batch},))
        torch.export.save(program, folder / "two_to_six.pt2")
    subject, info = load(folder / "two_to_six.pt2")
    assert (subject.module.least, subject.module.most) == (2, 6)
    assert {"subject.training_mode", "subject.fixed_batch"} <= {caveat.id for caveat in info.record.caveats}
    net.eval()
    assert all(same(subject, net, n) for n in (1, 6, 7, 13))


def test_a_traced_program_with_its_batch_written_into_it_is_found_out(folder, load, net):
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x.reshape(4, 1, SIDE, SIDE))

    with quietly():
        torch.jit.trace(Fixed(), images(4)).save(str(folder / "four.pt"))
    subject, _ = load(folder / "four.pt", input=SHAPE)
    assert (subject.module.least, subject.module.most) == (4, 4)
    assert same(subject, net, 6)


def test_a_program_saved_in_training_mode_is_told_apart(folder, load, net):
    with quietly():
        torch.jit.trace(net.train(), images(2), check_trace=False).save(str(folder / "training.pt"))
        script(net, folder / "scripted.pt")
    _, info = load(folder / "training.pt", input=SHAPE)
    assert "subject.training_mode" in {caveat.id for caveat in info.record.caveats}
    subject, info = load(folder / "scripted.pt", input=SHAPE)
    assert "subject.training_mode" not in {caveat.id for caveat in info.record.caveats}
    assert same(subject, net.eval())


def test_weights_of_a_frozen_program_are_counted(folder, load, net):
    with quietly():
        torch.jit.freeze(torch.jit.script(net)).save(str(folder / "frozen.pt"))
    subject, _ = load(folder / "frozen.pt", input=SHAPE)
    assert not list(subject.module.parameters())
    assert subject.weights.params == 50  # batch norm is folded into the convolution
    assert subject.weights.weights_bytes == 200


def test_a_module_inside_a_checkpoint_is_found_and_chosen(folder, load, net):
    torch.save({"epoch": 3, "model": net}, folder / "one.pt")
    with pytest.raises(InputError, match=r"name it with --arch.*where it holds a whole model that you trust"):
        load(folder / "one.pt", input=SHAPE, trust_code=False)
    assert same(load(folder / "one.pt", input=SHAPE)[0], net)
    torch.save({"model": trained(Conv()), "nets": [net, nn.Flatten()]}, folder / "three.pt")
    with pytest.raises(InputError, match=r"several modules: 'model', 'nets.0', 'nets.1'; choose one with --key"):
        load(folder / "three.pt", input=SHAPE)
    assert same(load(folder / "three.pt", input=SHAPE, key="nets.0")[0], net)
    with pytest.raises(InputError, match="no module at --key other"):
        load(folder / "three.pt", input=SHAPE, key="other")


def test_weights_beside_other_objects_fit_their_architecture(folder, load, net):
    torch.save({"state_dict": net.state_dict(), "by": collections.deque()}, folder / "weights.pt")
    arch = f"{folder / 'format_nets.py'}:Conv"
    assert same(load(folder / "weights.pt", input=SHAPE, arch=arch)[0], net)
    with pytest.raises(InputError, match=r"collections\.deque.*can run any code; where you trust it, add --trust-code"):
        load(folder / "weights.pt", input=SHAPE, arch=arch, trust_code=False)
    with pytest.raises(InputError, match=r"holds no torch\.nn.Module, only a value of type dict"):
        load(folder / "weights.pt", input=SHAPE)


def test_a_plain_pickle_of_a_module_loads(folder, load, net):
    (folder / "plain.pkl").write_bytes(pickle.dumps(net, protocol=2))
    assert same(load(folder / "plain.pkl", input=SHAPE)[0], net)


def test_wrappers_that_spread_a_module_over_devices_are_taken_off(folder, load, net):
    torch.save(nn.DataParallel(net), folder / "parallel.pt")
    assert type(load(folder / "parallel.pt", input=SHAPE)[0].module) is Conv


def test_code_that_is_missing_is_named(folder, load, net, monkeypatch):
    torch.save(net, folder / "pickled.pt")
    (folder / "format_nets.py").unlink()
    monkeypatch.delitem(sys.modules, "format_nets")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if not place.endswith("formats")])
    with pytest.raises(InputError, match=r"needs the Python module 'format_nets'.*put format_nets.py beside the model"):
        load(folder / "pickled.pt", input=SHAPE)
    monkeypatch.setitem(sys.modules, "format_nets", type(sys)("format_nets"))
    with pytest.raises(InputError, match="needs 'Conv', which the module 'format_nets' here does not have"):
        load(folder / "pickled.pt", input=SHAPE)


def test_a_class_of_the_program_that_saved_it_is_named(folder, load, net, monkeypatch):
    monkeypatch.setattr(Conv, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Conv", Conv, raising=False)
    torch.save(net, folder / "pickled.pt")
    monkeypatch.delattr(sys.modules["__main__"], "Conv")
    with pytest.raises(InputError, match="its class 'Conv' was defined in the program that saved it"):
        load(folder / "pickled.pt", input=SHAPE)


class Raises:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        return (raise_it, (self.error,))


class Hostile(Exception):  # noqa: N818
    def __str__(self):
        raise KeyboardInterrupt


def raise_it(kind):
    if kind == "deep":
        raise_it(kind)
    raise {"exit": SystemExit(0), "interrupt": KeyboardInterrupt(), "hostile": Hostile()}.get(kind) or ValueError(kind)


@pytest.mark.parametrize("kind", ["exit", "interrupt", "hostile", "deep", "two\nlines\x1b[31m" + "x" * 5000])
def test_whatever_unpickling_raises_is_one_short_line(folder, load, net, kind):
    torch.save([net, Raises(kind)], folder / "raises.pt")
    with pytest.raises(InputError) as caught:
        load(folder / "raises.pt", input=SHAPE)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 600
    assert "cannot be unpickled" in text


class Rude(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, _):
        raise_it(self.kind)


@pytest.mark.parametrize("kind", ["exit", "interrupt", "hostile", "deep", "two\nlines\x1b[31m" + "x" * 5000])
def test_whatever_the_first_forward_pass_raises_is_one_short_line(folder, load, kind):
    (folder / "rude.py").write_text("")
    torch.save(Rude(kind), folder / "rude.pt")
    with pytest.raises(InputError, match="the model does not run on a 1x8x8 input") as caught:
        load(folder / "rude.pt", input=SHAPE)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["scripted.pt", "exported.pt2", "pickled.pt"])
def test_a_damaged_program_is_refused_in_one_line(folder, load, net, name):
    with quietly():
        {"scripted.pt": script, "exported.pt2": export, "pickled.pt": torch.save}[name](net, folder / name)
    whole = (folder / name).read_bytes()
    for cut in (0.3, 0.6, 0.9):
        (folder / name).write_bytes(whole[: int(cut * len(whole))])
        with pytest.raises(InputError) as caught:
            load(folder / name, input=SHAPE)
        assert str(caught.value).isprintable()


def test_a_program_that_takes_no_images_says_what_it_takes(folder, load):
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    with quietly():
        torch.export.save(torch.export.export(Two(), (torch.rand(2, 3), torch.rand(2, 3))), folder / "two.pt2")
    with pytest.raises(InputError, match=r"takes 2 inputs \(a tensor \(2, 3\) of float32"):
        load(folder / "two.pt2")


@pytest.mark.parametrize("options", [{"arch": "timm:resnet18"}, {"key": "model"}, {"remap": "order"}])
def test_options_of_weights_are_refused_for_programs(folder, load, net, options):
    with quietly():
        script(net, folder / "scripted.pt")
    with pytest.raises(InputError, match=r"leave --arch|go with weights"):
        load(folder / "scripted.pt", input=SHAPE, **options)


def test_what_loading_reads_and_runs_is_known_beforehand(folder, net):
    torch.save(net, folder / "pickled.pt")
    torch.save(net.state_dict(), folder / "weights.pt")
    torch.save({"model": net}, folder / "checkpoint.pt")
    (folder / "link.pt").symlink_to(folder / "weights.pt")

    def asked(name, **options):
        return request_subject(str(folder / name), SubjectOptions(**options))

    pickled = asked("pickled.pt", trust_code=True)
    assert pickled.runs_code
    assert set(pickled.reads) == {str(folder / "pickled.pt"), str(folder)}  # its classes are in a file beside it
    weights = asked("link.pt", arch="timm:resnet18")
    assert not weights.runs_code
    assert weights.reads == (str(folder / "weights.pt"),)
    assert not asked("weights.pt", arch="timm:resnet18", trust_code=True).runs_code
    assert asked("weights.pt", arch=f"{folder / 'format_nets.py'}:Conv").runs_code
    assert str(folder) in asked("weights.pt", arch=f"{folder / 'format_nets.py'}:Conv").reads
    assert asked("checkpoint.pt", trust_code=True).runs_code
    assert not asked("checkpoint.pt", arch="timm:resnet18").runs_code
    assert format_nets.__file__ not in asked("weights.pt", arch="timm:resnet18").reads
