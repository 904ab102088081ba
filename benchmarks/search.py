"""Replay search strategies on a table of trained models: front and NetScore at equal numbers of trained models.

The table (benchmarks/search/digits.jsonl, made by benchmarks/search_table.py) holds the accuracy, the latency and the
zero-cost proxies of every model of a small space, so a strategy runs in milliseconds, and hundreds of seeds tell luck
from skill. All see only what they have paid for by training; probes are free, as they nearly are (a tenth of a second).

Printed: the hypervolume of accuracy against log latency, the share of the whole table's, and the best NetScore as a
distance to the table's best, each a mean over seeds with a 95 % bootstrap interval, and differences to random search.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from search_table import TABLE, closed, read

from efficiency360.search.score import Seen, hypervolume, score_of
from efficiency360.search.space import SearchSpace
from efficiency360.search.strategies import NAMES, make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.search.space import Genome

SPENT = (10, 20, 40)
_RESAMPLES = 2000
_CLASSES = 10


def rows_of(table: Mapping[str, Mapping[str, Any]], epochs: int) -> dict[str, Seen]:
    """The table as candidates that are trained; latency in units of the pacemaker's."""
    return {
        key: Seen(
            genome=row["genome"],
            key=key,
            macs=row["macs"],
            params=row["params"],
            memory_bytes=row["memory_bytes"],
            latency_ms=row["relative"],
            accuracy=row["right"] / row["n"],
            rungs={epochs: row["right"] / row["n"]},
            proxies=row["proxies"],
        )
        for key, row in table.items()
    }


def replay(name: str, space: SearchSpace, table: Mapping[str, Seen], seed: int, spend: int) -> list[Seen]:
    """What a strategy trains, in order."""

    def probe(genome: Genome) -> dict[str, float]:
        return dict(table[_key(genome)].proxies)

    epochs = space.constraints.training.schedule[-1]
    strategy = make(name, space, seed, probe=probe, epochs=epochs)  # type: ignore[arg-type] # a name of NAMES
    seen: list[Seen] = []
    while len(seen) < spend and (proposal := strategy.propose(seen)):
        seen.append(table[_key(proposal.genome)])
    return seen


def _key(genome: Genome) -> str:
    from efficiency360.search.space import key_of  # noqa: PLC0415 - next to its only use

    return key_of(genome)


def measured(seen: Sequence[Seen], space: SearchSpace, table: Mapping[str, Seen]) -> tuple[float, float]:
    """The hypervolume as a share of the table's, and the best NetScore less the table's best."""
    times = [one.latency_ms or 1.0 for one in table.values()]
    worst, span = (min(one.accuracy or 0.0 for one in table.values()), max(times)), min(times)
    volume, whole = (
        hypervolume([(one.accuracy or 0.0, one.latency_ms or 1.0) for one in some], worst, span)
        for some in (seen, table.values())
    )
    weights = space.constraints.netscore
    best, most = (max(score_of(one, weights) for one in some) for some in (seen, table.values()))
    return volume / whole, best - most


def interval(values: NDArray[np.float64]) -> str:
    """A mean with its bootstrap interval."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def main() -> None:
    """Replay, print, and keep the numbers as JSON where asked."""
    parser = argparse.ArgumentParser(description="Replay search strategies on a table of trained models.")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    constraints = closed()
    space = SearchSpace(constraints, _CLASSES)
    table = rows_of(read(options.table), constraints.training.schedule[-1])
    print(f"{len(table)} models, {options.seeds} seeds")
    found: dict[str, NDArray[np.float64]] = {}
    for name in NAMES:
        every = []
        for seed in range(options.seeds):
            seen = replay(name, space, table, seed, max(SPENT))
            every.append([measured(seen[:spent], space, table) for spent in SPENT])
        found[name] = np.array(every)
        print(f"  {name} replayed", flush=True)
    kept: dict[str, Any] = {"models": len(table), "seeds": options.seeds, "spent": SPENT, "strategies": {}}
    for which, title in enumerate(("hypervolume, share of the table's", "NetScore below the table's best, dB")):
        print(title)
        for at, spent in enumerate(SPENT):
            for name, values in found.items():
                mean, gain = values[:, at, which], values[:, at, which] - found["random"][:, at, which]
                against = "" if name == "random" else f"   above random {interval(gain)}"
                print(f"  {spent:3d} trained  {name:11s} {interval(mean)}{against}")
                kept["strategies"].setdefault(name, {}).setdefault(title, []).append([interval(mean), interval(gain)])
    verdict(found)
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def verdict(found: Mapping[str, NDArray[np.float64]]) -> None:
    """Say plainly whether ours is above random, and whether the inquisitor helps."""
    for other, what in (("random", "random search"), ("evolution", "regularised evolution"), ("unguided", "itself without feedback")):
        for at, spent in enumerate(SPENT):
            gain = found["inquisitor"][:, at, 0] - found[other][:, at, 0]
            rng = np.random.default_rng(0)
            means = gain[rng.integers(len(gain), size=(_RESAMPLES, len(gain)))].mean(axis=1)
            low, high = np.quantile(means, (0.025, 0.975))
            answer = "is above" if low > 0 else "is BELOW" if high < 0 else "is NOT distinguishable from"
            print(f"hypervolume after {spent}: ours {answer} {what}")


if __name__ == "__main__":
    main()
