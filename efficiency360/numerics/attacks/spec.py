"""Which attack with which parameters, and the presets; no torch here, so that audit files can be checked without it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from efficiency360.errors import InputError
from efficiency360.spec import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_APGD = {"steps": 100, "restarts": 1, "rho": 0.75}
OURS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "apgd-ce": _APGD,
        "apgd-dlr": _APGD,
        "apgd-t": {**_APGD, "targets": 9},
        "fab-t": {"steps": 100, "restarts": 1, "targets": 9, "alpha_max": 0.1, "eta": 1.05, "beta": 0.9},
        "square": {"queries": 5000, "restarts": 1, "p": 0.8, "rescale": False},
        "pgd": {"steps": 50, "restarts": 1, "alpha": 0.0},
    }
)
"""Each attack's parameters and their defaults, those of the papers; `pgd`'s alpha 0 means 2.5 eps / steps.

`square`'s `rescale` stretches its schedule from 10,000 queries to the number asked for.
"""

_WITHOUT_GRADIENTS = frozenset({"square", "GN", "VANILA", "OnePixel", "Pixle", "Square", "SPSA"})
_COUNTS = frozenset({"steps", "queries", "restarts", "targets"})
_SHOWN = ("steps", "targets", "queries", "restarts")


@dataclass(frozen=True)
class Spec:
    """An attack by name with parameters: one of `OURS`, or the name of a class in torchattacks.

    Raises:
        InputError: no attack has this name, or one of ours has no such parameter or not this value.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the name and, of an attack of ours, the parameters."""
        if self.ours:
            self._check()
        elif self.name not in foreign_names():
            raise InputError(f"there is no attack {self.name!a}{suggest(self.name, [*OURS, *foreign_names()])}")

    @property
    def ours(self) -> bool:
        """Whether this package implements it; torchattacks does otherwise."""
        return self.name in OURS

    @property
    def gradients(self) -> bool:
        """Whether it needs gradients with respect to the images."""
        return self.name not in _WITHOUT_GRADIENTS

    @property
    def label(self) -> str:
        """Name and size, as `apgd-t (100 steps, 9 targets)` or `CW (steps=20)`."""
        if not self.ours:
            said = ", ".join(f"{key}={value}" for key, value in self.params.items())
        else:
            values = {**OURS[self.name], **self.params}
            shown = [key for key in _SHOWN if key in values and (key != "restarts" or values[key] > 1)]
            said = ", ".join(f"{values[key]} {key.removesuffix('s') if values[key] == 1 else key}" for key in shown)
            said += "".join(f", {key}={value}" for key, value in self.params.items() if key not in _SHOWN)
        return f"{self.name} ({said})" if said else self.name

    def count(self, key: str) -> int:
        """A parameter of one of ours that counts something; 1 where the attack has no such parameter."""
        return int(self.params.get(key, OURS[self.name].get(key, 1)))

    def number(self, key: str) -> float:
        """A parameter of one of ours."""
        return float(self.params.get(key, OURS[self.name][key]))

    def _check(self) -> None:
        for key, value in self.params.items():
            if key not in OURS[self.name]:
                raise InputError(f"attack '{self.name}' has no parameter {key!a}{suggest(key, OURS[self.name])}")
            if not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise InputError(f"attack '{self.name}': {key} = {value!a} is not a number from 0 up")
            if key in _COUNTS and (value < 1 or value != int(value)):
                raise InputError(f"attack '{self.name}': {key} = {value!a} is not a whole number from 1 up")


PRESETS: Mapping[str, tuple[Spec, ...]] = MappingProxyType(
    {
        "autoattack": (Spec("apgd-ce"), Spec("apgd-t"), Spec("fab-t"), Spec("square", {"rescale": True})),
        "quick": (Spec("apgd-ce", {"steps": 50}), Spec("apgd-t", {"steps": 50, "targets": 3})),
        "blackbox": (Spec("square", {"rescale": True}),),
    }
)
"""`autoattack` is the standard version of Croce and Hein (2020, arXiv 2003.01690) but for Square's schedule.

Theirs is that of 10,000 queries cut off after 5,000; stretched to the number of queries, as Square's own paper has it,
it breaks more (of 500 digits of an adversarially trained network one to two).
"""


def specs_of(names: Iterable[str | Spec]) -> tuple[Spec, ...]:
    """The attacks that presets and names, such as `quick`, `CW` or `CW(steps=20)`, stand for, each once, in order.

    Raises:
        InputError: a name is neither a preset nor an attack, or its parameters cannot be read.
    """
    chosen: list[Spec] = []
    for name in names:
        group = (name,) if isinstance(name, Spec) else PRESETS[name] if name in PRESETS else (_parsed(name),)
        chosen += [spec for spec in group if spec not in chosen]
    return tuple(chosen)


def _parsed(text: str) -> Spec:
    """An attack by name, with parameters where some are given: `CW(steps=20)`."""
    name, given, rest = text.partition("(")
    name = name.strip()
    if name not in (*OURS, *foreign_names()):
        raise InputError(f"there is no attack {text!a}{suggest(name, [*PRESETS, *OURS, *foreign_names()])}")
    params = _params(rest) if given else {}
    if params is None:
        raise InputError(f"attack {text!a} cannot be read; parameters are written as in 'CW(steps=20)'")
    return Spec(name, params)


def _params(text: str) -> dict[str, Any] | None:
    """The parameters in `steps=20, c=1)`; None where they cannot be read."""
    try:
        call = ast.parse(f"f({text}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            return None
        found = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return None if None in found else {str(name): value for name, value in found.items()}


def needs_gradients(specs: Iterable[Spec]) -> bool:
    """Whether any of the attacks needs gradients with respect to the images."""
    return any(spec.gradients for spec in specs)


@cache
def foreign_names() -> tuple[str, ...]:
    """The attacks of the installed torchattacks, read from its source: importing it would import torch."""
    found = find_spec("torchattacks")
    if found is None or found.origin is None:
        return ()
    lists = {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(Path(found.origin).read_text("utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in {"__all__", "__wrapper__"}
    }
    return tuple(name for name in lists.get("__all__", ()) if name not in lists.get("__wrapper__", ()))
