"""Unpickling with all its powers, for files that the user trusts. Runs in the worker only."""

from __future__ import annotations

import pickle
import re
import sys
import warnings
from typing import TYPE_CHECKING

import torch

from efficiency360.errors import InputError
from efficiency360.subject.files.archive import check_checksums
from efficiency360.subject.files.names import short
from efficiency360.subject.files.regular import blaming
from efficiency360.subject.files.sniff import shown
from efficiency360.subject.formats.foreign_code import answering
from efficiency360.words import one_line, told

if TYPE_CHECKING:
    from pathlib import Path

_TORCH_ARCHIVE = b"PK\3\4"
_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_HEAD_BYTES = 64
_NO_ATTRIBUTE = re.compile(r"Can't get attribute '([^']+)' on <module '([^']+)'")
_WEIGHTS_ALONE = "or save model.state_dict() and audit that with --arch"


def unpickled(path: Path) -> object:
    """What a pickle holds, made by whatever code it names; files of Python beside it can be imported.

    Raises:
        InputError: code that it needs is not there, it is damaged, or its code raises.
    """
    _make_importable(path.parent)
    with warnings.catch_warnings(), answering(f"{shown(path)} cannot be unpickled"):
        warnings.simplefilter("ignore")
        try:
            return _read(path)
        except ImportError as error:
            raise InputError(f"{shown(path)}: {_not_imported(error)}") from error
        except AttributeError as error:
            if why := _not_found(error):
                raise InputError(f"{shown(path)}: {why}") from error
            raise


def _read(path: Path) -> object:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        if head.startswith(_TORCH_ARCHIVE):
            with blaming(path):
                check_checksums(path)
        if head.startswith(_TORCH_ARCHIVE) or _TORCH_MAGIC in head:
            return torch.load(file, map_location="cpu", weights_only=False, mmap=False)
        return pickle.load(file)  # noqa: S301 - the user trusts it


def _make_importable(folder: Path) -> None:
    """Let Python import what lies beside the model, now and when it runs; installed packages come first."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _not_imported(error: ImportError) -> str:
    if not error.name:
        return f"needs code that cannot be imported here ({told(error)})"
    package = one_line(error.name.partition(".")[0])
    return (
        f"needs the Python module {short(error.name)}, which cannot be imported here; put {package}.py beside the"
        f" model or install the package, {_WEIGHTS_ALONE}"
    )


def _not_found(error: AttributeError) -> str:
    found = _NO_ATTRIBUTE.search(str(error))
    if found is None:
        return ""
    name, module = found.groups()
    if module in _names_of_main():
        return (
            f"its class {short(name)} was defined in the program that saved it, and no file has it; define it in a"
            f" module of its own beside the model and save it again, {_WEIGHTS_ALONE}"
        )
    return (
        f"needs {short(name)}, which the module {short(module)} here does not have; install the version that it was"
        " saved with"
    )


def _names_of_main() -> set[str]:
    """The names under which Python shows the program that runs."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return {"__main__", *([spec.name] if spec else [])}
