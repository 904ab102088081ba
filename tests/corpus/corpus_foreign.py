"""Hostile files of other formats: safetensors, TorchScript, exported programs, ONNX."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, cast

import onnx
import torch
from corpus_kit import Raw, Site, add, header, hostile, run_of, small_net, state, whole, write_zip
from onnx import TensorProto, helper
from safetensors.torch import save as safetensors_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _imported(name: str, path: Path) -> Any:
    """Import a file that lies in no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _system(site: Site) -> Raw:
    return run_of("os", "system", site.touch)


def _written(site: Site, content: bytes, name: str = "model.safetensors") -> Path:
    site.file(name).write_bytes(content)
    return site.file(name)


def _entry(shape: Any = (1,), offsets: Any = (0, 4), dtype: Any = "F32") -> bytes:
    return json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


SAFETENSORS: dict[str, bytes] = {
    "header_of_2_62": header(b'{"a":1}', 2**62),
    "header_of_2_64": header(b'{"a":1}', 2**64 - 1),
    "header_of_4_gb": header(b'{"a":1}', 2**32) + bytes(100),
    "header_of_nothing": header(b""),
    "header_is_a_list": header(b"[1, 2, 3]"),
    "header_of_garbage": header(b'{"\xff\xfe"'),
    "header_of_nan": header(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}') + bytes(4),
    "header_twice_the_name": header(_entry()[:-1] + b"," + _entry()[1:]) + bytes(4),
    "header_deep": header(b'{"a":' + b'{"a":' * 50_000),
    "metadata_is_a_number": header(b'{"__metadata__":7}'),
    "metadata_is_nested": header(b'{"__metadata__":{"a":{"b":1}}}'),
    "offsets_negative": header(_entry(offsets=(-4, 0))) + bytes(4),
    "offsets_backwards": header(_entry(offsets=(4, 0))) + bytes(4),
    "offsets_far_away": header(_entry(offsets=(2**50, 2**50 + 4))) + bytes(4),
    "offsets_of_text": header(_entry(offsets="04")) + bytes(4),
    "offsets_of_one": header(_entry(offsets=(4,))) + bytes(4),
    "offsets_with_a_gap": header(_entry(offsets=(100, 104))) + bytes(104),
    "shape_overflows": header(_entry(shape=(2**32, 2**32))) + bytes(4),
    "shape_negative": header(_entry(shape=(-1,))) + bytes(4),
    "shape_of_text": header(_entry(shape="cat")) + bytes(4),
    "shape_of_many": header(_entry(shape=(1,) * 100_000)) + bytes(4),
    "dtype_unknown": header(_entry(dtype="F33")) + bytes(4),
    "dtype_is_a_list": header(_entry(dtype=["F32"])) + bytes(4),
    "dtype_with_escapes": header(_entry(dtype="\x1b[31m<b>[bold]")) + bytes(4),
    "empty": header(b"{}"),
}
for _name, _content in SAFETENSORS.items():
    add(f"safetensors_{_name}", lambda site, content=_content: _written(site, content))


@hostile()
def safetensors_overlap(site: Site) -> Path:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    return _written(site, header(json.dumps({"a": entry, "b": entry}).encode()) + bytes(4))


@hostile()
def safetensors_with_a_pickle_behind(site: Site) -> Path:
    return _written(site, safetensors_bytes(state()) + whole(_system(site)))


@hostile()
def safetensors_names_with_escapes(site: Site) -> Path:
    return _written(site, safetensors_bytes({"\x1b[31m[bold]<script>\n\u202ex": torch.zeros(1)}))


_SETSTATE = """
import torch
from torch import nn

class Model(nn.Module):
    n: int

    def __init__(self):
        super().__init__()
        self.n = 1

    def forward(self, x):
        return x.flatten(1)[:, :3]

    @torch.jit.export
    def __getstate__(self):
        return (self.n, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        print("the state was set")
        torch.save(torch.zeros(1), "MARKER")
        self.n = state[0]
        self.training = state[1]

class Forward(nn.Module):
    def forward(self, x):
        torch.save(torch.zeros(1), "MARKER")
        return x.flatten(1)[:, :3]
"""


def _script(site: Site, name: str) -> Path:
    """A TorchScript archive whose code writes the marker: in `__setstate__`, or in `forward`."""
    site.file("source.py").write_text(_SETSTATE.replace("MARKER", str(site.marker)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = _imported(f"corpus_{name}_{site.folder.name}", site.file("source.py"))
        cast("Any", torch.jit.script(getattr(module, name)())).save(str(site.file("model.pt")))
    return site.file("model.pt")


@hostile("TorchScript", "trust-code", runs=True)
def torchscript_setstate(site: Site) -> Path:
    return _script(site, "Model")


@hostile("TorchScript", "trust-code", runs=True)
def torchscript_writes_in_forward(site: Site) -> Path:
    return _script(site, "Forward")


def _edited(path: Path, edit: Callable[[dict[str, bytes]], object]) -> Path:
    """The archive with its members edited."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _plain_script(site: Site) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast("Any", torch.jit.trace(small_net(), torch.zeros(2, 1, 8, 8))).save(str(site.file("model.pt")))
    return site.file("model.pt")


def _in(members: dict[str, bytes], end: str) -> str:
    return next(name for name in members if name.endswith(end))


@hostile("TorchScript", runs=True)
def torchscript_tampered_code(site: Site) -> Path:
    def edit(members: dict[str, bytes]) -> None:
        name = next(name for name in members if "/code/" in name and name.endswith(".py"))
        members[name] += b"\nimport os\nos.system('x')\n"

    return _edited(_plain_script(site), edit)


@hostile("TorchScript", runs=True)
def torchscript_pickled_gadget(site: Site) -> Path:
    return _edited(
        _plain_script(site), lambda members: members.update({_in(members, "data.pkl"): whole(_system(site))})
    )


@hostile("TorchScript", runs=True)
def torchscript_constants_gadget(site: Site) -> Path:
    return _edited(
        _plain_script(site), lambda members: members.update({_in(members, "constants.pkl"): whole(_system(site))})
    )


@hostile(runs=True)
def torchscript_cut(site: Site) -> Path:
    path = _plain_script(site)
    path.write_bytes(path.read_bytes()[:-500])
    return path


def _program(site: Site) -> Path:
    save = cast("Any", torch.export.save)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(torch.export.export(small_net(), (torch.zeros(2, 1, 8, 8),)), site.file("model.pt2"))
    return site.file("model.pt2")


def _gadget_member(site: Site) -> bytes:
    return write_zip(site.file("gadget.pt"), _system(site)).read_bytes()


@hostile("torch.export", "trust-code", runs=True)
def exported_sample_inputs(site: Site) -> Path:
    return _edited(
        _program(site),
        lambda members: members.update({_in(members, "sample_inputs/model.pt"): _gadget_member(site)}),
    )


@hostile("torch.export", runs=True)
def exported_constants(site: Site) -> Path:
    def edit(members: dict[str, bytes]) -> None:
        config = _in(members, "model_constants_config.json")
        members[config] = json.dumps(
            {"config": {"c": {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}}}
        ).encode()
        members[config.replace("model_constants_config.json", "custom_obj_0")] = _gadget_member(site)

    return _edited(_program(site), edit)


@hostile("torch.export", runs=True)
def exported_weights_by_pickle(site: Site) -> Path:
    def edit(members: dict[str, bytes]) -> None:
        name = _in(members, "model_weights_config.json")
        members[name] = members[name].replace(b'"use_pickle": false', b'"use_pickle": true')
        members[_in(members, "weight_0")] = _gadget_member(site)

    return _edited(_program(site), edit)


@hostile("torch.export", runs=True)
def exported_symbolic_expression(site: Site) -> Path:
    """Sizes that are expressions are read by sympy's `sympify`, which evaluates Python."""

    def edit(members: dict[str, bytes]) -> None:
        name = _in(members, "models/model.json")
        expression = json.dumps(f"__import__('os').system({site.touch!r})")
        evil = f'{{"as_expr": {{"expr_str": {expression}, "hint": {{"as_int": 2}}}}}}'.encode()
        assert b'{"as_int": 8}' in members[name]
        members[name] = members[name].replace(b'{"as_int": 8}', evil)

    return _edited(_program(site), edit)


@hostile("torch.export", runs=True)
def exported_operator_by_name(site: Site) -> Path:
    def edit(members: dict[str, bytes]) -> None:
        name = _in(members, "models/model.json")
        assert b"torch.ops.aten.relu.default" in members[name]
        members[name] = members[name].replace(b"torch.ops.aten.relu.default", b"os.system")

    return _edited(_program(site), edit)


@hostile("torch.export", runs=True)
def exported_of_another_version(site: Site) -> Path:
    return _edited(
        _program(site), lambda members: members.update({_in(members, "archive_version"): b"\x1b[31m999999999999"})
    )


@hostile("torch.export")
def exported_old_format(site: Site) -> Path:
    with zipfile.ZipFile(site.file("model.pt2"), "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", _gadget_member(site))
        archive.writestr("serialized_example_inputs.pt", _gadget_member(site))
        archive.writestr("version", "1.1")
    return site.file("model.pt2")


@hostile()
def aot_inductor_package(site: Site) -> Path:
    """Compiled code: a shared library in an archive."""
    with zipfile.ZipFile(site.file("model.pt2"), "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/data/aotinductor/model/x.so", b"\x7fELF")
    return site.file("model.pt2")


def _onnx_net() -> onnx.ModelProto:
    """(N, 1, 8, 8) -> (N, 3): a flatten and a matrix."""
    weight = helper.make_tensor("weight", TensorProto.FLOAT, (64, 3), [0.1] * 192)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "weight"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 1, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3))],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _saved_onnx(site: Site, model: onnx.ModelProto) -> Path:
    return _written(site, model.SerializeToString(), "model.onnx")


def _external(site: Site, location: str, **more: str) -> Path:
    model = _onnx_net()
    tensor = model.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return _saved_onnx(site, model)


LOCATIONS = {
    "climbs": "../../../../../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "home": "~/.ssh/id_rsa",
    "device": "/dev/zero",
    "proc": "/proc/self/environ",
    "url": "file:///etc/passwd",
    "missing": "nothing.bin",
    "nul": "a\0b",
    "escapes": "\x1b[31m[bold]\n<script>",
    "long": "x" * 100_000,
    "windows": "..\\..\\secret",
}
for _name, _location in LOCATIONS.items():
    add(f"onnx_external_{_name}", lambda site, location=_location: _external(site, location), "ONNX")


@hostile("ONNX")
def onnx_external_link(site: Site) -> Path:
    site.file("weights.bin").symlink_to("/etc/passwd")
    return _external(site, "weights.bin")


@hostile("ONNX")
def onnx_external_pipe(site: Site) -> Path:
    os.mkfifo(site.file("weights.bin"))
    return _external(site, "weights.bin")


@hostile("ONNX")
def onnx_external_offset(site: Site) -> Path:
    site.file("weights.bin").write_bytes(bytes(768))
    return _external(site, "weights.bin", offset=str(2**62), length=str(2**62))


@hostile()
def onnx_custom_operator(site: Site) -> Path:
    model = _onnx_net()
    model.graph.node[0].op_type, model.graph.node[0].domain = "PyOp", "ai.onnx.contrib"
    model.opset_import.add(domain="ai.onnx.contrib", version=1)
    return _saved_onnx(site, model)


@hostile()
def onnx_function_calls_itself(site: Site) -> Path:
    model = _onnx_net()
    opset = helper.make_opsetid("", 17)
    own = helper.make_opsetid("own", 1)
    node = helper.make_node("Loop1", ["x"], ["flat"], domain="own")
    model.functions.append(helper.make_function("own", "Loop1", ["x"], ["flat"], [node], [opset, own]))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Loop1", "own"
    model.opset_import.append(own)
    return _saved_onnx(site, model)


@hostile()
def onnx_deep_subgraphs(site: Site) -> Path:
    """Graphs in the attributes of graphs, written by hand, as the library refuses to."""

    def field(number: int, content: bytes) -> bytes:
        length, encoded = len(content), b""
        while length >= 0x80:
            encoded, length = encoded + bytes([length & 0x7F | 0x80]), length >> 7
        return bytes([number << 3 | 2]) + encoded + bytes([length]) + content

    base = _onnx_net().graph.SerializeToString()
    graph = base
    for _ in range(500):
        attribute = field(1, b"body") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(4, b"If") + field(5, attribute)) + base
    return _written(site, b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11"), "model.onnx")


@hostile()
def onnx_vast_tensor(site: Site) -> Path:
    model = _onnx_net()
    model.graph.initializer[0].dims[:] = [2**40, 2**40]
    return _saved_onnx(site, model)


@hostile()
def onnx_negative_tensor(site: Site) -> Path:
    model = _onnx_net()
    model.graph.initializer[0].dims[:] = [-64, 3]
    return _saved_onnx(site, model)


@hostile()
def onnx_less_data_than_claimed(site: Site) -> Path:
    model = _onnx_net()
    model.graph.initializer[0].ClearField("float_data")
    model.graph.initializer[0].raw_data = bytes(8)
    return _saved_onnx(site, model)


@hostile()
def onnx_without_outputs(site: Site) -> Path:
    model = _onnx_net()
    del model.graph.output[:]
    return _saved_onnx(site, model)


@hostile()
def onnx_circle(site: Site) -> Path:
    model = _onnx_net()
    model.graph.node[0].input[0] = "y"
    return _saved_onnx(site, model)


@hostile()
def onnx_vast_constant(site: Site) -> Path:
    """A few bytes that ask for a terabyte."""
    model = _onnx_net()
    shape = helper.make_tensor("shape", TensorProto.INT64, (1,), [2**38])
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], ["vast"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["vast"], ["sum"]))
    model.graph.node[2].output[0] = "before"
    model.graph.node.append(helper.make_node("Add", ["before", "sum"], ["y"]))
    return _saved_onnx(site, model)


PROTOBUFS = {
    "length_of_2_63": b"\x08\x08\x3a" + b"\xff" * 8 + b"\x7f",
    "length_past_the_end": b"\x08\x08\x3a\xff\xff\xff\x0f\x0a\x03abc",
    "varint_without_an_end": b"\x08\x08\x3a" + b"\xff" * 500,
    "groups": b"\x08\x08\x3a\x7f\x0a" + b"\x0b" * 125,
    "nested_deeply": b"\x08\x08\x3a\x04\x0a\x02\x0a\x00",
}
for _name, _content in PROTOBUFS.items():
    add(f"onnx_{_name}", lambda site, content=_content: _written(site, content, "model.onnx"))


@hostile()
def onnx_cut(site: Site) -> Path:
    path = _saved_onnx(site, _onnx_net())
    path.write_bytes(path.read_bytes()[:-300])
    return path
