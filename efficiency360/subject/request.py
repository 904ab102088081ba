"""What the user asked to audit, resolved as far as that goes without torch: the parent's half of loading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.files import sha256_file
from efficiency360.strict import Record
from efficiency360.subject.files.parts import external_files, fingerprint, folder_files
from efficiency360.subject.files.sniff import FileKind, Sniffed, refusal, shown, sniff
from efficiency360.subject.files.trust import PROGRAMS, holds_objects, modules_beside
from efficiency360.subject.manifest import Manifest, find_manifest, load_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

_CATALOGUES = ("timm", "torchvision", "zoo")
_SELF_CONTAINED = PROGRAMS | {FileKind.ONNX, FileKind.HUGGINGFACE}


class SubjectRequest(Record):
    """Everything the worker needs to load a subject; plain values, so it travels as JSON.

    `file` None means random weights from `arch`. `input` is (C, H, W). `data_shape` is the (C, H, W) that all images of
    the data set share, where they do. `spec_fingerprint` is the hash of the file that `zoo:PATH.toml` names. `reads`
    are the absolute paths of all files and folders that loading reads, apart from Python's own.
    """

    name: str
    file: str | None
    kind: str
    globals_: tuple[str, ...] = ()
    fingerprint: str | None
    arch: str | None
    factory_fingerprint: str | None = None
    spec_fingerprint: str | None = None
    remap: Literal["order"] | None = None
    key: str | None = None
    manifest: Manifest = Manifest()
    input: tuple[int, int, int] | None = None
    data_shape: tuple[int, int, int] | None = None
    device: str = "auto"
    threads: int = 1
    seed: int = 0
    trust_code: bool = False
    reads: tuple[str, ...] = ()

    @property
    def runs_code(self) -> bool:
        """Whether loading runs code that comes from outside: of the file itself, or of a factory."""
        kind = next((kind for kind in FileKind if kind.value == self.kind), None)
        unpickles = self.trust_code and kind is not None and holds_objects(kind, self.globals_)
        return kind in PROGRAMS or unpickles or self.factory_fingerprint is not None


@dataclass(frozen=True)
class SubjectOptions:
    """The options of the command line that describe the subject."""

    arch: str | None = None
    remap: str | None = None
    key: str | None = None
    manifest: Path | None = None
    input: tuple[int, int, int] | None = None
    trust_code: bool = False


def request_subject(subject: str, options: SubjectOptions) -> SubjectRequest:
    """Find out what `subject` is: a model file or folder, or an architecture such as `timm:resnet50`.

    Raises:
        InputError: no such file, a kind of file that is not opened, or an architecture that is missing or misspelt.
    """
    if options.remap not in (None, "order"):
        raise InputError(f"--remap {options.remap}: the only way is 'order'")
    catalogue, _, name = subject.partition(":")
    if catalogue in _CATALOGUES and name and not Path(subject).exists():
        shipped = zoo.weights(name) if catalogue == "zoo" else None
        if shipped is None:
            return _random_weights(subject, options)
        return _model_file(shipped, subject, options)
    if _is_factory(subject) and not Path(subject).exists():
        return _random_weights(subject, options)
    return _model_file(Path(subject), Path(subject).name, options)


def parse_input(text: str) -> tuple[int, int, int]:
    """`3x224x224` -> (3, 224, 224).

    Raises:
        InputError: not three positive whole numbers, or a channel count other than 1 or 3.
    """
    match = re.fullmatch(r"(\d+)[x,](\d+)[x,](\d+)", text.strip().lower())
    shape = tuple(map(int, match.groups())) if match else ()
    if len(shape) != 3 or min(shape) < 1 or shape[0] not in (1, 3):  # noqa: PLR2004 - C, H, W
        raise InputError(f"--input {text}: give channels x height x width with 1 or 3 channels, such as 3x224x224")
    return shape[0], shape[1], shape[2]


def _is_factory(text: str) -> bool:
    file, _, function = text.rpartition(":")
    return file.endswith(".py") and function.isidentifier()


def _check_arch(arch: str) -> None:
    catalogue, _, name = arch.partition(":")
    if _is_factory(arch):
        if not _factory_file(arch).is_file():
            raise InputError(f"--arch {arch}: no file {_factory_file(arch)}")
    elif catalogue not in _CATALOGUES or not name:
        raise InputError(f"--arch {arch}: give timm:NAME, torchvision:NAME, zoo:NAME or path/to/file.py:factory")
    elif catalogue == "zoo":
        zoo.weights(name)  # raises where there is none, or where its spec has a mistake


def _random_weights(arch: str, options: SubjectOptions) -> SubjectRequest:
    if options.arch not in (None, arch):
        raise InputError(f"{arch} is an architecture already; --arch {options.arch} goes with a weights file")
    if options.remap or options.key:
        raise InputError("--remap and --key go with a weights file")
    _check_arch(arch)
    return SubjectRequest(
        name=arch,
        file=None,
        kind="random weights",
        fingerprint=None,
        **_arch_fields(arch),
        manifest=load_manifest(options.manifest) if options.manifest else Manifest(),
        input=options.input,
        trust_code=options.trust_code,
        reads=tuple(str(one) for one in _read_for(arch)),
    )


def _model_file(path: Path, name: str, options: SubjectOptions) -> SubjectRequest:
    _check_name(path)
    sniffed = sniff(path)
    if why := refusal(sniffed, trust_code=options.trust_code):
        raise InputError(f"{shown(path)}: {why}")
    beside = options.manifest or find_manifest(path)
    manifest = load_manifest(beside) if beside else Manifest()
    if manifest.model.file not in (None, path.name):
        raise InputError(f"{beside} is about {manifest.model.file}, not {path.name}; give its own manifest")
    arch = options.arch or _manifest_arch(manifest, beside, trust_code=options.trust_code)
    _check_wanted(path, sniffed, arch, trust_code=options.trust_code)
    files = _parts(path, sniffed)
    return SubjectRequest(
        name=name,
        file=str(path.resolve()),
        kind=sniffed.kind.value,
        globals_=sniffed.globals,
        fingerprint=fingerprint(files),
        **(_arch_fields(arch) if arch else {"arch": None}),
        reads=_reads(path, sniffed, files, arch),
        remap="order" if options.remap == "order" else manifest.model.remap,
        key=options.key or manifest.model.key,
        manifest=manifest,
        input=options.input,
        trust_code=options.trust_code,
    )


def _check_name(path: Path) -> None:
    """Refuse a path that no scorecard can hold."""
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{shown(path)}: the path is not UTF-8 text; rename the file or folder") from error
    except (OSError, ValueError, RuntimeError):
        return  # no path at all, as sniffing it will say


def _check_wanted(path: Path, sniffed: Sniffed, arch: str | None, *, trust_code: bool) -> None:
    """Refuse weights without an architecture, and an architecture for what has its own."""
    if sniffed.kind in _SELF_CONTAINED:
        if arch is not None:
            raise InputError(
                f"{shown(path)} brings its own architecture ({sniffed.evidence}), so {arch} cannot be its architecture;"
                " leave --arch, or arch in the manifest, out"
            )
    elif arch is not None:
        _check_arch(arch)
    elif not ((objects := holds_objects(sniffed.kind, sniffed.globals)) and trust_code):
        whole = ", or, where it holds a whole model that you trust, add --trust-code" if objects else ""
        raise InputError(
            f"{shown(path)} holds weights without their architecture ({sniffed.evidence}); name it with --arch"
            f" timm:NAME, torchvision:NAME, zoo:NAME or path/to/file.py:factory{whole}"
        )


def _parts(path: Path, sniffed: Sniffed) -> tuple[Path, ...]:
    """The files that the model is made of."""
    if sniffed.kind is FileKind.HUGGINGFACE:
        return folder_files(path)
    return (path, *external_files(path, sniffed.external))


def _reads(path: Path, sniffed: Sniffed, files: Sequence[Path], arch: str | None) -> tuple[str, ...]:
    """What loading has to read: the model's files, where links lead, and the folders of code that it imports."""
    read = [path, *files, *(path.parent for _ in modules_beside(path, sniffed.globals))]
    read.extend(_read_for(arch) if arch else ())
    return tuple(dict.fromkeys(str(one.resolve()) for one in read))


def _manifest_arch(manifest: Manifest, beside: Path | None, *, trust_code: bool) -> str | None:
    """The architecture that a manifest names; the path of a factory or a spec is from the manifest's folder."""
    arch = manifest.model.arch
    if arch and (spec := zoo.spec_file(arch)):
        return f"zoo:{(beside.parent if beside else Path()) / spec}"
    if not arch or not _is_factory(arch):
        return arch
    where = (beside.parent if beside else Path()) / arch
    if not trust_code:
        raise InputError(
            f"{beside}: arch '{arch}' is code that would run; if you trust it, add --trust-code, or name it with --arch"
            f" {where}"
        )
    return str(where)


def _arch_fields(arch: str) -> dict[str, str]:
    """The architecture; a factory or a spec with its absolute path and the hash of its file."""
    if spec := zoo.spec_file(arch):
        return {"arch": f"zoo:{spec.resolve()}", "spec_fingerprint": sha256_file(spec)}
    if not _is_factory(arch):
        return {"arch": arch}
    file = _factory_file(arch)
    return {"arch": f"{file.resolve()}:{arch.rpartition(':')[2]}", "factory_fingerprint": sha256_file(file)}


def _read_for(arch: str) -> tuple[Path, ...]:
    """What has to be read to build an architecture: the folder of its code, or the file of its spec."""
    if _is_factory(arch):
        return (_factory_folder(arch),)
    return (spec.resolve(),) if (spec := zoo.spec_file(arch)) else ()


def _factory_file(arch: str) -> Path:
    return Path(arch.rpartition(":")[0])


def _factory_folder(arch: str) -> Path:
    """The folder that a factory's code really lies in, where what it imports lies too."""
    return _factory_file(arch).resolve().parent
