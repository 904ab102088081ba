"""Valid files: refusing everything is no safety. Each must load and answer as the net that it was made of."""

from __future__ import annotations

import io
import json
import pickle
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from corpus_kit import Site, saved, small_net, state
from safetensors.torch import save_file
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

BATCH = 5


@dataclass(frozen=True)
class Control:
    """A file that must load. `options` are for its request; where `trust` is set it needs --trust-code.

    `net` is what it must answer like; `tolerance` is the largest relative error; `args` replace the architecture.
    """

    build: Callable[[Site], Path]
    trust: bool = False
    tolerance: float = 1e-5
    bare: bool = False
    options: dict[str, Any] | None = None
    net: Callable[[], nn.Module] | None = None
    input: tuple[int, int, int] = (1, 8, 8)


CONTROLS: dict[str, Control] = {}


def control(name: str, build: Callable[[Site], Path], **more: Any) -> None:
    """Register a valid file."""
    assert name not in CONTROLS, name
    CONTROLS[name] = Control(build, **more)


def _prefixed(prefix: str) -> OrderedDict[str, Tensor]:
    return OrderedDict((f"{prefix}{name}", tensor) for name, tensor in state().items())


def _optimiser() -> dict[str, Any]:
    net = small_net()
    adam = torch.optim.Adam(net.parameters())
    net(torch.zeros(2, 1, 8, 8)).sum().backward()
    adam.step()
    return cast("dict[str, Any]", adam.state_dict())


def _one_buffer() -> OrderedDict[str, Tensor]:
    """All weights are views into one storage, as flat optimisers keep them."""
    weights = state()
    floats = {name: tensor for name, tensor in weights.items() if tensor.is_floating_point()}
    flat = torch.cat([tensor.flatten() for tensor in floats.values()])
    pieces = flat.split([tensor.numel() for tensor in floats.values()])
    for (name, tensor), piece in zip(floats.items(), pieces, strict=True):
        weights[name] = piece.view(tensor.shape)
    return weights


def _strided(change: Callable[[Tensor], Tensor]) -> OrderedDict[str, Tensor]:
    return OrderedDict((name, change(tensor)) for name, tensor in state().items())


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _sliced(tensor: Tensor) -> Tensor:
    """The same numbers as every second of twice as many."""
    return torch.stack([tensor, tensor], dim=-1)[..., 0]


WRAPPINGS: dict[str, Callable[[], object]] = {
    "plain": state,
    "plain_dict": lambda: dict(state()),
    "in_state_dict": lambda: {"state_dict": state()},
    "in_model": lambda: {"model": state()},
    "in_model_state_dict": lambda: {"model_state_dict": state()},
    "in_net": lambda: {"net": state()},
    "nested_twice": lambda: {"checkpoint": {"model": state()}},
    "nested_thrice": lambda: {"a": {"b": {"c": state()}}},
    "beside_another_shape": lambda: {"model": state(), "head": {"w": torch.zeros(2, 2)}},
    "with_tuples_and_sizes": lambda: {"model": state(), "shape": torch.zeros(2, 3).shape, "range": (1, (2, 3))},
    "of_lightning": lambda: {"state_dict": _prefixed("model."), "epoch": 3, "global_step": 9, "callbacks": {}},
    "of_data_parallel": lambda: _prefixed("module."),
    "of_compile": lambda: _prefixed("_orig_mod."),
    "of_both": lambda: _prefixed("module._orig_mod."),
    "with_optimiser": lambda: {"model": state(), "optimizer": _optimiser(), "epoch": 4, "loss": 0.25},
    "with_scalars": lambda: {"state_dict": state(), "lr": 0.1, "best": None, "name": "net", "ok": True, "x": [1, 2]},
    "with_scalar_tensors": lambda: {"state_dict": state(), "step": torch.tensor(3), "loss": torch.tensor(0.5)},
    "as_parameters": lambda: OrderedDict((name, nn.Parameter(t, t.is_floating_point())) for name, t in state().items()),
    "requiring_gradients": lambda: _strided(lambda t: t.clone().requires_grad_(t.is_floating_point())),
    "in_one_buffer": _one_buffer,
    "channels_last": lambda: _strided(_channels_last),
    "sliced": lambda: _strided(_sliced),
    "transposed": lambda: _strided(lambda t: t.t().contiguous().t() if t.ndim == 2 else t),
    "of_negative_views": lambda: _strided(lambda t: torch._neg_view(-t) if t.is_floating_point() else t),
    "in_another_order": lambda: OrderedDict(reversed(state().items())),
    "without_counters": lambda: {name: tensor for name, tensor in state().items() if "num_batches" not in name},
    "twice_the_same": lambda: {"model": state(), "model_ema": state()},
}
PLACES: dict[str, dict[str, Any]] = {
    "zip": {},
    "legacy": {"_use_new_zipfile_serialization": False},
}


def _from_memory(site: Site, value: object) -> Path:
    """Saved to a buffer first, as uploads and trainers do."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    site.file("model.pt").write_bytes(buffer.getvalue())
    return site.file("model.pt")


for _wrapping, _make in WRAPPINGS.items():
    control(f"buffer_{_wrapping}", lambda site, make=_make: _from_memory(site, make()))
    for _place, _save_options in PLACES.items():
        control(
            f"{_place}_{_wrapping}",
            lambda site, make=_make, save_options=_save_options: saved(site.file("model.pt"), make(), **save_options),
        )

DTYPES = {torch.float16: 2e-2, torch.bfloat16: 1e-1, torch.float64: 1e-5}


def _cast(dtype: torch.dtype) -> OrderedDict[str, Tensor]:
    return _strided(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def _safetensors(site: Site, weights: dict[str, Tensor], name: str = "model.safetensors", **metadata: str) -> Path:
    weights = {key: tensor.contiguous().clone() for key, tensor in weights.items()}
    save_file(weights, site.file(name), metadata=metadata or None)
    return site.file(name)


for _dtype, _tolerance in DTYPES.items():
    _short = str(_dtype).removeprefix("torch.")
    for _place, _save_options in PLACES.items():
        control(
            f"{_place}_{_short}",
            lambda site, dtype=_dtype, save_options=_save_options: saved(
                site.file("model.pt"), _cast(dtype), **save_options
            ),
            tolerance=_tolerance,
        )
    control(f"safetensors_{_short}", lambda site, dtype=_dtype: _safetensors(site, _cast(dtype)), tolerance=_tolerance)

SAFETENSORS: dict[str, Callable[[Site], Path]] = {
    "plain": lambda site: _safetensors(site, state()),
    "with_metadata": lambda site: _safetensors(site, state(), format="pt"),
    "with_much_metadata": lambda site: _safetensors(site, state(), note="x" * 10 * 2**20),
    "with_odd_metadata": lambda site: _safetensors(site, state(), note="\x1b[31m[bold]<script>\n=1+1"),
    "of_data_parallel": lambda site: _safetensors(site, _prefixed("module.")),
    "of_lightning": lambda site: _safetensors(site, _prefixed("model.")),
}
for _name, _build in SAFETENSORS.items():
    control(f"safetensors_{_name}", _build)

FILE_NAMES = {
    "without_extension": "model",
    "misleading_extension": "model.png",
    "another_formats_extension": "model.onnx",
    "hidden": ".model.pt",
    "blanks": "my model (final) v2.pt",
    "dots": "a..b...pt",
    "unicode": "Modell_größe_犬.pt",
    "emoji": "\N{PILE OF POO}.pt",
    "markup": "[bold]model[].pt",
    "html": "<b>model&amp;.pt",
    "quotes": 'it\'s "the" model.pt',
    "percent": "100%s{0}.pt",
    "newline": "two\nlines.pt",
    "escape": "\x1b[31mred.pt",
    "bidi": "\u202etp.ledom.pt",
    "semicolon": "a;b|c&d$(e).pt",
    "colon": "model:v2.pt",
    "python": "model.py",
    "long": "x" * 240 + ".pt",
    "capitals": "MODEL.PT",
    "backslash": "a\\b.pt",
    "device": "NUL.pt",
}
for _name, _file in FILE_NAMES.items():
    control(f"name_{_name}", lambda site, file=_file: saved(site.file(file), state()))
    if _name != "long":
        control(
            f"name_{_name}_of_safetensors", lambda site, file=_file: _safetensors(site, state(), f"{file}.safetensors")
        )


def _linked(site: Site) -> Path:
    saved(site.file("real.pt"), state())
    site.file("model.pt").symlink_to("real.pt")
    return site.file("model.pt")


def _linked_twice(site: Site) -> Path:
    _linked(site)
    site.file("again.pt").symlink_to("model.pt")
    return site.file("again.pt")


def _hard_linked(site: Site) -> Path:
    saved(site.file("real.pt"), state())
    site.file("model.pt").hardlink_to(site.file("real.pt"))
    return site.file("model.pt")


def _linked_folder(site: Site) -> Path:
    site.file("real").mkdir()
    saved(site.file("real") / "model.pt", state())
    site.file("folder").symlink_to("real")
    return site.file("folder") / "model.pt"


def _read_only(site: Site) -> Path:
    path = saved(site.file("model.pt"), state())
    path.chmod(0o400)
    return path


def _beside_evil_code(site: Site) -> Path:
    """Python files of the names that loading might import."""
    for name in ("torch.py", "numpy.py", "sitecustomize.py", "conftest.py", "model.py"):
        site.file(name).write_text(f"{site.code}\n")
    return saved(site.file("model.pt"), state())


def _beside_a_manifest(site: Site) -> Path:
    site.file("model.toml").write_text("[preprocess]\nsize = 8\nchannels = 1\n")
    return saved(site.file("model.pt"), state())


control("link", _linked)
control("link_to_a_link", _linked_twice)
control("hard_link", _hard_linked)
control("link_to_a_folder", _linked_folder)
control("read_only", _read_only)
control("beside_evil_code", _beside_evil_code)
control("beside_a_manifest", _beside_a_manifest)
control("a_key_chosen", lambda site: saved(site.file("model.pt"), _two_nets()), options={"key": "teacher"})
control(
    "by_order",
    lambda site: saved(
        site.file("model.pt"), OrderedDict((f"layer{i}.{n}", t) for i, (n, t) in enumerate(state().items()))
    ),
    options={"remap": "order"},
)


def _two_nets() -> dict[str, object]:
    other = {name: tensor / 2 if tensor.is_floating_point() else tensor for name, tensor in state().items()}
    return {"student": other, "teacher": state()}


def _quietly(do: Callable[[], object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        do()


def _scripted(site: Site) -> Path:
    _quietly(lambda: cast("Any", torch.jit.script(small_net())).save(str(site.file("model.pt"))))
    return site.file("model.pt")


def _traced(site: Site) -> Path:
    _quietly(lambda: cast("Any", torch.jit.trace(small_net(), torch.rand(2, 1, 8, 8))).save(str(site.file("model.pt"))))
    return site.file("model.pt")


def _exported(site: Site, batch: int = 2, *, dynamic: bool = False) -> Path:
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    program = torch.export.export(small_net(), (torch.rand(batch, 1, 8, 8),), dynamic_shapes=shapes)
    _quietly(lambda: cast("Any", torch.export.save)(program, site.file("model.pt2")))
    return site.file("model.pt2")


def _onnx(site: Site, *, external: bool = False) -> Path:
    """Written by hand: the exporter takes seconds."""
    import onnx  # noqa: PLC0415 - half a second
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    arrays = {name: tensor.numpy() for name, tensor in state().items() if tensor.is_floating_point()}
    nodes = [
        helper.make_node("Conv", ["x", "0.weight", "0.bias"], ["a"], kernel_shape=[3, 3]),
        helper.make_node(
            "BatchNormalization",
            ["a", *(f"1.{part}" for part in ("weight", "bias", "running_mean", "running_var"))],
            ["b"],
        ),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "5.weight", "5.bias"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 1, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 3))],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(
        model, site.file("model.onnx"), save_as_external_data=external, location="weights.bin", size_threshold=0
    )
    return site.file("model.onnx")


def _pickled(site: Site) -> Path:
    site.file("model.pkl").write_bytes(pickle.dumps(small_net()))
    return site.file("model.pkl")


TRUSTED: dict[str, Callable[[Site], Path]] = {
    "torchscript_scripted": _scripted,
    "torchscript_traced": _traced,
    "exported": _exported,
    "exported_for_one_image": lambda site: _exported(site, 1),
    "exported_for_any_number": lambda site: _exported(site, dynamic=True),
    "pickled_module": lambda site: saved(site.file("model.pt"), small_net()),
    "pickled_module_legacy": lambda site: saved(
        site.file("model.pt"), small_net(), _use_new_zipfile_serialization=False
    ),
    "pickled_module_plain": _pickled,
    "pickled_module_in_a_checkpoint": lambda site: saved(site.file("model.pt"), {"model": small_net(), "epoch": 3}),
    "onnx_with_external_data": lambda site: _onnx(site, external=True),
}
for _name, _build in TRUSTED.items():
    control(f"trusted_{_name}", _build, trust=True, bare=True, tolerance=1e-4)
control("onnx", _onnx, bare=True, tolerance=1e-4)


def _timm_net() -> nn.Module:
    import timm  # noqa: PLC0415 - a second

    torch.manual_seed(3)
    return cast("nn.Module", timm.create_model("test_resnet", num_classes=3)).eval()


def _timm_folder(site: Site) -> Path:
    """As timm's push_to_hf_hub writes it."""
    folder = site.file("repository")
    folder.mkdir()
    net = _timm_net()
    config = {
        "architecture": "test_resnet",
        "num_classes": 3,
        "pretrained_cfg": {"input_size": [3, 160, 160], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, folder / "model.safetensors")
    return folder


def _vit() -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification  # noqa: PLC0415 - seconds

    torch.manual_seed(3)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32, num_labels=3
    )
    return cast("nn.Module", ViTForImageClassification(config)).eval()


def _transformers_folder(site: Site) -> Path:
    folder = site.file("repository")
    cast("Any", _vit()).save_pretrained(folder)
    mean_and_std = {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0], "do_normalize": True}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**mean_and_std, "size": {"height": 32, "width": 32}, "do_resize": True})
    )
    return folder


def _transformers_beside_code(site: Site) -> Path:
    """Code and pickles in a repository are left alone where it needs neither."""
    folder = _transformers_folder(site)
    (folder / "modeling_evil.py").write_text(site.code)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02cos\nsystem\n(X\1\0\0\0xtR.")
    return folder


control("huggingface_timm", _timm_folder, bare=True, net=_timm_net, input=(3, 160, 160))
control("huggingface_transformers", _transformers_folder, bare=True, net=_vit, input=(3, 32, 32))
control("huggingface_transformers_beside_code", _transformers_beside_code, bare=True, net=_vit, input=(3, 32, 32))
