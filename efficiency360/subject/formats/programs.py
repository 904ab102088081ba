"""Files that bring their own code: TorchScript, exported programs, pickled modules. Runs in the worker only."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from efficiency360.errors import InputError
from efficiency360.records import Caveat
from efficiency360.subject.files.archive import check_checksums, open_archive
from efficiency360.subject.files.names import quoted
from efficiency360.subject.files.regular import blaming, open_regular
from efficiency360.subject.files.sniff import shown
from efficiency360.subject.files.storages import check_script_tensors
from efficiency360.subject.formats.adapters import Casting
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.subject.formats.loaded import Loaded
from efficiency360.subject.formats.unpickle import unpickled
from efficiency360.subject.subject import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from efficiency360.subject.request import SubjectRequest

_DEPTH = 3
_WRAPPERS = 8
_COMPILED = "OptimizedModule"
_TRAINING = Caveat(
    id="subject.training_mode",
    severity="warning",
    text="The program was saved in training mode, which is written into it: dropout or batch norm may still act as in"
    " training. Save it again after model.eval().",
)
_SCRIPT_FLAGS = {"aten::dropout": 2, "aten::feature_dropout": 2, "aten::alpha_dropout": 2, "aten::batch_norm": 5}


def torchscript(request: SubjectRequest) -> Loaded:
    """A TorchScript archive: scripted, traced or frozen.

    Raises:
        InputError: damaged, or made by a torch that this one does not understand.
    """
    path = _path(request)
    _refuse_key(request)
    with warnings.catch_warnings(), answering(f"{shown(path)} cannot be opened as TorchScript"):
        warnings.simplefilter("ignore")  # torch deprecates the format, which the user knows
        _check_script(path)
        module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        if not callable(getattr(module, "forward", None)):
            raise InputError(f"{shown(path)}: a TorchScript archive without a forward method")
        caveats = (_TRAINING,) if _is_traced_in_training(module) else ()
        constants = _constants(module)
        if constants is None:
            return Loaded(module, caveats=caveats)
        dtype = next((tensor.dtype for tensor in constants if tensor.is_floating_point()), torch.float32)
        taken = module if dtype is torch.float32 else Casting(module, dtype)
        return Loaded(taken, caveats=caveats, stored=Stored.of(constants))


def _check_script(path: Path) -> None:
    """Checksums are right, and the tensors are within their records."""
    with blaming(path):
        check_checksums(path, packed=True)
        with open_regular(path) as (file, size):
            check_script_tensors(open_archive(file, size))


def _constants(module: torch.jit.ScriptModule) -> list[Tensor] | None:
    """The weights of a frozen module, which are constants of its code; None where it has parameters."""
    if next(module.parameters(), None) is not None:
        return None
    graph = module.inlined_graph  # its nodes live no longer than it does
    nodes = graph.findAllNodes("prim::Constant")  # type: ignore[attr-defined] # torch's stub lacks it
    return [node.t("value") for node in nodes if node.hasAttribute("value") and node.kindOf("value") == "t"]


def _is_traced_in_training(module: torch.jit.ScriptModule) -> bool:
    """Whether a flag that means training is a constant of the code."""
    graph = module.inlined_graph
    flags = ((node, place) for kind, place in _SCRIPT_FLAGS.items() for node in graph.findAllNodes(kind))  # type: ignore[attr-defined]
    return any(list(node.inputs())[place].toIValue() is True for node, place in flags)


def pickled(request: SubjectRequest) -> Loaded:
    """A whole pickled module.

    Raises:
        InputError: it cannot be unpickled here, or holds no module.
    """
    return module_in(unpickled(_path(request)), request)


def module_in(held: object, request: SubjectRequest) -> Loaded:
    """The one module in what a file held, or that at `--key`.

    Raises:
        InputError: there is none, or several and no key.
    """
    found = dict(_modules(held, "", 0))
    chosen = found if request.key is None else {key: one for key, one in found.items() if key == request.key}
    distinct = {id(module): (key, module) for key, module in reversed(chosen.items())}
    if len(distinct) == 1:
        key, module = next(iter(distinct.values()))
        caveats = (Caveat(id="subject.weights", severity="info", text=f"Taken from {quoted([key])}."),) if key else ()
        plain = _unwrapped(module)
        return Loaded(plain, caveats=caveats, output=_output_of(plain))
    if found:
        which = "several modules" if request.key is None else f"no module at --key {request.key}, but some"
        raise InputError(
            f"{request.name} holds {which}: {quoted(list(found))}; choose one with --key {list(found)[-1]}"
        )
    raise InputError(
        f"{request.name} holds no torch.nn.Module, only a value of type {type(held).__name__}; for weights, name their"
        " architecture with --arch"
    )


def _modules(value: object, key: str, depth: int) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield key, value
    elif depth < _DEPTH and isinstance(value, dict | list | tuple):
        for name, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _modules(child, f"{key}.{name}" if key else str(name), depth + 1)


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module without what spreads it over devices or compiles it, which may be around any part of it."""
    whole = _inside(module)
    waiting, seen = [whole], {id(whole)}
    while waiting:
        children = _children(waiting.pop())
        for name, child in children.items():
            if not isinstance(child, nn.Module):
                continue
            children[name] = part = _inside(child)
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)
    return whole


def _inside(module: nn.Module) -> nn.Module:
    """The module itself, or that in a wrapper."""
    for _ in range(_WRAPPERS):
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif type(module).__name__ == _COMPILED and isinstance(plain := _children(module).get("_orig_mod"), nn.Module):
            module = plain
    return module


def _children(module: nn.Module) -> dict[str, nn.Module | None]:
    """The table of a module's parts, to look at and to change; none of a script's, which has no such table."""
    table = vars(module).get("_modules")
    return table if isinstance(table, dict) else {}


def _output_of(module: nn.Module) -> str | None:
    """Where models of Hugging Face transformers, which need not be installed here, have their logits."""
    return "logits" if any(base.__name__ == "PreTrainedModel" for base in type(module).__mro__) else None


def _path(request: SubjectRequest) -> Path:
    assert request.file is not None  # noqa: S101 - see load
    return Path(request.file)


def _refuse_key(request: SubjectRequest) -> None:
    if request.key is not None or request.remap is not None:
        raise InputError(f"{request.name} is a whole program; --key and --remap go with weights and checkpoints")
