"""Names of models where there is little room, and in sentences that speak of `here` and `the baseline`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACES = re.compile(
    r"""(?x)
    (?P<here>\ here(?=,?\ and\ |,\ ))
    | (?P<there>\ (?:in\ the\ baseline|there)(?=$|,\ |\ \())
    | (?P<reference>,\ the\ reference\ with\ )
    | (?P<start>^the\ baseline(?=\ holds\ no\ ))
    """
)
_DOUBT = "the baseline's number is in doubt: "
_MOST = 3
_ENDS = re.compile(r"(?<=[:/_\-\s])")
"""Where a name may be broken."""


def told_of(reason: str, names: Sequence[str], reference: str) -> str:
    """Why two numbers cannot be compared, with the names of the models in place of `here` and `the baseline`."""
    here = " and ".join(names) if len(names) <= _MOST else f"{len(names)} models"
    said = {
        "here": f" in {here}",
        "there": f" in {reference}",
        "reference": f", {reference} with ",
        "start": reference,
    }
    if reason.startswith(_DOUBT):  # what follows is a caveat's own words
        return f"{reference}'s number is in doubt: {reason.removeprefix(_DOUBT)}"
    return _PLACES.sub(lambda match: said[match.lastgroup or "here"], reason)


def middle(name: str, length: int) -> str:
    """A name of at most `length` characters; what is left out is in the middle, as its end tells it from others."""
    if len(name) <= length:
        return name
    head = (length - 1) // 3
    return f"{name[:head]}…{name[len(name) - (length - 1 - head) :]}"


def lines(name: str, width: int, most: int = 3) -> list[str]:
    """A name on at most `most` lines of `width` characters, broken where its parts end; too long ones are shortened."""
    found = [""]
    for part in _ENDS.split(middle(name, most * width * 3 // 4) if len(name) > most * width else name):
        piece = middle(part, width)
        if len((found[-1] + piece).rstrip()) <= width:
            found[-1] += piece
        else:
            found.append(piece)
    return [line.rstrip() for line in found if line.strip()][: most + 1] or [name]
