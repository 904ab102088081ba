"""Whether a model's code has replaced what measures it: clocks, torch, and this package itself.

It catches the careless and the accidental. Code in one process can undo anything in it, this guard too, which is why
numbers produced beside a model's code carry `self_reported`.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import pkgutil
import random
import struct
import sys
import time
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = "efficiency360"
_IMPORTED_FIRST = ("efficiency360.axes", "efficiency360.numerics", "efficiency360.statistics")
_INNER = ("__code__", "__defaults__", "__kwdefaults__", "__closure__")
REPLACED = "guard.replaced"
"""The evidence that names what was replaced."""


class Guard:
    """Remembers every function and class of clocks, torch, numpy and this package as they were before foreign code."""

    def __init__(self) -> None:
        for package in _IMPORTED_FIRST:
            _import_all(package)
        self._owners = dict(_owners())
        self._before = {name: dict(_callables(owner)) for name, owner in self._owners.items()}

    def replaced(self) -> list[str]:
        """What is no longer as it was, by name."""
        return [
            f"{name}.{key}"
            for name, before in self._before.items()
            for key, found in _changes(before, self._owners[name])
            if found
        ]


def is_own(name: str) -> bool:
    """Whether a replaced thing is a clock or this package's own, which no honest model touches."""
    return name.partition(".")[0] in {_OURS, "time", "builtins"}


def _import_all(package: str) -> None:
    """Load a package's modules now, so that none is loaded later from what foreign code left behind."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        importlib.import_module(module.name)


def _owners() -> Iterator[tuple[str, Any]]:
    import torch  # noqa: PLC0415 - the worker has it anyway
    from torch import nn  # noqa: PLC0415

    yield from ((module.__name__, module) for module in (builtins, json, os, random, struct, time, np, torch))
    yield from (("torch.Tensor", torch.Tensor), ("torch.nn.Module", nn.Module), ("torch.nn.functional", nn.functional))
    yield from (("torch.cuda", torch.cuda),)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == _OURS and module is not None:
            yield name, module
            for key, value in list(vars(module).items()):
                if isinstance(value, type) and value.__module__ == name:
                    yield f"{name}.{key}", value


def _by_torch_itself(owner: Any, value: object) -> bool:
    """Whether torch exchanged a part of its own, as it does when its compiler is imported."""
    home = os.path.dirname(sys.modules["torch"].__file__ or "")  # noqa: PTH120 - a prefix of text is wanted
    torchs_own = getattr(owner, "__module__", getattr(owner, "__name__", "")).partition(".")[0] == "torch"
    return torchs_own and isinstance(value, FunctionType) and value.__code__.co_filename.startswith(home + os.sep)


def _callables(owner: Any) -> Iterator[tuple[str, tuple[object, ...]]]:
    for key, value in list(vars(owner).items()):
        if callable(value) or isinstance(value, property | staticmethod | classmethod):
            yield key, _parts(value)


def _parts(value: object) -> tuple[object, ...]:
    """A callable, and what of it can be exchanged while it stays the same object."""
    return value, *(getattr(value, name) for name in _INNER if isinstance(value, FunctionType))


def _changes(before: dict[str, tuple[object, ...]], owner: Any) -> Iterator[tuple[str, bool]]:
    now = dict(vars(owner))
    for key, parts in before.items():
        found = _parts(now[key]) if key in now else ()
        same = len(found) == len(parts) and all(one is other for one, other in zip(found, parts, strict=True))
        yield key, not same and not (found and _by_torch_itself(owner, found[0]))
    if isinstance(owner, type):
        inherited = {key for base in owner.__mro__[1:] for key in vars(base)}
        yield from ((key, callable(value)) for key, value in now.items() if key in inherited and key not in before)
