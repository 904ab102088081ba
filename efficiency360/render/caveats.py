"""Caveats of several models on one page: each once, with the names of those that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.render.axis_views import sort_caveats

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.records import Caveat, Scorecard

_SHOWN = 3
Shared = tuple[tuple["Caveat", tuple[str, ...]], ...]
"""Caveats with the names of the models that they are about."""


def warnings(card: Scorecard) -> tuple[Caveat, ...]:
    """What a reader must know before trusting a scorecard's numbers; mere remarks are left to the report."""
    records = (card.subject, *((card.dataset,) if card.dataset else ()), *card.axes)
    found = (caveat for record in records for caveat in record.caveats if caveat.severity != "info")
    return tuple(dict.fromkeys(found))


def shared(caveats: Iterable[tuple[str, Iterable[Caveat]]]) -> Shared:
    """Caveats of several models, given with their names: each once, the critical first, with all whom it is about."""
    about: dict[Caveat, list[str]] = {}
    for name, found in caveats:
        for caveat in found:
            about.setdefault(caveat, []).append(name)
    return tuple((caveat, tuple(about[caveat])) for caveat in sort_caveats(about))


def standing_open(caveats: Shared) -> int:
    """How many of them are shown at once: all that are critical, or a few."""
    return max(_SHOWN, sum(caveat.severity == "critical" for caveat, _ in caveats))
