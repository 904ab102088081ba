"""Radii of attacks as people write and read them: `4/255` is a step of four of the 255 that a byte has."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EPS = "eps"
"""The param that is the radius of an attack."""
DIGITS = 6
"""Decimals of a radius in a scorecard's params, which rules are matched with."""
_FRACTION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)\s*")
_LEVELS = 255
_ROUNDED, _PLAIN = 2e-4, 1e-9
"""Scorecards round radii to six decimals; a radius of at most three is not one of 255ths."""


def radius(value: object) -> object:
    """Text such as "4/255" as a number; all else as it is.

    Raises:
        ValueError: text that is no fraction.
    """
    if not isinstance(value, str):
        return value
    found = _FRACTION.fullmatch(value)
    if found is None or float(found[2]) == 0:
        raise ValueError(f"'{value}' is no radius; give a number such as 0.0157, or '4/255'")
    return float(found[1]) / float(found[2])


def levels(eps: float) -> int | None:
    """The n of a radius that is n/255, as rounded as scorecards have it; None for one that is short in decimals."""
    if not 0 < eps <= 1:
        return None
    found = round(eps * _LEVELS)
    near = abs(eps * _LEVELS - found) <= _ROUNDED and found > 0
    return found if near and abs(eps - round(eps, 3)) > _PLAIN else None


def told(eps: object) -> str:
    """A radius as a reader wants it: `4/255` where it is one, else its digits."""
    if isinstance(eps, int | float) and not isinstance(eps, bool) and math.isfinite(eps):
        steps = levels(float(eps))
        return f"{steps}/{_LEVELS}" if steps else f"{eps:g}"
    return str(eps)


def listed(params: Mapping[str, object]) -> str:
    """Params as `class=cat, k=1`; radii of attacks as `eps=4/255` where they are that."""
    return ", ".join(f"{key}={told(value) if key == EPS else value}" for key, value in sorted(params.items()))
