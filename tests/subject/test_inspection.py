"""What `inspect` tells, compared with what torch, safetensors and onnx themselves read from the same file."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import os
import subprocess
import sys
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import broken_models as gallery
import numpy as np
import onnx
import pytest
import timm
import torch
import torchvision
from onnx import numpy_helper
from rich.console import Console
from safetensors.torch import save_file
from torch import Tensor, nn

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.render.inspection import show
from efficiency360.subject.files.pickle_trust import split_globals
from efficiency360.subject.inspection import index as index_architectures
from efficiency360.subject.inspection.inspect import inspect
from efficiency360.subject.inspection.signatures import _index, index_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from efficiency360.subject.inspection.records import Inspection, SetRecord


FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128)
EIGHT_BITS = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)


def _save(path: Path, value: object, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, path, **options)
    return path


def _tensors(found: SetRecord) -> dict[str, tuple[tuple[int, ...], str, int | None, int | None]]:
    return {one.name: (one.shape, one.dtype, one.nan, one.infinite) for one in found.tensors}


def _expected(state: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], str, int, int]]:
    return {name: (tuple(t.shape), str(t.dtype).removeprefix("torch."), *_broken(t)) for name, t in state.items()}


def _broken(tensor: Tensor) -> tuple[int, int]:
    wide = tensor.float() if tensor.dtype in EIGHT_BITS else tensor
    nan = int(wide.isnan().sum())
    return nan, int((~wide.isfinite()).sum()) - nan


def _with_broken_values(dtype: torch.dtype) -> Tensor:
    values = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    values[0, :2], values[1, 0], values[3, 5] = torch.nan, torch.inf, -torch.inf
    return values.to(dtype)


def _state() -> dict[str, Tensor]:
    """Tensors of every dtype and many layouts, with NaN and infinities in some."""
    whole = torch.arange(60, dtype=torch.float32)
    whole[7], whole[31] = torch.nan, torch.inf
    square = _with_broken_values(torch.float32)
    return {
        **{f"of.{dtype}": _with_broken_values(dtype) for dtype in (*FLOATS, *EIGHT_BITS)},
        **{f"of.{d}": torch.ones(3, dtype=d) for d in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)},
        "of.bool": torch.tensor([True]),
        "number": torch.tensor(torch.nan),
        "empty": torch.zeros(0, 3),
        "transposed": square.t(),
        "every_second": whole[::2],
        "a_part": whole[10:40].view(5, 6),
        "the_whole": whole,
        "repeated": square[0, :1].expand(5, 1),
        "channels_last": torch.full((2, 3, 4, 5), torch.inf).to(memory_format=torch.channels_last),
        "a_corner": square[1:3, 2:5],
    }


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}])
def test_tensors_of_a_state_dict_are_those_that_were_saved(tmp_path: Path, options: dict[str, Any]) -> None:
    state = {name: tensor for name, tensor in _state().items() if not options or tensor.dtype not in EIGHT_BITS}
    (only,) = inspect(str(_save(tmp_path / "weights.pt", state, **options))).sets
    assert _tensors(only) == _expected(state)
    assert list(_tensors(only)) == list(state)
    assert (only.nan, only.infinite) == tuple(map(sum, zip(*map(_broken, state.values()), strict=True)))
    assert only.unread == 0


def test_a_parameter_counts_as_its_tensor(tmp_path: Path) -> None:
    state = {
        "a": nn.Parameter(_with_broken_values(torch.float32)),
        "b": nn.Parameter(torch.ones(2), requires_grad=False),
    }
    path = _save(tmp_path / "weights.pt", state)
    assert _tensors(inspect(str(path)).sets[0]) == _expected(torch.load(path, weights_only=True))


def test_tensors_of_safetensors_are_as_they_were_saved(tmp_path: Path) -> None:
    state = {name: tensor.contiguous().clone() for name, tensor in _state().items() if tensor.dtype != torch.complex128}
    save_file(state, tmp_path / "weights.safetensors", metadata={"format": "pt"})
    found = inspect(str(tmp_path / "weights.safetensors"))
    assert _tensors(found.sets[0]) == _expected(state)
    assert found.facts == {"says format": "pt"}
    assert not found.opening.runs_code


def test_a_nan_in_the_last_place_of_a_large_tensor_is_counted(tmp_path: Path) -> None:
    large = torch.zeros(3_000_001)
    large[-1] = torch.nan
    (only,) = inspect(str(_save(tmp_path / "weights.pt", {"large": large}))).sets
    assert (only.nan, only.infinite) == (1, 0)


def test_weights_of_a_whole_module_are_its_state_dict(tmp_path: Path) -> None:
    net = nn.Sequential(gallery.small_net(), nn.BatchNorm2d(2), nn.Linear(2, 2, bias=False))
    net.register_buffer("hidden", torch.zeros(2), persistent=False)
    net[2].weight.data[0, 0] = torch.nan
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        found = inspect(str(_save(tmp_path / "model.pt", net, **options)))
        assert _tensors(found.sets[0]) == _expected(net.state_dict())
        assert list(_tensors(found.sets[0])) == list(net.state_dict())
        assert found.sets[0].parameters == sum(parameter.numel() for parameter in net.parameters())
        assert "torch.nn.modules.container.Sequential" in found.opening.code
        assert found.refused is not None
        assert found.command == f"e360 audit {tmp_path}/model.pt --trust-code"


def test_weights_of_torchscript_are_its_state_dict(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = cast("Any", torch.jit.script(gallery.small_net()))
    script.save(str(tmp_path / "model.pt"))
    found = inspect(str(tmp_path / "model.pt"))
    assert _tensors(found.sets[0]) == _expected(script.state_dict())
    assert any(part.startswith("code/__torch__/torch/nn/modules/conv") for part in found.opening.parts)
    assert found.command.endswith("model.pt --trust-code")


def test_weights_and_input_of_an_exported_program_are_its_own(tmp_path: Path) -> None:
    net = gallery.small_net()
    net[0].weight.data[0] = torch.nan
    program = torch.export.export(net, (torch.zeros(2, 1, 8, 8),))
    torch.export.save(program, tmp_path / "program.pt2")
    found = inspect(str(tmp_path / "program.pt2"))
    assert _tensors(found.sets[0]) == _expected(program.state_dict)
    assert found.facts["inputs"] == "2x1x8x8"
    assert found.command.endswith("program.pt2 --input 1x8x8 --trust-code")
    assert "data/sample_inputs/model.pt (unpickled)" in found.opening.parts


def test_initialisers_and_ports_of_onnx_are_as_onnx_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    weight[0] = np.nan
    helper = onnx.helper
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"]), helper.make_node("Own", ["y"], ["z"], domain="my.own")]
    bias = helper.make_tensor("b", onnx.TensorProto.FLOAT, [3], [1.0, np.inf, 2.0])
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weight, "w"), bias],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    found = inspect(str(path))
    theirs = {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
    assert _tensors(found.sets[0]) == _expected({name: torch.tensor(array) for name, array in theirs.items()})
    assert found.facts["inputs"] == "x batchx3x8x8"
    assert found.facts["opset"] == "ai.onnx 17"
    assert "my.own" in found.opening.parts[0]
    assert found.command == f"e360 audit {path} --input 3x8x8"


@pytest.mark.parametrize("where", ["graph", "attribute", "subgraph"])
def test_external_data_is_found_wherever_a_tensor_lies(tmp_path: Path, where: str) -> None:
    gallery.onnx_with_external_data(tmp_path / "model.onnx", "../../secret.bin", where=where)
    found = inspect(str(tmp_path / "model.onnx"))
    assert found.opening.external == ("../../secret.bin",)
    assert found.refused is not None
    assert found.command.endswith("--trust-code")


def test_each_set_of_weights_is_named_by_its_key(tmp_path: Path) -> None:
    net = gallery.small_net()
    optimiser = torch.optim.Adam(net.parameters())
    checkpoint = {
        "epoch": 3,
        "model": net.state_dict(),
        "optimizer": optimiser.state_dict(),
        "nets": [net.state_dict()],
    }
    found = inspect(str(_save(tmp_path / "checkpoint.pt", checkpoint)))
    assert [one.key for one in found.sets] == ["model", "nets.0"]
    assert all(_tensors(one) == _expected(net.state_dict()) for one in found.sets)


def _timm(name: str, **options: Any) -> nn.Module:
    module: nn.Module = timm.create_model(name, **options)
    return module


NETS: dict[str, Callable[[], nn.Module]] = {
    "timm:resnet18": lambda: _timm("resnet18", num_classes=7),
    "timm:mobilenetv3_small_050": lambda: _timm("mobilenetv3_small_050"),
    "timm:vit_tiny_patch16_224": lambda: _timm("vit_tiny_patch16_224", num_classes=3),
    "torchvision:squeezenet1_1": lambda: cast("nn.Module", torchvision.models.squeezenet1_1(num_classes=5)),
    "torchvision:regnet_x_400mf": lambda: cast("nn.Module", torchvision.models.regnet_x_400mf(num_classes=5)),
    "zoo:digits_transformer": lambda: zoo.create("digits_transformer"),
}
CLASSES = dict(zip(NETS, (7, 1000, 3, 5, 5, 10), strict=True))


@pytest.mark.parametrize("arch", NETS)
def test_the_architecture_is_told_from_shapes_with_any_number_of_classes(tmp_path: Path, arch: str) -> None:
    net = NETS[arch]()
    state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    (wrapped,) = inspect(str(_save(tmp_path / "weights.pt", state))).sets
    assert arch in wrapped.architectures
    assert not wrapped.by_order
    assert wrapped.num_classes == CLASSES[arch]
    save_file(dict(net.state_dict()), tmp_path / "weights.safetensors")
    assert inspect(str(tmp_path / "weights.safetensors")).sets[0].architectures == wrapped.architectures
    buffers = {name for name, _ in net.named_buffers()}
    trained = sum(tensor.numel() for name, tensor in net.state_dict().items() if name not in buffers)
    assert wrapped.parameters == trained


def test_shapes_under_other_names_suggest_a_mapping_by_order(tmp_path: Path) -> None:
    state = {f"layer_{at}": tensor for at, tensor in enumerate(_without_counters(NETS["timm:resnet18"]()).values())}
    found = inspect(str(_save(tmp_path / "weights.pt", {"ema": state, "step": 3})))
    assert found.sets[0].by_order
    assert found.command == f"e360 audit {tmp_path}/weights.pt --arch {found.sets[0].architectures[0]} --remap order"
    save_file(state, tmp_path / "weights.safetensors")
    assert not inspect(str(tmp_path / "weights.safetensors")).sets[0].architectures


def test_a_stem_for_grey_images_makes_no_difference(tmp_path: Path) -> None:
    net = _timm("mobilenetv3_small_050", in_chans=1, num_classes=4)
    save_file(dict(net.state_dict()), tmp_path / "weights.pt")
    (only,) = inspect(str(tmp_path / "weights.pt")).sets
    assert only.architectures == ("timm:mobilenetv3_small_050",)
    assert only.num_classes == 4


def test_the_index_holds_what_the_libraries_have_today() -> None:
    if importlib.metadata.version("timm") != index_versions()["timm"]:
        pytest.skip("the index was made from another timm: run make architectures")
    known = {one.arch: one for found in _index().values() for one in found}
    builders = dict(index_architectures.builders())
    assert set(known) == set(builders)
    for arch in (
        *NETS,
        "timm:swin_tiny_patch4_window7_224",
        "torchvision:regnet_y_128gf",
        "timm:deit3_small_patch16_224",
    ):
        assert known[arch] == index_architectures.signature(arch, builders[arch])


def test_one_size_that_differs_is_another_architecture(tmp_path: Path) -> None:
    state = {**NETS["timm:resnet18"]().state_dict(), "layer4.1.conv2.weight": torch.zeros(512, 512, 3, 1)}
    found = inspect(str(_save(tmp_path / "weights.pt", state)))
    assert not found.sets[0].architectures
    assert "timm:NAME" in found.command
    assert "no architecture" in found.advice[0]


def _without_counters(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in net.state_dict().items() if not name.endswith("num_batches_tracked")}


def test_the_key_is_on_the_command_where_only_one_of_several_sets_fits(tmp_path: Path) -> None:
    checkpoint = {"head": {"a": torch.ones(2)}, "model": NETS["timm:resnet18"]().state_dict()}
    assert "--key model" in inspect(str(_save(tmp_path / "weights.pt", checkpoint))).command


def test_objects_beside_weights_are_named_and_nothing_is_made(tmp_path: Path) -> None:
    checkpoint = {"state_dict": gallery.small_net().state_dict(), "hook": gallery.Payload(tmp_path)}
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        found = inspect(str(_save(tmp_path / "checkpoint.pt", checkpoint, **options)))
        assert found.opening.code == ("io.open",)
        assert "torch._utils._rebuild_tensor_v2" in found.opening.rebuilds
        assert "--trust-code" in found.command
        assert found.refused is not None
    assert not (tmp_path / gallery.MARKER).exists()


def test_globals_that_rebuild_weights_are_those_that_torch_allows() -> None:
    from torch._weights_only_unpickler import _get_allowed_globals  # noqa: PLC0415

    assert split_globals(cast("Any", _get_allowed_globals)())[1] == ()
    others = ("torch.load", "torch.hub.load", "torch.utils.data.Dataset", "builtins.eval", "torch.Generator")
    others += ("torch._utils.torch", "torch.storage._load_from_bytes", "torch.jit._script.ScriptModule", "os.system")
    assert split_globals(others) == ((), others)


def test_a_storage_that_is_shorter_than_its_tensor_is_not_read(tmp_path: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        members["archive/data/0"] = members["archive/data/0"][:4]

    gallery.repack(tmp_path / "weights.pt", edit)
    (only,) = inspect(str(tmp_path / "weights.pt")).sets
    assert only.tensors[0].unread == "its storage is shorter than it claims"
    assert only.tensors[0].nan is None
    assert only.unread == 1


@pytest.mark.parametrize("shape", [(2**47,) * 60, (0, *(2**47,) * 60), (2**30, 2**31)])
@pytest.mark.parametrize("stride", [0, 1, 2**40])
def test_shapes_that_no_tensor_can_have_are_told_as_they_are(
    tmp_path: Path, shape: tuple[int, ...], stride: int
) -> None:
    class Claim:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            storage = torch.ones(3).untyped_storage()
            arguments = (torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True), 0)
            return torch._utils._rebuild_tensor_v2, (*arguments, shape, (stride,) * len(shape), False, OrderedDict())

    path = _save(tmp_path / "weights.pt", {"a": Claim(), "b": torch.ones(2)})
    (only,) = inspect(str(path)).sets
    assert only.tensors[0].shape == shape
    assert only.tensors[1].nan == 0
    assert only.parameters == 2
    plain_output(inspect(str(path)))


def plain_output(found: Inspection) -> str:
    console = Console(file=io.StringIO(), width=80)
    show(found, console)
    return cast("io.StringIO", console.file).getvalue()


def test_tensors_without_dense_data_are_listed_with_the_reason(tmp_path: Path) -> None:
    state = {"sparse": torch.eye(3).to_sparse(), "meta": torch.ones(2, device="meta"), "plain": torch.ones(2)}
    (only,) = inspect(str(_save(tmp_path / "weights.pt", state))).sets
    assert [bool(one.unread) for one in only.tensors] == [True, True, False]


def test_a_folder_is_inspected_without_transformers(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["ResNetForImageClassification"]}')
    state = gallery.small_net().state_dict()
    save_file(dict(state), folder / "model.safetensors")
    found = inspect(str(folder))
    assert (found.kind, found.command) == ("huggingface_folder", f"e360 audit {folder}")
    assert _tensors(found.sets[0]) == _expected(state)


def test_weights_spread_over_files_are_one_set(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    state = NETS["timm:resnet18"]().state_dict()
    names, files = list(state), ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    for at, file in enumerate(files):
        save_file({name: state[name] for name in names[at::2]}, tmp_path / file)
    table = ", ".join(f'"{name}": "{files[at % 2]}"' for at, name in enumerate(names))
    (tmp_path / "model.safetensors.index.json").write_text(f'{{"weight_map": {{{table}}}}}')
    found = inspect(str(tmp_path))
    assert _tensors(found.sets[0]) == _expected(state)
    assert "timm:resnet18" in found.sets[0].architectures


def test_a_manifest_beside_the_file_is_told_and_used(tmp_path: Path) -> None:
    _save(tmp_path / "weights.pt", gallery.small_net().state_dict())
    (tmp_path / "weights.toml").write_text('[model]\narch = "zoo:digits_transformer"\n[preprocess]\nmean = 0.5\n')
    found = inspect(str(tmp_path / "weights.pt"))
    assert found.manifest["arch"] == "zoo:digits_transformer"
    assert found.manifest["mean"] == "0.5"
    assert found.command == f"e360 audit {tmp_path}/weights.pt"
    (tmp_path / "weights.toml").write_text("[modle]\n")
    assert "cannot be used" in inspect(str(tmp_path / "weights.pt")).advice[0]


@pytest.mark.parametrize(
    "name", ["a b.pt", "$(touch x).pt", "-rf.pt", "'quote\".pt", "two\nlines\x1b.pt", "caf\udce9.pt"]
)
def test_the_command_reaches_the_shell_as_it_stands(tmp_path: Path, name: str) -> None:
    _save(tmp_path / "weights.pt", gallery.small_net().state_dict()).rename(tmp_path / name)
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        line = inspect(name).command
    finally:
        os.chdir(before)
    asked = f'set -- {line}; printf "%s" "$3"'
    said = subprocess.run(["bash", "-c", asked], check=True, capture_output=True, cwd=tmp_path).stdout  # noqa: S607
    assert (tmp_path / os.fsdecode(said)).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_an_architecture_without_a_file_says_what_to_do() -> None:
    with pytest.raises(InputError, match="e360 audit timm:resnet50 --axes cost"):
        inspect("timm:resnet50")
    shipped: Inspection = inspect("zoo:digits_transformer")
    assert shipped.sets[0].architectures == ("zoo:digits_transformer",)


@pytest.mark.parametrize("name", gallery.GALLERY)
def test_no_broken_file_of_the_gallery_crashes_it_or_runs(tmp_path: Path, name: str) -> None:
    path = gallery.GALLERY[name].write(tmp_path, name)
    try:
        said = inspect(str(path)).command
    except InputError as error:
        said = str(error)
    assert path.name in said
    assert "\n" not in said
    assert not (tmp_path / gallery.MARKER).exists()


def test_it_does_not_import_torch() -> None:
    code = (
        "import sys; from efficiency360.subject.inspection.inspect import inspect; inspect('zoo:digits_transformer');"
        "sys.exit(bool({'torch', 'timm', 'onnx', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
