"""Which items of frameworks for governance an audit answers: covered, failed or not; a view of `governance.toml`.

An item is failed where a rule that is not waived fails on one of its measurements, covered where all of them were
measured, partly covered where some were. That a number is there says nothing of whether it is good enough: only a rule
does.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from efficiency360.records import AxisRecord, Scorecard

State = Literal["failed", "covered", "partly", "open"]


@dataclass(frozen=True)
class Item:
    """An item: what it asks, the measurements that answer it, those that are missing, and the rules that judge them.

    `ungrouped` are those that were measured on groups by properties of the images at most: no groups were given.
    """

    id: str
    asks: str
    state: State
    measured: tuple[str, ...]
    missing: tuple[str, ...]
    rules: tuple[str, ...]
    ungrouped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Framework:
    """A framework with its items in its own order."""

    name: str
    items: tuple[Item, ...]

    def count(self, state: State) -> int:
        """How many items are in this state."""
        return sum(item.state == state for item in self.items)


def governance(card: Scorecard) -> tuple[Framework, ...]:
    """All frameworks, seen from a scorecard."""
    return tuple(
        Framework(str(one["name"]), tuple(_item(card, item) for item in one["items"])) for one in _frameworks()
    )


@cache
def _frameworks() -> tuple[dict[str, Any], ...]:
    text = files("efficiency360.render").joinpath("governance.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["frameworks"])


def _of_people(axis: AxisRecord) -> bool:
    """Groups by properties of the images say nothing about people, which is what the items ask about."""
    return all(caveat.id != "fairness.no_groups" for caveat in axis.caveats)


def _item(card: Scorecard, item: dict[str, Any]) -> Item:
    wanted = tuple(item["measurements"])
    there = {one.name for axis in card.axes if _of_people(axis) for one in axis.measurements}
    without = {axis.id for axis in card.axes if not _of_people(axis)}
    results = [one for one in card.verdict.rules if one.measurement in there.intersection(wanted)]
    broken = any(one.outcome == "fail" and not (one.waiver and one.waiver.active) for one in results)
    measured = tuple(name for name in wanted if name in there)
    lacking = tuple(name for name in wanted if name not in there)
    ungrouped = tuple(name for name in lacking if name.partition(".")[0] in without)
    state: State = "failed" if broken else "open" if not measured else "partly" if lacking else "covered"
    return Item(
        id=item["id"],
        asks=item["asks"],
        state=state,
        measured=measured,
        missing=tuple(name for name in lacking if name not in ungrouped),
        rules=tuple(dict.fromkeys(one.rule for one in results)),
        ungrouped=ungrouped,
    )
