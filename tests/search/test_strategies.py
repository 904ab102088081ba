from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from efficiency360.search.score import feasible
from efficiency360.search.space import key_of
from efficiency360.search.strategies import NAMES, make

pytest.importorskip("optuna", reason="pip install efficiency360[search]")


def outcome(space, seen, genome):
    """A world in which width pays and depth costs."""
    one = seen(space, genome)
    ms = 0.2 + one.macs / 1e5
    return seen(
        space,
        genome,
        latency_ms=ms,
        p95_ms=1.2 * ms,
        accuracy=0.3 + 0.02 * genome["width_1"],
        rungs={2: 0.3 + 0.02 * genome["width_1"]},
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_strategy_never_proposes_the_same_twice_and_is_the_same_for_a_seed(name, space, seen):
    def course():
        strategy, found = make(name, space, 5, epochs=2), []
        for _ in range(14):
            found.append(outcome(space, seen, strategy.propose(found).genome))
        return [one.key for one in found]

    first = course()
    assert len(set(first)) == len(first)
    assert first == course()


def test_ours_proposes_what_keeps_the_ceilings(made, seen):
    space = made({"params": 2000})
    strategy, found = make("inquisitor", space, 1, epochs=2), []
    for _ in range(12):
        genome = strategy.propose(found).genome
        found.append(outcome(space, seen, genome))
    assert all(feasible(one, space.constraints.limits) for one in found)
    rng = np.random.default_rng(0)
    assert not all(feasible(seen(space, space.random(rng)), space.constraints.limits) for _ in range(30))


def test_the_replay_of_the_kept_table_finds_ours_above_random(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    found = importlib.util.spec_from_file_location("search_replay", root / "benchmarks" / "search.py")
    replay = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, "search_replay", replay)
    found.loader.exec_module(replay)
    from search_table import TABLE, closed, read  # noqa: PLC0415 - beside the benchmark

    from efficiency360.search.space import SearchSpace  # noqa: PLC0415

    space = SearchSpace(closed(), 10)
    table = replay.rows_of(read(TABLE), 6)
    assert len(table) >= 200
    scores = {
        name: [replay.measured(replay.replay(name, space, table, seed, 16), space, table)[1] for seed in range(6)]
        for name in ("inquisitor", "random")
    }
    assert np.mean(scores["inquisitor"]) > np.mean(scores["random"])
    assert all(key_of(one.genome) == key for key, one in table.items())
