"""Whether a model's code has replaced what measures it: clocks, this package, and what this package calls of others.

A replacement that only changes what the model computes, a function of `torch.nn.functional` or the default type, is its
own affair. The guard catches the careless and the accidental: code in one process can undo anything in it, this guard
too, which is why numbers produced beside a model's code carry `self_reported`.
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
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_OURS = "efficiency360"
_IMPORTED_FIRST = ("efficiency360.axes", "efficiency360.numerics", "efficiency360.statistics")
_MEASURING = (
    *_IMPORTED_FIRST,
    "efficiency360.dataset.stream",
    "efficiency360.engine.guard",
    "efficiency360.engine.observer",
    "efficiency360.engine.serving",
    "efficiency360.engine.wire",
    "efficiency360.subject.subject",
)
_CLOCKS = frozenset(
    name + unit
    for name in ("clock_gettime", "monotonic", "perf_counter", "process_time", "thread_time", "time")
    for unit in ("", "_ns")
)
_INNER = ("__code__", "__defaults__", "__kwdefaults__", "__closure__")
REPLACED = "guard.replaced"
"""The evidence that names what was replaced."""


class Guard:
    """Remembers what measures as it was before foreign code: this package's modules, and what they call of others."""

    def __init__(self) -> None:
        for package in _IMPORTED_FIRST:
            _import_all(package)
        self._modules = {name: module for name, module in sys.modules.items() if _is_ours(name) and module is not None}
        called = _called(self._modules)
        self._owners = dict(_owners(self._modules))
        self._before = {name: dict(_watched(owner, called)) for name, owner in self._owners.items()}

    def replaced(self) -> list[str]:
        """What is no longer as it was, by name."""
        exchanged = [name for name, module in self._modules.items() if sys.modules.get(name) is not module]
        return exchanged + [
            f"{name}.{key}"
            for name, before in self._before.items()
            for key, found in _changes(before, self._owners[name])
            if found
        ]


def is_own(name: str) -> bool:
    """Whether a replaced thing is a clock or this package's own, which no honest model touches."""
    return name.partition(".")[0] in {_OURS, "time", "builtins"}


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == _OURS


def _import_all(package: str) -> None:
    """Load a package's modules now, so that none is loaded later from what foreign code left behind."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        importlib.import_module(module.name)


def _called(modules: dict[str, ModuleType]) -> frozenset[str]:
    """Every name that code which measures looks up: of the libraries' functions, those that it may call."""
    names: set[str] = set()
    for name, module in modules.items():
        loader: Any = module.__spec__.loader if module.__spec__ and name.startswith(_MEASURING) else None
        code = loader.get_code(name) if hasattr(loader, "get_code") else None
        names.update(_names(code) if code else ())
    return frozenset(names)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _owners(ours: dict[str, ModuleType]) -> Iterator[tuple[str, Any]]:
    import torch  # noqa: PLC0415 - the worker has it anyway
    from torch import nn  # noqa: PLC0415

    yield from ((module.__name__, module) for module in (builtins, json, os, random, struct, time, np, torch))
    yield from (("torch.Tensor", torch.Tensor), ("torch.nn.Module", nn.Module), ("torch.cuda", torch.cuda))
    for name, module in ours.items():
        yield name, module
        for key, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == name:
                yield f"{name}.{key}", value


def _watched(owner: Any, called: frozenset[str]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What is looked at of an owner; of this package's modules also their constants and the modules that they use."""
    if isinstance(owner, ModuleType) and _is_ours(owner.__name__):
        yield from ((key, _parts(value)) for key, value in vars(owner).items() if not key.startswith("__"))
        return
    whole = isinstance(owner, type) or owner is np
    chosen = _CLOCKS if owner is time else called
    for key, value in list(vars(owner).items()):
        if (whole or key in chosen) and _does_something(value):
            yield key, _parts(value)


def _by_torch_itself(owner: Any, value: object) -> bool:
    """Whether torch exchanged a part of its own, as it does when its compiler is imported."""
    home = os.path.dirname(sys.modules["torch"].__file__ or "")  # noqa: PTH120 - a prefix of text is wanted
    torchs_own = getattr(owner, "__module__", getattr(owner, "__name__", "")).partition(".")[0] == "torch"
    return torchs_own and isinstance(value, FunctionType) and value.__code__.co_filename.startswith(home + os.sep)


def _does_something(value: object) -> bool:
    return callable(value) or isinstance(value, property | staticmethod | classmethod)


def _parts(value: object) -> tuple[object, ...]:
    """A value, and what of it can be exchanged while it stays the same object."""
    if isinstance(value, FunctionType):
        return value, *(getattr(value, name) for name in _INNER)
    if isinstance(value, dict):
        return value, *value, *value.values()
    return (value, *value) if isinstance(value, set | list) else (value,)


def _changes(before: dict[str, tuple[object, ...]], owner: Any) -> Iterator[tuple[str, bool]]:
    now = dict(vars(owner))
    for key, parts in before.items():
        found = _parts(now[key]) if key in now else ()
        same = len(found) == len(parts) and all(one is other for one, other in zip(found, parts, strict=True))
        yield key, not same and not (found and _by_torch_itself(owner, found[0]))
    if isinstance(owner, type):
        inherited = {key for base in owner.__mro__[1:] for key in vars(base)}
        yield from ((key, callable(value)) for key, value in now.items() if key in inherited and key not in before)
