"""An architecture by name, with weights from a file or drawn at random. Runs in the worker only."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.records import Caveat
from efficiency360.subject.files.sniff import FileKind
from efficiency360.subject.formats.architectures import Architecture, Wishes, build
from efficiency360.subject.formats.checkpoint import fit, read_weights, shape_of
from efficiency360.subject.formats.loaded import Loaded
from efficiency360.subject.formats.programs import module_in
from efficiency360.subject.info import without_file
from efficiency360.subject.inputs import from_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from efficiency360.subject.formats.checkpoint import Fit
    from efficiency360.subject.request import SubjectRequest


def from_architecture(request: SubjectRequest) -> Loaded:
    """The architecture as it is built."""
    assert request.arch is not None  # noqa: S101 - there is no file, so there is an architecture
    built = build(request.arch, _declared(request), seed=request.seed)
    return _loaded(built, (without_file(request),))


def from_weights(request: SubjectRequest) -> Loaded:
    """The architecture with the weights of the file; without one, the whole module that a trusted file holds.

    Raises:
        InputError: the weights do not fit, or there is no module.
    """
    assert request.file is not None  # noqa: S101 - see load
    path = Path(request.file)
    held = read_weights(path, FileKind(request.kind), request.globals_, trust_code=request.trust_code)
    if request.arch is None:
        return module_in(held, request)
    wishes = Wishes(size=_declared(request).size)
    architecture = _resized(build(request.arch, wishes, seed=request.seed), held, request)
    expected = architecture.module.state_dict()
    fitted = fit(held, expected, remap=request.remap, key=request.key, file=path.name, arch=request.arch)
    return _loaded(architecture, filled(architecture.module, fitted))


def filled(module: nn.Module, fitted: Fit) -> tuple[Caveat, ...]:
    """Put weights into a module; the caveats say what was done to make them fit."""
    state: OrderedDict[str, Tensor] = OrderedDict(fitted.tensors)
    state._metadata = module.state_dict()._metadata  # type: ignore[attr-defined] # noqa: SLF001 - names are now as of this version
    module.load_state_dict(state, strict=True)
    return tuple(map(_weights_caveat, fitted.notes))


def _loaded(architecture: Architecture, caveats: tuple[Caveat, ...]) -> Loaded:
    return Loaded(architecture.module, architecture.preprocess, architecture.class_names, caveats)


def _weights_caveat(note: str) -> Caveat:
    if "NaN or infinite" in note:
        return Caveat(id="subject.broken_weights", severity="critical", text=f"Weights: {note}.")
    return Caveat(id="subject.weights", severity="info", text=f"Weights: {note}.")


def _declared(request: SubjectRequest) -> Wishes:
    """The channels and the size that the user or the manifest state."""
    if request.input:
        return Wishes(channels=request.input[0], size=request.input[1:])
    table = from_table(request.manifest.preprocess)
    return Wishes(channels=table.get("channels"), size=table.get("size"))


def _resized(architecture: Architecture, weights: object, request: SubjectRequest) -> Architecture:
    """The architecture again with the number of classes and channels that the weights were made for."""
    assert request.arch is not None  # noqa: S101 - see from_weights
    expected: Mapping[str, Tensor] = architecture.module.state_dict()
    wanted = {}
    for option, name, dim in (("num_classes", architecture.head, 0), ("channels", architecture.stem, 1)):
        if name is None or name not in expected:
            continue
        found = shape_of(weights, name, expected, key=request.key)
        if found and len(found) == expected[name].ndim and found[dim] != expected[name].shape[dim]:
            wanted[option] = found[dim]
    wishes = Wishes(size=_declared(request).size, **wanted)
    return build(request.arch, wishes, seed=request.seed) if wanted else architecture
