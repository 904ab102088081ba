"""Train and probe every architecture of a small closed space once, for benchmarks/search.py to replay.

One line of JSON a model, written as soon as it is there; the same command goes on where it was stopped. On digits of
8 x 8 pixels a model takes one to three seconds of one core, so 256 of them take about ten minutes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from efficiency360.search.analytic import cost_of
from efficiency360.search.constraints import parse_constraints
from efficiency360.search.data import open_images
from efficiency360.search.latency import measure
from efficiency360.search.proxies import proxies
from efficiency360.search.space import SearchSpace, key_of
from efficiency360.search.training import train

if TYPE_CHECKING:
    from efficiency360.search.constraints import Constraints
    from efficiency360.search.space import Genome

TABLE = Path(__file__).parent / "search" / "digits.jsonl"
DATA = "digits-train"
EPOCHS = 6
_STRETCHES, _SECONDS = 6, 0.02


def closed() -> Constraints:
    """The space of the table: two stages of attention in units or among all, 256 models."""
    content = {
        "channels": 1,
        "require": {"unit_attention_stages": 1},
        "training": {"epochs": EPOCHS, "rungs": 1, "batch": 32, "rate": 5e-3, "smoothing": 0.0, "flip": False},
        "space": {
            "size": [8],
            "patch": [2],
            "unit": [2],
            "head_width": [8],
            "stages": [2],
            "depth": [1, 2],
            "width": [8, 12, 16, 32],
            "mlp_ratio": [2],
        },
    }
    return parse_constraints(content, "the benchmark's space")


def genomes(space: SearchSpace) -> list[Genome]:
    """All different models of a space, in an order that does not follow their genes."""
    every = (
        space.completed(dict(zip(space.free, values, strict=True)))
        for values in itertools.product(*space.free.values())
    )
    found = list({key_of(genome): genome for genome in every}.values())
    return [found[index] for index in np.random.default_rng(0).permutation(len(found))]


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a table by genome; a last line that is not whole is left out."""
    rows: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[key_of(row["genome"])] = row
    return rows


def fill(path: Path) -> None:
    """Train and probe what is not in the table yet."""
    torch.set_num_threads(1)
    constraints = closed()
    images = open_images(DATA, constraints.training, channels=constraints.channels)
    space = SearchSpace(constraints, len(images.classes))
    rows, every = read(path), genomes(space)
    pace = space.spec(min(every, key=lambda genome: cost_of(space.spec(genome)).macs))
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for done, genome in enumerate(every, start=1):
            if key_of(genome) in rows:
                continue
            spec = space.spec(genome)
            data, cost = images.at(spec.size[0]), cost_of(spec)
            timed = measure([spec], pace, threads=1, seconds=_SECONDS, stretches=_STRETCHES)[0]
            trained = train(spec, data, constraints.training, EPOCHS)
            row = {
                "genome": genome,
                "right": int(trained.right.sum()),
                "n": int(trained.n.sum()),
                "relative": round(timed.relative, 5),
                "p50_ms": round(timed.p50_ms, 5),
                "macs": cost.macs,
                "params": cost.params,
                "memory_bytes": cost.memory_bytes,
                "proxies": {name: round(value, 6) for name, value in proxies(spec, data).items()},
                "seconds": round(trained.seconds, 2),
            }
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
            print(f"{done}/{len(every)} {row['right']}/{row['n']} {timed.relative:.3f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fill the table that benchmarks/search.py replays.")
    parser.add_argument("--table", type=Path, default=TABLE, help=f"default: {TABLE.name}, beside this file")
    fill(parser.parse_args().table)
