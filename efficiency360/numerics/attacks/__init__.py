"""Adversarial attacks: which samples fall inside a ball, each proof checked before it counts; torch loads on use."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any

from efficiency360.numerics.attacks.spec import PRESETS, Spec, needs_gradients, specs_of

if TYPE_CHECKING:
    from efficiency360.numerics.attacks.ball import Ball
    from efficiency360.numerics.attacks.folded import stand_in
    from efficiency360.numerics.attacks.frozen import without_parameter_gradients
    from efficiency360.numerics.attacks.outcome import Outcome, Tally
    from efficiency360.numerics.attacks.run import attack, sweep

__all__ = [
    "PRESETS",
    "Ball",
    "Outcome",
    "Spec",
    "Tally",
    "attack",
    "needs_gradients",
    "specs_of",
    "stand_in",
    "sweep",
    "without_parameter_gradients",
]

_LATER = {
    "Ball": "ball",
    "Outcome": "outcome",
    "Tally": "outcome",
    "attack": "run",
    "stand_in": "folded",
    "sweep": "run",
    "without_parameter_gradients": "frozen",
}


def __getattr__(name: str) -> Any:
    """What needs torch, imported when it is asked for: names and presets are also read where there is no torch."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return pkgutil.resolve_name(f"{__name__}.{_LATER[name]}:{name}")
