"""A whole search, from a constraints file to its result."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficiency360.engine.host import Host
from efficiency360.errors import InputError
from efficiency360.search.data import open_images
from efficiency360.search.finish import Asked, finish
from efficiency360.search.journal import locked
from efficiency360.search.optuna_draws import optuna
from efficiency360.search.run import Search
from efficiency360.search.space import SearchSpace
from efficiency360.search.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from efficiency360.search.constraints import Constraints
    from efficiency360.search.run import Reporter
    from efficiency360.search.strategies import Name
    from efficiency360.searched import Searched

_JOULES = ("package_j", "gpu_j")


@dataclass(frozen=True)
class Wishes:
    """How to search: for how many seconds, or until so many candidates; who proposes; the seed; processor threads."""

    seconds: float
    most: int | None = None
    strategy: Name = "inquisitor"
    seed: int = 0
    threads: int | None = None


def search(constraints: Constraints, data: str, out: Path, wishes: Wishes, reporter: Reporter) -> Searched:
    """Search, or go on with the search in `out`, and write `search.json` and the front's models there.

    Raises:
        InputError: Optuna is missing, the data or the limits do not allow it, `out` holds another search, or cannot be
            written.
    """
    optuna()
    threads = wishes.threads or os.cpu_count() or 1
    images = open_images(data, constraints.training, channels=constraints.channels, threads=threads)
    space = SearchSpace(constraints, len(images.classes))
    if not space.free:
        raise InputError("space: every key leaves one choice, so there is nothing to search; add choices")
    identity = {
        "constraints": constraints.identity,
        "data": images.identity,
        "strategy": wishes.strategy,
        "seed": wishes.seed,
    }
    host, began = Host(), time.monotonic()
    before = host.read(os.getpid())
    with Store(out, space, identity) as store:

        def spent() -> None:
            store.spent(time.monotonic() - began, _joules(before, host.read(os.getpid())))

        try:
            run = Search(space, images, store, wishes.strategy, wishes.seed, threads, reporter, spent)
            run.run(wishes.seconds, wishes.most)
        finally:
            spent()
        with locked(out / "finish.lock"):
            return finish(space, images, store, Asked(wishes.strategy, data, host.energy_missing), reporter)


def _joules(before: dict[str, float], after: dict[str, float]) -> float | None:
    """What the meters counted in between, of the whole machine; None where there is none."""
    known = [name for name in _JOULES if name in before and name in after]
    return sum(after[name] - before[name] for name in known) if known else None
