"""Architectures that the project ships, by name, with trained weights where it has them; torch is imported on use."""

from __future__ import annotations

import difflib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.errors import InputError

if TYPE_CHECKING:
    from torch import nn

_BUILDERS = {
    "digits_transformer": "efficiency360.zoo.demo:digits_transformer",
}


def names() -> tuple[str, ...]:
    """The names of all architectures, sorted."""
    return tuple(sorted(_BUILDERS))


def create(name: str) -> nn.Module:
    """The architecture `name`, untrained, with random weights from torch's global generator.

    Raises:
        InputError: the zoo has no such architecture.
    """
    module: nn.Module = pkgutil.resolve_name(_BUILDERS[_known(name)])()
    return module


def weights(name: str) -> Path | None:
    """The safetensors file that ships with `name`, its manifest beside it as .toml; None where none ships.

    Raises:
        InputError: the zoo has no such architecture.
    """
    path = Path(__file__).parent / "weights" / f"{_known(name)}.safetensors"
    return path if path.is_file() else None


def _known(name: str) -> str:
    if name in _BUILDERS:
        return name
    nearest = difflib.get_close_matches(name, _BUILDERS, n=1)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ";"
    raise InputError(f"no architecture '{name}' in the zoo{hint} It has: {', '.join(names())}")
