"""Divide photographs of tiles for training, choosing and judging, so that no tile is in two parts.

Every tile was photographed under several exposures one right after the other, and the names of the files count frames:
`Crack_exp4_num_3234.jpg`. Photographs less than GAP frames apart are therefore of one tile, or of neighbours, and stay
together. Which part a run goes to is drawn with a seed, for good runs and for those with a defect apart.

Written are two folders with metadata.csv (the columns of the data, and `run`): OUT/learn, whose column `split` tells
the images to train on from those of the validation part, and OUT/unseen, for the audit.
Run: python examples/tile_inspector/split.py DATA OUT
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = 150
SHARES = {"unseen": 0.3, "validation": 0.15}  # the rest is for training
_FRAME = re.compile(r"_num_(\d+)\.\w+$")

Row = dict[str, str]


def frame(row: Row) -> int:
    """The number of the frame in the name of a file; SystemExit where it has none."""
    if not (found := _FRAME.search(row["file_name"])):
        raise SystemExit(f"split.py: {row['file_name']} does not end in _num_FRAME.jpg; runs cannot be told")
    return int(found[1])


def runs(rows: Sequence[Row], gap: int = GAP) -> list[list[Row]]:
    """Rows in runs: between two of one run there is always another at most `gap` frames away."""
    found: list[list[Row]] = []
    for row in sorted(rows, key=frame):
        if not found or frame(row) - frame(found[-1][-1]) > gap:
            found.append([])
        found[-1].append(row)
    return found


def divided(rows: Sequence[Row], seed: int = 0) -> dict[str, list[Row]]:
    """The rows of each part, `train`, `validation` and `unseen`, each row with its `run`."""
    chance = np.random.default_rng(seed)
    parts: dict[str, list[Row]] = {"train": [], **{name: [] for name in SHARES}}
    kinds: dict[bool, list[list[Row]]] = {True: [], False: []}
    for run in runs(rows):
        kinds[any(row["label"] == "defective" for row in run)].append(run)
    for found in kinds.values():
        order = [found[at] for at in chance.permutation(len(found))]
        for name, share in SHARES.items():
            count = round(share * len(found))
            _add(parts[name], order[:count])
            order = order[count:]
        _add(parts["train"], order)
    return parts


def _add(part: list[Row], found: Sequence[Sequence[Row]]) -> None:
    part.extend({**row, "run": str(frame(run[0]))} for run in found for row in run)


def write(rows: Sequence[Row], source: Path, folder: Path) -> None:
    """Copy the images of `rows` to a new folder, with their table."""
    for row in rows:
        target = folder / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / row["file_name"], target)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Divide, write, and say how many of what are where."""
    parser = argparse.ArgumentParser(description="Divide photographs of tiles so that no tile is in two parts.")
    parser.add_argument("data", type=Path, help="folder with images and metadata.csv (file_name, label, ...)")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--seed", type=int, default=0, help="of what goes where (default: 0)")
    options = parser.parse_args(arguments)
    if options.out.exists():
        parser.error(f"{options.out} is there already; give another folder, or remove it")
    try:
        with (options.data / "metadata.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    parts = divided(rows, options.seed)
    learn = [*parts["train"], *parts["validation"]]
    names = ["train"] * len(parts["train"]) + ["test"] * len(parts["validation"])  # the words of train.py
    marked = [{**row, "split": name} for row, name in zip(learn, names, strict=True)]
    write(marked, options.data, options.out / "learn")
    write(parts["unseen"], options.data, options.out / "unseen")
    for name, part in parts.items():
        bad = sum(row["label"] == "defective" for row in part)
        print(f"{name:10} {len({row['run'] for row in part}):3} runs {len(part):5} images, {bad} of them defective")


if __name__ == "__main__":
    main()
