"""Architectures that the project ships, by name, with trained weights where it has them; torch is imported on use."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from efficiency360.errors import InputError
from efficiency360.words import one_line
from efficiency360.zoo.spec import is_spec_file, load_spec, shipped

if TYPE_CHECKING:
    from torch import nn


def names() -> tuple[str, ...]:
    """The names of all architectures, sorted."""
    return shipped()


def create(
    name: str, *, num_classes: int | None = None, channels: int | None = None, size: tuple[int, int] | None = None
) -> nn.Module:
    """The TurboViT `name`, or of the spec at that path, with random weights from torch's global generator.

    It is made for another number of classes or channels, or another (height, width), where these are given.

    Raises:
        InputError: the zoo has no such architecture, there is a mistake in the spec, or it cannot be made like that.
    """
    from efficiency360.zoo.turbovit import TurboViT  # noqa: PLC0415 - torch

    return TurboViT(load_spec(_known(name)).adapted(classes=num_classes, channels=channels, size=size))


def weights(name: str) -> Path | None:
    """The safetensors file that ships with `name`, its manifest beside it as .toml; None where none ships.

    Raises:
        InputError: the zoo has no such architecture, or there is a mistake in the spec at that path.
    """
    if is_spec_file(_known(name)):
        load_spec(name)
        return None
    path = Path(__file__).parent / "weights" / f"{name}.safetensors"
    return path if path.is_file() else None


def spec_file(arch: str) -> Path | None:
    """The file that an architecture `zoo:PATH.toml` names; None where it names no file."""
    catalogue, _, name = arch.partition(":")
    return Path(name) if catalogue == "zoo" and is_spec_file(name) else None


def _known(name: str) -> str:
    if is_spec_file(name) or name in names():
        return name
    nearest = difflib.get_close_matches(name, names(), n=1)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ";"
    listed = ", ".join(names())
    raise InputError(
        f"no architecture '{one_line(name)}' in the zoo{hint} It has: {listed} (or give the path of a spec, PATH.toml)"
    )
