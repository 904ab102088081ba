"""What is in a model file or folder, in words and numbers, found without opening it as a model. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.subject.files.parts import folder_files
from efficiency360.subject.files.pickle_trust import split_globals
from efficiency360.subject.files.regular import blaming, open_regular
from efficiency360.subject.files.sniff import FileKind, refusal, sniff
from efficiency360.subject.inspection.command import NAMELESS, audit_command
from efficiency360.subject.inspection.contents import Contents, WeightSet
from efficiency360.subject.inspection.exported import export_contents
from efficiency360.subject.inspection.nonfinite import count_nonfinite
from efficiency360.subject.inspection.others import onnx_contents, safetensors_contents
from efficiency360.subject.inspection.records import Inspection, OpeningRecord, SetRecord, TensorRecord
from efficiency360.subject.inspection.signatures import match
from efficiency360.subject.inspection.torch_files import script_contents, torch_contents
from efficiency360.subject.manifest import find_manifest, load_manifest

if TYPE_CHECKING:
    from typing import BinaryIO

    from efficiency360.subject.files.sniff import Sniffed
    from efficiency360.subject.inspection.contents import StoredTensor
    from efficiency360.subject.inspection.signatures import Match
    from efficiency360.subject.manifest import Manifest

_WEIGHTS = frozenset({FileKind.SAFETENSORS, FileKind.ZIP_WEIGHTS, FileKind.LEGACY_WEIGHTS})
_HEADS = ("fc", "head", "heads", "classifier", "logits", "linear", "output")
_MAX_FACTS, _MAX_FACT = 16, 200
_MATRIX_DIMS = 2


def inspect(subject: str) -> Inspection:
    """Look into a model file or folder, or the weights that ship with an architecture of the zoo.

    Raises:
        InputError: not a readable file, damaged, or not a model: what it is instead, and the next step.
    """
    path = _path_of(subject)
    sniffed = sniff(path)
    with blaming(path):
        parts = _weights_files(path, sniffed)
        read = [_read(part, sniffed.kind) for part in parts]
    contents, sets = _joined(read)
    manifest, noted, problem = _manifest(path)
    opening = _opening(sniffed, contents)
    return Inspection(
        file=clean(str(path)),
        kind=sniffed.kind.value,
        evidence=clean(sniffed.evidence),
        file_bytes=sum(part.stat().st_size for part in parts),
        facts=_facts(contents),
        sets=sets,
        opening=opening,
        manifest=noted,
        refused=refusal(sniffed) or _objects(sniffed.kind, opening),
        command=_command(path, sniffed, contents, sets, manifest),
        advice=(*problem, *_advice(sniffed, sets, manifest)),
    )


def clean(text: str) -> str:
    """Text as JSON and UTF-8 can carry it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _path_of(subject: str) -> Path:
    catalogue, _, name = subject.partition(":")
    if catalogue in ("timm", "torchvision", "zoo") and name and not Path(subject).exists():
        if catalogue == "zoo" and (shipped := zoo.weights(name)):
            return shipped
        raise InputError(f"{subject} is an architecture without a file; count it with e360 audit {subject} --axes cost")
    return Path(subject)


def _weights_files(path: Path, sniffed: Sniffed) -> tuple[Path, ...]:
    if sniffed.kind is not FileKind.HUGGINGFACE:
        return (path,)
    return tuple(part for part in folder_files(path) if part.suffix == ".safetensors")


def _read(path: Path, kind: FileKind) -> tuple[Contents, list[SetRecord]]:
    with open_regular(path) as (file, size):
        contents = _contents(file, size, kind)
        return contents, [_record(file, one, contents, kind) for one in contents.sets]


def _contents(file: BinaryIO, size: int, kind: FileKind) -> Contents:
    if kind in (FileKind.SAFETENSORS, FileKind.HUGGINGFACE):
        return safetensors_contents(file, size)
    if kind is FileKind.ONNX:
        return onnx_contents(file, size)
    if kind is FileKind.TORCHSCRIPT:
        return script_contents(file, size)
    return export_contents(file, size) if kind is FileKind.EXPORTED_PROGRAM else torch_contents(file, size)


def _record(file: BinaryIO, found: WeightSet, contents: Contents, kind: FileKind) -> SetRecord:
    tensors = tuple(_tensor(file, tensor, big_endian=contents.big_endian) for tensor in found.tensors)
    fits = None
    if kind is not FileKind.ONNX:
        fits = match((tensor.named for tensor in found.tensors), ordered=found.ordered)
    return SetRecord(
        key=clean(found.key),
        tensors=tensors,
        parameters=found.parameters,
        nan=sum(tensor.nan or 0 for tensor in tensors),
        infinite=sum(tensor.infinite or 0 for tensor in tensors),
        unread=sum(bool(tensor.unread) for tensor in tensors),
        architectures=fits.archs if fits else (),
        by_order=bool(fits and fits.by_order),
        num_classes=_classes(fits, found),
    )


def _tensor(file: BinaryIO, tensor: StoredTensor, *, big_endian: bool) -> TensorRecord:
    counted = count_nonfinite(file, tensor, big_endian=big_endian)
    nan, infinite = (None, None) if isinstance(counted, str) else counted
    return TensorRecord(
        name=clean(tensor.name),
        shape=tensor.shape,
        dtype=tensor.dtype,
        nan=nan,
        infinite=infinite,
        unread=counted if isinstance(counted, str) else "",
    )


def _classes(fits: Match | None, found: WeightSet) -> int | None:
    """The number of classes: of the architecture's head, else of the last matrix that is called one."""
    if fits and fits.num_classes:
        return fits.num_classes
    heads = [
        tensor.shape[0]
        for tensor in found.tensors
        if len(tensor.shape) == _MATRIX_DIMS
        and tensor.name.endswith(".weight")
        and any(part in _HEADS for part in tensor.name.split("."))
    ]
    return heads[-1] if heads else None


def _joined(read: list[tuple[Contents, list[SetRecord]]]) -> tuple[Contents, tuple[SetRecord, ...]]:
    """One file's contents; the files of a folder hold one set together."""
    if len(read) == 1:
        return read[0][0], tuple(read[0][1])
    sets = [one for _, found in read for one in found]
    tensors = tuple(sorted((tensor for one in sets for tensor in one.tensors), key=lambda tensor: tensor.name))
    fits = match(((tensor.name, tensor.shape) for tensor in tensors), ordered=False)
    together = SetRecord(
        key="",
        tensors=tensors,
        **{key: sum(getattr(one, key) for one in sets) for key in ("parameters", "nan", "infinite", "unread")},
        architectures=fits.archs if fits else (),
        num_classes=fits.num_classes if fits else next((one.num_classes for one in sets if one.num_classes), None),
    )
    return Contents((), facts={"files": str(len(read))}), (together,)


def _facts(contents: Contents) -> dict[str, str]:
    return {clean(key)[:_MAX_FACT]: clean(text)[:_MAX_FACT] for key, text in list(contents.facts.items())[:_MAX_FACTS]}


def _manifest(path: Path) -> tuple[Manifest | None, dict[str, str], tuple[str, ...]]:
    """The manifest beside a file, what it says in short, and what is wrong with it."""
    try:
        beside = find_manifest(path)
        manifest = load_manifest(beside) if beside else None
    except InputError as error:
        return None, {}, (f"the manifest beside it cannot be used: {clean(str(error))}",)
    if manifest is None or beside is None:
        return None, {}, ()
    told = {**manifest.model.model_dump(exclude_none=True), **manifest.preprocess.model_dump(exclude_none=True)}
    labels = {"labels": f"{len(manifest.labels.names)} class names"} if manifest.labels.names else {}
    return (
        manifest,
        {"manifest": clean(str(beside)), **{key: _told(value) for key, value in told.items()}, **labels},
        (),
    )


def _told(value: object) -> str:
    return clean(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


def _opening(sniffed: Sniffed, contents: Contents) -> OpeningRecord:
    rebuilds, code = split_globals(sniffed.globals)
    whole = sniffed.kind is FileKind.PICKLED_MODULE
    return OpeningRecord(
        rebuilds=rebuilds,
        code=code or (("(whatever makes its top object)",) if whole else ()),
        parts=tuple(map(clean, contents.code)),
        external=tuple(map(clean, sniffed.external)),
    )


def _objects(kind: FileKind, opening: OpeningRecord) -> str | None:
    """Why weights are refused that lie among other objects."""
    if kind not in _WEIGHTS or not opening.code:
        return None
    return (
        "it holds objects other than weights, and opening those can run any code; where you trust it, add --trust-code;"
        " or save the weights alone"
    )


def _command(
    path: Path, sniffed: Sniffed, contents: Contents, sets: tuple[SetRecord, ...], manifest: Manifest | None
) -> str:
    trust = refusal(sniffed) is not None or bool(sniffed.kind in _WEIGHTS and split_globals(sniffed.globals)[1])
    if sniffed.kind not in _WEIGHTS:
        return audit_command(path, image=contents.input, trust_code=trust)
    if manifest and manifest.model.arch:
        return audit_command(path, trust_code=trust)
    chosen = _chosen(sets)
    return audit_command(
        path,
        arch=chosen.architectures[0] if chosen and chosen.architectures else NAMELESS,
        by_order=bool(chosen and chosen.by_order),
        key=chosen.key if chosen and chosen.key and len(sets) > 1 else None,
        trust_code=trust,
    )


def _chosen(sets: tuple[SetRecord, ...]) -> SetRecord | None:
    """The first set that fits an architecture, by name if any does; else the one with the most tensors."""
    fitting = [one for one in sets if one.architectures]
    by_name = [one for one in fitting if not one.by_order]
    return next(iter(by_name or fitting or sorted(sets, key=lambda one: -len(one.tensors))), None)


def _advice(sniffed: Sniffed, sets: tuple[SetRecord, ...], manifest: Manifest | None) -> tuple[str, ...]:
    if sniffed.kind not in _WEIGHTS or (manifest and manifest.model.arch):
        return ()
    chosen = _chosen(sets)
    if chosen is None:
        return ("it holds no named tensors, so there is nothing in it to audit",)
    advice = []
    if not chosen.architectures:
        advice.append(
            f"no architecture of timm, torchvision or the zoo has these shapes: put its name for {NAMELESS}, or its own"
            " code as --arch path/to/file.py:factory"
        )
    if len(chosen.architectures) > 1:
        advice.append(
            f"{len(chosen.architectures)} architectures have exactly these shapes: take the one it was trained as"
        )
    if sum(bool(one.architectures) for one in sets) > 1:
        advice.append("several sets of weights fit: --key chooses among them")
    return tuple(advice)
