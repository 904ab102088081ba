"""How much a search may take: a profile sets the time, and makes training short where the time is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.errors import InputError
from efficiency360.spec import suggest
from efficiency360.words import one_line

if TYPE_CHECKING:
    from efficiency360.search.constraints import Constraints


@dataclass(frozen=True)
class Profile:
    """Seconds of the whole search, and the most epochs that a candidate is trained for."""

    seconds: float
    epochs: int | None

    def applied(self, constraints: Constraints) -> Constraints:
        """The constraints with training no longer than that."""
        training = constraints.training
        if self.epochs is None or training.epochs <= self.epochs:
            return constraints
        return constraints.model_copy(update={"training": training.model_copy(update={"epochs": self.epochs})})


PROFILES = {
    "light": Profile(seconds=12 * 60, epochs=27),
    "standard": Profile(seconds=2 * 3600, epochs=None),
    "thorough": Profile(seconds=12 * 3600, epochs=None),
}


def profile(name: str) -> Profile:
    """A profile by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PROFILES:
        raise InputError(f"--profile {one_line(name)}: no such profile{suggest(name, PROFILES)}")
    return PROFILES[name]
