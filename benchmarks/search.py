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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from search_table import TABLE, closed, read

from efficiency360.search.score import Seen, hypervolume, score_of
from efficiency360.search.space import SearchSpace, key_of
from efficiency360.search.strategies import NAMES, make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from efficiency360.search.space import Genome
    from efficiency360.search.strategies import Name

SPENT = (10, 20, 40)
MEASURES = {
    "hypervolume": "hypervolume of accuracy against log latency, share of the table's",
    "netscore": "best NetScore less the table's best, dB",
}
OTHERS = {
    "unguided": "the generator without feedback",
    "evolution": "regularised evolution",
    "random": "random search",
}
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


def replay(name: Name, space: SearchSpace, table: Mapping[str, Seen], seed: int, spend: int) -> list[Seen]:
    """What a strategy trains, in order."""

    def probe(genome: Genome) -> dict[str, float]:
        return dict(table[key_of(genome)].proxies)

    epochs = space.constraints.training.schedule[-1]
    strategy = make(name, space, seed, probe=probe, epochs=epochs)
    seen: list[Seen] = []
    while len(seen) < spend and (proposal := strategy.propose(seen)):
        seen.append(table[key_of(proposal.genome)])
    return seen


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


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """A mean over seeds with its bootstrap interval."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return round(float(values.mean()), 4), round(float(low), 4), round(float(high), 4)


def told(found: tuple[float, float, float]) -> str:
    """An interval in figures."""
    mean, low, high = found
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def summary(found: Mapping[str, NDArray[np.float64]], models: int) -> dict[str, Any]:
    """All intervals by measure, strategy and number of trained models; `gain` is of ours over another."""
    seeds = len(next(iter(found.values())))
    kept: dict[str, Any] = {"models": models, "seeds": seeds, "spent": list(SPENT)}
    for which, measure in enumerate(MEASURES):
        columns = {name: values[:, :, which] for name, values in found.items()}
        kept[measure] = {name: [interval(column) for column in values.T] for name, values in columns.items()}
        kept[f"{measure}_gain"] = {
            other: [interval(column) for column in (columns["inquisitor"] - columns[other]).T] for other in OTHERS
        }
    return kept


def show(kept: Mapping[str, Any]) -> None:
    """Print it, and say plainly what ours is above."""
    for measure, title in MEASURES.items():
        print(title)
        for name, values in kept[measure].items():
            print(f"  {name:11s} " + "  ".join(f"{n}: {told(one)}" for n, one in zip(SPENT, values, strict=True)))
        for other, gains in kept[f"{measure}_gain"].items():
            for n, (mean, low, high) in zip(SPENT, gains, strict=True):
                answer = "above" if low > 0 else "BELOW" if high < 0 else "NOT distinguishable from"
                print(f"  after {n} ours is {answer} {OTHERS[other]}: {told((mean, low, high))}")


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
        runs = [replay(name, space, table, seed, max(SPENT)) for seed in range(options.seeds)]
        found[name] = np.array([[measured(seen[:spent], space, table) for spent in SPENT] for seen in runs])
        print(f"  {name} replayed", flush=True)
    kept = summary(found, len(table))
    show(kept)
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
