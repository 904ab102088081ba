"""ONNX: converted where that is faithful, else a black box that says what follows; nothing foreign is loaded."""

from __future__ import annotations

import copy
import importlib.util

import numpy as np
import onnx
import pytest
import torch
from format_nets import Attention, Conv, Named, trained
from onnx import TensorProto, helper, numpy_helper
from saving import SIDE, images, onnx_for_two, quietly
from saving import onnx as save_onnx
from torch import nn

from efficiency360.axes import Run, make_axis
from efficiency360.errors import InputError
from efficiency360.subject.formats import onnx as opener
from efficiency360.subject.load import load_subject
from efficiency360.subject.request import SubjectOptions, request_subject

SHAPE = (1, SIDE, SIDE)


@pytest.fixture
def net():
    return trained(Conv())


def graph(path, nodes, *, takes=("N", 3, 4, 4), kind=TensorProto.FLOAT, weights=(), domains=()):  # noqa: PLR0913
    """Write a model of these nodes from x to y."""
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", None))]
    inputs = [helper.make_tensor_value_info("x", kind, takes)]
    made = helper.make_graph(
        nodes, "g", inputs, outputs, [numpy_helper.from_array(array, name) for name, array in weights]
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=8), path)
    return path


def sine_of_means(path, **options):
    """A model that onnx2torch does not convert: it has no hyperbolic sine."""
    pooled = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["f"])]
    nodes = [*pooled, helper.make_node("Sinh", ["f"], ["s"]), helper.make_node("MatMul", ["s", "w"], ["y"])]
    return graph(path, nodes, weights=[("w", np.eye(3, 2, dtype=np.float32))], **options)


def same(subject, net, n=5):
    with torch.inference_mode():
        return torch.allclose(subject.logits(images(n)), net(images(n)), atol=1e-5)


def evidence_of(axis, subject):
    found = {}
    for piece in make_axis(axis, {}).observe(subject, None, Run(0, 1, lambda _done, _total: None)):
        found |= piece
    return found


@pytest.mark.parametrize("kind", [Conv, Attention])
def test_a_self_contained_file_opens_without_trust_and_gradients_reach_the_images(folder, load, kind):
    net = trained(kind())
    with quietly():
        save_onnx(net, folder / "model.onnx")
    subject, info = load(folder / "model.onnx", trust_code=False)
    assert info.differentiable
    assert subject.input_shape == SHAPE
    assert same(subject, net)
    asked = images(2).requires_grad_()
    subject.logits(asked).sum().backward()
    assert asked.grad.abs().sum() > 0


def test_what_does_not_convert_is_a_black_box_that_says_what_follows(folder, load):
    subject, info = load(sine_of_means(folder / "sinh.onnx"), trust_code=False)
    assert not info.differentiable
    assert {caveat.id for caveat in info.record.caveats} >= {"subject.onnx_runtime"}
    x = torch.rand(7, 3, 4, 4)
    assert torch.allclose(subject.logits(x), torch.sinh(x.mean((2, 3)))[:, :2], atol=1e-6)
    evidence = evidence_of("cost", subject)
    assert evidence["params"] == 6
    assert evidence["weights_bytes"] == 24
    findings = make_axis("cost", {}).measure(evidence, None)
    numbers = {one.name: one.value for one in findings.measurements}
    assert not {"cost.macs", "cost.flops", "cost.activations"} & numbers.keys()
    assert numbers["cost.op_coverage"] == 0
    assert "cost.black_box" in {caveat.id for caveat in findings.caveats}


def test_a_converted_module_that_disagrees_is_not_used(folder, load, net, monkeypatch):
    with quietly():
        save_onnx(net, folder / "model.onnx")

    class Off(nn.Module):
        def forward(self, x):
            return net(x) + 0.01

    monkeypatch.setattr(opener, "_convert", lambda _proto: Off())
    subject, info = load(folder / "model.onnx")
    assert subject.black_box
    assert "differ by 0.01" in next(one.text for one in info.record.caveats if one.id == "subject.onnx_runtime")
    assert same(subject, net)


@pytest.mark.parametrize("converts", [True, False])
def test_a_fixed_batch_is_filled_up(folder, load, net, converts):
    if converts:
        with quietly():
            onnx_for_two(net, folder / "two.onnx")
        subject, _ = load(folder / "two.onnx")
        assert all(same(subject, net, n) for n in (1, 2, 5))
        return
    subject, _ = load(sine_of_means(folder / "three.onnx", takes=(3, 3, 4, 4)))
    x = torch.rand(7, 3, 4, 4)
    assert torch.allclose(subject.logits(x), torch.sinh(x.mean((2, 3)))[:, :2], atol=1e-6)


def test_a_black_box_follows_the_number_of_threads_and_has_no_variants(folder, load):
    subject, _ = load(sine_of_means(folder / "sinh.onnx"))
    torch.set_num_threads(2)
    subject.logits(torch.rand(1, 3, 4, 4))
    assert set(subject.module._sessions) == {1, 2}
    assert subject.module._sessions[2].get_session_options().intra_op_num_threads == 2
    with pytest.raises(RuntimeError, match="as it was exported"):
        copy.deepcopy(subject.module)
    with pytest.raises(TypeError, match=r"takes torch.float32"):
        subject.module(torch.rand(1, 3, 4, 4).bfloat16())


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_floating_point_inputs_are_cast(folder, load, kind):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("Cast", ["m"], ["y"], to=TensorProto.FLOAT),
    ]
    subject, _ = load(graph(folder / "cast.onnx", nodes, kind=kind))
    x = torch.rand(3, 3, 4, 4)
    assert torch.allclose(subject.logits(x), x.mean((2, 3)), atol=1e-3)


def test_one_of_several_outputs_is_chosen_by_name_or_place(folder, load, manifest, net):
    with quietly():
        save_onnx(Named(net).eval(), folder / "named.onnx", output_names=["given", "logits"])
    with pytest.raises(InputError, match=r"has the outputs 'given', 'logits'; say which"):
        load(folder / "named.onnx")
    for output in ('"logits"', "1", "-1"):
        assert same(load(folder / "named.onnx", manifest=manifest(output))[0], net)
    with pytest.raises(InputError, match=r"output = 'probs' is none of them"):
        load(folder / "named.onnx", manifest=manifest('"probs"'))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kind": TensorProto.UINT8}, "takes uint8 ?x3x4x4; export one that takes float32"),
        ({"takes": ("N", 4, 4, 3)}, "channels come last"),
        ({"takes": ("N", 5, 4, 4)}, "takes float ?x5x4x4"),
        ({"takes": ("N", 48)}, "takes float ?x48"),
    ],
)
def test_inputs_that_are_no_images_are_refused_with_what_is_taken(folder, load, changed, says):
    path = graph(folder / "odd.onnx", [helper.make_node("Flatten", ["x"], ["y"])], **changed)
    with pytest.raises(InputError) as caught:
        load(path)
    assert says in str(caught.value)


def test_operators_of_somebody_elses_library_are_refused_by_name(folder, load):
    path = graph(
        folder / "own.onnx", [helper.make_node("Magic", ["x"], ["y"], domain="com.evil")], domains=["com.evil"]
    )
    with pytest.raises(InputError, match=r"needs operators of 'com.evil' \('Magic'\)"):
        load(path)


def external(folder, location, save_to=None):
    """A model whose weights are in another file."""
    path = folder / "model.onnx"
    graph(path, [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
          weights=[("w", np.random.default_rng(0).random((48, 2), dtype=np.float32))])  # fmt: skip
    model = onnx.load(path)
    data = model.graph.initializer[0].raw_data
    onnx.external_data_helper.set_external_data(
        model.graph.initializer[0], location=location, offset=0, length=len(data)
    )
    model.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    if save_to is not None:
        save_to.write_bytes(data)
    return path, torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(48, 2)


def test_external_data_inside_the_folder_is_read_where_it_is_trusted(folder, load):
    path, weight = external(folder, "weights.bin", folder / "weights.bin")
    subject, _ = load(path)
    x = torch.rand(3, 3, 4, 4)
    assert torch.allclose(subject.logits(x), x.flatten(1) @ weight, atol=1e-5)
    assert subject.weights.params == 96
    assert subject.file_bytes > 4 * 96
    before = subject.fingerprint
    (folder / "weights.bin").write_bytes(bytes(4 * 96))
    assert load(path)[0].fingerprint != before
    with pytest.raises(InputError, match="wants other files read for its weights"):
        load(path, trust_code=False)


@pytest.mark.parametrize("location", ["../outside.bin", "/etc/passwd", "link.bin", "missing.bin", "sub", "a/../../b"])
def test_external_data_elsewhere_is_refused_and_not_read(folder, load, location):
    inner = folder / "inner"
    (inner / "sub").mkdir(parents=True)
    (folder / "outside.bin").write_bytes(bytes(400))
    (inner / "link.bin").symlink_to(folder / "outside.bin")
    path, _ = external(inner, location)
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(caught.value).isprintable()


def test_a_missing_package_is_named_with_how_to_install_it(folder, load, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "efficiency360.subject.formats.onnx.find_spec", lambda name: None if name == "onnx2torch" else found(name)
    )
    with pytest.raises(InputError, match=r"needs onnx2torch: pip install 'efficiency360\[onnx\]'"):
        load(sine_of_means(folder / "sinh.onnx"))


def test_a_black_box_runs_on_the_processor_only(folder):
    request = request_subject(str(sine_of_means(folder / "sinh.onnx")), SubjectOptions())
    with pytest.raises(InputError, match="on the processor only"):
        load_subject(request.model_copy(update={"device": "cuda"}))
