"""How the images of a search are divided."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from efficiency360.errors import InputError
from efficiency360.search.constraints import Training
from efficiency360.search.data import open_images

if TYPE_CHECKING:
    from pathlib import Path

N, RUN = 240, 6


def folder(path: Path, run: list[int], split: list[str] | None = None) -> str:
    """N images; every fourth run has defects, on half of its images."""
    rng, rows = np.random.default_rng(0), []
    for index in range(N):
        Image.fromarray(rng.integers(0, 255, (4, 4), dtype=np.uint8)).save(path / f"{index:03}.png")
        bad = run[index] % 4 == 0 and index % 2 == 0
        row = {"file_name": f"{index:03}.png", "label": "bad" if bad else "good", "run": f"r{run[index]}"}
        rows.append(row | ({"split": split[index]} if split else {}))
    with (path / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return str(path)


def runs_of(images, which):
    column = images.data.columns["run"]
    return {column[at] for at in np.flatnonzero(images.part == which)}


def test_what_shares_a_value_is_in_one_part_and_each_kind_of_group_keeps_its_share(tmp_path):
    source = folder(tmp_path, [index // RUN for index in range(N)])
    alone = open_images(source, Training(), channels=1)
    assert runs_of(alone, 0) & runs_of(alone, 1)  # drawn by image, runs are parted
    images = open_images(source, Training(keep_together=("run",)), channels=1)
    parts = [runs_of(images, which) for which in range(3)]
    assert sum(map(len, parts)) == N // RUN
    assert images.counts == (144, 48, 48)
    faulty = [sum(int(name[1:]) % 4 == 0 for name in part) for part in parts]
    assert faulty == [6, 2, 2]


def test_columns_whose_names_say_so_are_kept_together_unless_the_file_says_otherwise(tmp_path):
    source = folder(tmp_path, [index // RUN for index in range(N)])
    table = tmp_path / "metadata.csv"
    table.write_text(table.read_text().replace("run", "Patient_ID", 1))
    assert open_images(source, Training(), channels=1).together == ("Patient_ID",)
    assert open_images(source, Training(keep_together=()), channels=1).together == ()


def test_a_column_that_is_not_there_is_told_with_the_nearest(tmp_path):
    source = folder(tmp_path, [index // RUN for index in range(N)])
    with pytest.raises(InputError, match=r"keep_together: the data has no column 'runs'; did you mean 'run'\?"):
        open_images(source, Training(keep_together=("runs",)), channels=1)


def test_a_split_that_parts_a_group_is_refused_and_one_that_does_not_is_taken(tmp_path):
    run = [index // RUN for index in range(N)]
    source = folder(tmp_path, run, ["test" if index >= 180 else "train" for index in range(N)])
    images = open_images(source, Training(keep_together=("run",)), channels=1)
    assert runs_of(images, 2) == {f"r{number}" for number in range(30, 40)}
    assert not runs_of(images, 0) & runs_of(images, 1)
    table = tmp_path / "metadata.csv"
    table.write_text(table.read_text().replace("200.png,good,r33,test", "200.png,good,r33,train"))
    with pytest.raises(InputError, match=r"'split' parts what training\.keep_together keeps together, 1 times \(200"):
        open_images(source, Training(keep_together=("run",)), channels=1)
    assert open_images(source, Training(), channels=1).counts[2] == 59
