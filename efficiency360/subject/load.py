"""`SubjectRequest` -> `Subject`, in the worker: open by kind, move to the device, find out shapes by a forward pass."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.parameter import is_lazy

from efficiency360.errors import InputError
from efficiency360.numerics.fixed_batch import FixedBatch
from efficiency360.records import Caveat
from efficiency360.subject.files.sniff import FileKind
from efficiency360.subject.formats import exported, programs, weights
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.subject.formats.loaded import Loaded
from efficiency360.subject.info import SubjectInfo, described
from efficiency360.subject.inputs import preprocessing
from efficiency360.subject.runnable import Trial
from efficiency360.subject.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from efficiency360.dataset.preprocess import Preprocess
    from efficiency360.subject.request import SubjectRequest

_PROGRAMS = frozenset({FileKind.TORCHSCRIPT.value, FileKind.EXPORTED_PROGRAM.value, FileKind.ONNX.value})
_IN_MEMORY = Caveat(
    id="subject.in_process",
    severity="warning",
    text="The model was observed in the caller's own process: no isolation from it, and no hard limit on its time.",
)


def load_subject(request: SubjectRequest, module: nn.Module | None = None) -> tuple[Subject, SubjectInfo]:
    """Load the subject; a `module` already in memory is copied and takes the place of file and architecture.

    Raises:
        InputError: it cannot be opened, the weights do not fit, the input is not known, or the model does not return
            logits.
    """
    loaded = _in_memory(module) if module is not None else _opener(request)(request)
    preprocess, caveats = preprocessing(request, loaded)
    device = _device(request.device, loaded)
    with answering("the model cannot be prepared for evaluation", interruptible=module is not None):
        network = loaded.module.to(device).eval()
        _shaped(network, preprocess, device, request.seed)
        for parameter in network.parameters():
            parameter.requires_grad_(False)
    named = request.manifest.model.output
    output = loaded.output if loaded.takes_output or named is None else named
    trial = Trial(preprocess, output, device, interruptible=module is not None)
    runnable = trial.run(network, loaded.batch, may_be_fixed=request.kind in _PROGRAMS)
    subject = Subject(
        module=runnable.module,
        preprocess=preprocess,
        device=device,
        fingerprint=request.fingerprint,
        num_classes=runnable.answered.shape[1],
        output=None if isinstance(runnable.module, FixedBatch) else output,
        file_bytes=_file_bytes(request),
        stored=loaded.stored,
        black_box=loaded.black_box,
        first=(runnable.asked, runnable.answered),
    )
    return subject, _info(request, subject, loaded, (*caveats, *runnable.caveats))


def _opener(request: SubjectRequest) -> Callable[[SubjectRequest], Loaded]:
    """What opens this kind of subject; ONNX and transformers are imported where they are needed."""
    if request.file is None:
        return weights.from_architecture
    kind = FileKind(request.kind)
    if kind is FileKind.ONNX:
        from efficiency360.subject.formats.onnx import opened  # noqa: PLC0415

        return opened
    if kind is FileKind.HUGGINGFACE:
        from efficiency360.subject.formats.hub import from_folder  # noqa: PLC0415

        return from_folder
    openers: dict[FileKind, Callable[[SubjectRequest], Loaded]] = {
        FileKind.TORCHSCRIPT: programs.torchscript,
        FileKind.PICKLED_MODULE: programs.pickled,
        FileKind.EXPORTED_PROGRAM: exported.exported,
    }
    return openers.get(kind, weights.from_weights)


def _info(request: SubjectRequest, subject: Subject, loaded: Loaded, caveats: tuple[Caveat, ...]) -> SubjectInfo:
    return SubjectInfo(
        record=described(request, subject.preprocess, subject.num_classes, (*loaded.caveats, *caveats)),
        preprocess=subject.preprocess,
        num_classes=subject.num_classes,
        class_names=request.manifest.labels.names or loaded.class_names,
        differentiable=subject.differentiable,
        device=_device_name(subject.device),
        versions={"torch": torch.__version__},
    )


def _file_bytes(request: SubjectRequest) -> int | None:
    """Bytes of the file; of a folder, those of the files in it that are read."""
    if request.file is None:
        return None
    read = {Path(request.file), *(path for path in map(Path, request.reads) if path.suffix != ".py")}
    return sum(path.stat().st_size for path in read if path.is_file())


def _shaped(module: nn.Module, preprocess: Preprocess, device: torch.device, seed: int) -> None:
    """Run a module with lazy weights once: they take their shapes, and their first values, from its first images."""
    if not any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
        return
    torch.manual_seed(seed)
    with torch.no_grad():
        module(torch.full((2, preprocess.channels, *preprocess.size), 0.5, device=device))


def _in_memory(module: nn.Module) -> Loaded:
    with answering("the module cannot be copied", way_on="; audit its weights file", interruptible=True):
        return Loaded(copy.deepcopy(module), caveats=(_IN_MEMORY,))


def _device(name: str, loaded: Loaded) -> torch.device:
    if loaded.black_box:
        if name not in ("auto", "cpu"):
            raise InputError(f"--device {name}: {loaded.black_box}, on the processor only; leave --device out")
        return torch.device("cpu")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"--device {name} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
