"""Folders of the Hugging Face kind: classifiers of timm and of transformers, weights from safetensors. Worker only."""

from __future__ import annotations

import importlib
import inspect
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file

from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.subject.files.names import short
from efficiency360.subject.files.parts import CONFIG, PREPROCESSOR, folder_files, read_json
from efficiency360.subject.files.sniff import shown
from efficiency360.subject.formats.architectures import timm_preprocess
from efficiency360.subject.formats.bounded import Bounded
from efficiency360.subject.formats.candidates import SortedWeights
from efficiency360.subject.formats.checkpoint import fit
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.subject.formats.hub_preprocess import hub_preprocess
from efficiency360.subject.formats.loaded import Loaded
from efficiency360.subject.formats.weights import filled
from efficiency360.words import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from efficiency360.subject.request import SubjectRequest

_CLASSIFIER = "ForImageClassification"
_NOT_OURS = frozenset(
    {
        "auto_map",  # code beside the weights or on a hub
        "custom_pipelines",
        "attn_implementation",  # may name kernels on a hub
        "_attn_implementation",
        "_attn_implementation_internal",
        "experts_implementation",
        "dtype",  # weights are evaluated in float32, as those of any file
        "torch_dtype",
    }
)
_MAX_LABELS = 1 << 20
_CODE_LEFT_OUT = Caveat(
    id="subject.remote_code",
    severity="warning",
    text="config.json names code of its own (auto_map), which was not run: the model is the one that the installed"
    " transformers has under this name.",
)


def from_folder(request: SubjectRequest) -> Loaded:
    """A classifier from config.json and safetensors, built by the installed library; code in the folder never runs.

    Raises:
        InputError: not a classifier that timm or transformers builds, settings are damaged, or the weights do not fit.
    """
    folder = Path(request.file or "")
    if request.remap is not None:
        raise InputError(
            f"{request.name}: --remap order cannot be used on safetensors, which sorts the weights by name"
        )
    config = read_json(folder / CONFIG)
    files = [path for path in folder_files(folder) if path.suffix == ".safetensors"]
    with warnings.catch_warnings(), answering(f"{shown(folder)} cannot be opened"):
        warnings.simplefilter("ignore")
        weights = SortedWeights(tensor for file in files for tensor in load_file(file).items())
        opened = _timm if isinstance(config.get("architecture"), str) else _transformers
        return opened(request, folder, config, weights)


def _timm(request: SubjectRequest, folder: Path, config: dict[str, Any], weights: Mapping[str, Tensor]) -> Loaded:
    import timm  # noqa: PLC0415 - a second of import, only for its own architectures

    name = config["architecture"]
    if not timm.is_model(name):
        raise InputError(f"{shown(folder)}: timm has no architecture {short(name)}")
    settings = {**_table(config, "pretrained_cfg", folder)}
    settings = {**config, **settings}
    options = _timm_options(config, settings, folder)
    with Bounded(weights.values(), f"{shown(folder / CONFIG)}"):
        module = timm.create_model(name, pretrained=False, **options)
    known = timm.data.resolve_data_config({}, pretrained_cfg=_declared(settings), model=module, verbose=False)
    caveats = _fill(request, f"timm:{name}", module, weights)
    return Loaded(module, timm_preprocess(known), _timm_names(settings, config), caveats)


def _timm_options(config: dict[str, Any], settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Keywords for timm's constructor: none that would have it read or fetch something."""
    import timm  # noqa: PLC0415 - see _timm

    options = {**_table(config, "model_args", folder)}
    if own := sorted(options.keys() & inspect.signature(timm.create_model).parameters.keys()):
        raise InputError(f"{shown(folder / CONFIG)}: model_args may not hold {short(own[0])}")
    for option, key in (("num_classes", "num_classes"), ("global_pool", "global_pool")):
        if key in config and option not in options:
            options[option] = config[key]
    channels = (settings.get("input_size") or (None,))[0]
    return options if channels in (None, 3) else {"in_chans": channels, **options}


def _declared(settings: dict[str, Any]) -> dict[str, Any]:
    """What timm's preprocessing depends on."""
    keys = ("input_size", "fixed_input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std", "num_classes")
    return {key: settings[key] for key in keys if settings.get(key) is not None}


def _timm_names(settings: dict[str, Any], config: dict[str, Any]) -> tuple[str, ...] | None:
    names = config.get("label_names") or settings.get("label_names")
    told = (
        isinstance(names, list) and len(names) == config.get("num_classes") and all(isinstance(n, str) for n in names)
    )
    return tuple(names) if told and names else None


def _transformers(
    request: SubjectRequest, folder: Path, config: dict[str, Any], weights: Mapping[str, Tensor]
) -> Loaded:
    model_type, architecture = config.get("model_type"), (config.get("architectures") or [None])[0]
    if not isinstance(model_type, str) or not isinstance(architecture, str):
        raise InputError(
            f"{shown(folder / CONFIG)}: names neither a timm architecture nor model_type and architectures of"
            " transformers; give the model file in the folder with --arch"
        )
    if _CLASSIFIER not in architecture:
        raise InputError(f"{shown(folder)} holds {short(architecture)}, which is not an image classifier")
    if config.get("quantization_config"):
        raise InputError(f"{shown(folder)} holds quantised weights, which are not opened; save it without quantisation")
    auto = _import_transformers(request)
    if model_type not in auto.CONFIG_MAPPING:
        raise InputError(f"{shown(folder)}: the installed transformers has no model type {short(model_type)}")
    kept = {key: value for key, value in config.items() if key not in _NOT_OURS}
    _check_labels(config, folder)
    with Bounded(weights.values(), f"{shown(folder / CONFIG)}"):
        built = auto.CONFIG_MAPPING[model_type].from_dict(kept)
        module = auto.AutoModelForImageClassification.from_config(built, trust_remote_code=False).float()
    if type(module).__name__ != architecture:
        raise InputError(
            f"{shown(folder)} holds {short(architecture)}, but transformers builds {type(module).__name__} from its"
            " settings"
        )
    caveats = _fill(request, architecture, module, weights, built)
    known = hub_preprocess(_preprocessor(folder), config)
    code = (_CODE_LEFT_OUT,) if "auto_map" in config else ()
    return Loaded(module, known, _names(config), (*caveats, *code), output="logits")


def _check_labels(config: dict[str, Any], folder: Path) -> None:
    """Names are made for all classes before there is a model."""
    if isinstance(n := config.get("num_labels"), int | float) and n > _MAX_LABELS:
        raise InputError(f"{shown(folder / CONFIG)}: num_labels is {n}, more than any classifier has")


def _import_transformers(request: SubjectRequest) -> Any:
    try:
        transformers = importlib.import_module("transformers")
        importlib.import_module("transformers.utils.logging").disable_progress_bar()
    except ImportError as error:
        raise InputError(
            f"{request.name} is a model of transformers, and opening it needs that: pip install"
            " 'efficiency360[transformers]'"
        ) from error
    return transformers


def _preprocessor(folder: Path) -> dict[str, Any]:
    return read_json(folder / PREPROCESSOR) if (folder / PREPROCESSOR).exists() else {}


def _fill(
    request: SubjectRequest, arch: str, module: nn.Module, weights: Mapping[str, Tensor], config: Any = None
) -> tuple[Caveat, ...]:
    """Put the weights in, by their names, or by those that transformers knows older files to have."""
    try:
        fitted = fit(weights, module.state_dict(), remap=None, key=request.key, file=request.name, arch=arch)
    except InputError:
        if config is None or not _renamed(Path(request.file or ""), module, config):
            raise
        return ()
    return filled(module, fitted)


def _renamed(folder: Path, module: nn.Module, config: Any) -> bool:
    """Whether transformers itself fills the module from the folder with nothing missing and nothing left over."""
    loaded, told = type(module).from_pretrained(  # type: ignore[attr-defined] # a class of transformers
        str(folder),
        config=config,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        dtype="float32",
    )
    if any(told.get(what) for what in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")):
        return False
    module.load_state_dict(loaded.state_dict(), strict=True)
    return True


def _names(config: dict[str, Any]) -> tuple[str, ...] | None:
    """Class names in the order of the outputs; None where they are only numbered."""
    table = config.get("id2label")
    if not isinstance(table, dict) or not 0 < len(table) <= _MAX_LABELS:
        return None
    names = [table.get(str(place)) for place in range(len(table))]
    if not all(isinstance(name, str) for name in names) or names[0] == "LABEL_0":
        return None
    return tuple(map(str, names))


def _table(config: dict[str, Any], key: str, folder: Path) -> dict[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise InputError(f"{shown(folder / CONFIG)}: {key} is {one_line(str(value), 80)}, not a table")
    return value
