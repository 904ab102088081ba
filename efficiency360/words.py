"""Words that come from outside, as a message shows them: on one line, not too many, and whatever code makes them."""

from __future__ import annotations

import re
from typing import Any

_MAX_TEXT = 300
_TRACEBACK = "Traceback (most recent call last):"
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")  # another one in each process
_TORCHSCRIPT = "The following operation failed in the TorchScript interpreter"


def one_line(text: str, most: int = _MAX_TEXT) -> str:
    """Text from outside on one line of at most `most` characters, none of which moves a cursor."""
    plain = "".join(character if character.isprintable() else " " for character in text[: 8 * most])
    line = " ".join(plain.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def told(error: BaseException, most: int = _MAX_TEXT) -> str:
    """The type and the message of an exception on one line, even where making them raises."""
    message = _message(error, most)
    return f"{_name(type(error))}: {message}" if message else _name(type(error))


def _name(kind: type[Any]) -> str:
    """The name of a class without asking its metaclass."""
    return one_line(type.__dict__["__name__"].__get__(kind))


def _message(error: BaseException, most: int) -> str:
    try:
        lines = "".join((str(error),)).strip().splitlines()  # joined, so that it is a plain string
    except BaseException:  # noqa: BLE001 - the message is made by code that is not ours
        return "it has no message that can be shown"
    if lines and lines[0].startswith(_TRACEBACK):  # what happened comes last
        lines = lines[-1:]
    lines = [_ADDRESS.sub("", line.replace(_TRACEBACK, "")) for line in lines]
    if not lines:
        return ""
    # TorchScript tells where it was first and what happened last, if it knows.
    last = lines[0].startswith(_TORCHSCRIPT) and not lines[-1].rstrip().endswith(":")
    return one_line(lines[-1 if last else 0], most)
