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
    """An item: what it asks, the measurements that answer it, those that are missing, and the rules that judge them."""

    id: str
    asks: str
    state: State
    measured: tuple[str, ...]
    missing: tuple[str, ...]
    rules: tuple[str, ...]


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
    results = [one for one in card.verdict.rules if one.measurement in there.intersection(wanted)]
    broken = any(one.outcome == "fail" and not (one.waiver and one.waiver.active) for one in results)
    measured = tuple(name for name in wanted if name in there)
    missing = tuple(name for name in wanted if name not in there)
    state: State = "failed" if broken else "open" if not measured else "partly" if missing else "covered"
    return Item(item["id"], item["asks"], state, measured, missing, tuple(dict.fromkeys(one.rule for one in results)))
