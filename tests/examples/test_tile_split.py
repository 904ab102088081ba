"""Photographs of one tile stay in one part, whatever their exposure or label."""

from __future__ import annotations

import csv
import runpy

import pytest

from efficiency360.dataset import open_dataset


@pytest.fixture
def script(root):
    return runpy.run_path(str(root / "examples" / "tile_inspector" / "split.py"))


@pytest.fixture
def tiles(tmp_path):
    """40 tiles 1,000 frames apart, of six exposures 20 frames apart; every fourth has a defect in half of its crops."""
    rows = [
        (f"images/{'Crack' if bad else 'Free'}_exp{shot + 1}_num_{1000 * tile + 20 * shot}.jpg", bad, f"exp{shot + 1}")
        for tile in range(40)
        for shot in range(6)
        for bad in [tile % 4 == 0 and shot % 2 == 0]
    ]
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "label", "exposure"])
        table.writerows([name, "defective" if bad else "ok", exposure] for name, bad, exposure in rows)
    for name, _, _ in rows:
        (folder / name).write_bytes(name.encode())
    return folder


def test_no_tile_is_in_two_parts_and_every_part_has_tiles_with_defects(script, tiles, tmp_path, capsys):
    script["main"]([str(tiles), str(tmp_path / "out")])
    learn, unseen = (open_dataset(tmp_path / "out" / name) for name in ("learn", "unseen"))
    parts = {
        "unseen": [(name, "defective" in label) for name, label in zip(unseen.files, unseen.labels.values, strict=True)]
    }
    for name, label, part in zip(learn.files, learn.labels.values, learn.columns["split"], strict=True):
        parts.setdefault(part, []).append((name, "defective" in label))
    tile_of = {part: {int(name.rpartition("_")[2][:-4]) // 1000 for name, _ in rows} for part, rows in parts.items()}
    assert sorted(tile for found in tile_of.values() for tile in found) == list(range(40))
    assert {part: len(rows) for part, rows in parts.items()} == {"unseen": 72, "train": 132, "test": 36}
    assert {part: sum(bad for _, bad in rows) for part, rows in parts.items()} == {"unseen": 9, "train": 15, "test": 6}
    assert all((tmp_path / "out" / "unseen" / name).read_bytes() == name.encode() for name in unseen.files)
    assert "unseen" in capsys.readouterr().out


def test_frames_of_interleaved_tiles_are_one_run(script):
    rows = [{"file_name": f"Free_exp1_num_{frame}.jpg", "label": "ok"} for frame in (900, 100, 249, 399, 550)]
    assert [[script["frame"](row) for row in run] for run in script["runs"](rows)] == [[100, 249, 399], [550], [900]]


def test_another_seed_divides_otherwise_and_the_same_alike(script, tiles):
    with (tiles / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first, again, other = (script["divided"](rows, seed) for seed in (0, 0, 1))
    assert first == again
    assert first["unseen"] != other["unseen"]


def test_what_is_not_possible_is_told(script, tiles, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        script["main"]([str(tiles), str(tiles)])
    assert "is there already" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        script["main"]([str(tmp_path / "none"), str(tmp_path / "out")])
    assert "No such file" in capsys.readouterr().err
    (tiles / "metadata.csv").write_text("file_name,label\nimages/a.jpg,ok\n")
    with pytest.raises(SystemExit, match=r"images/a.jpg does not end in _num_FRAME"):
        script["main"]([str(tiles), str(tmp_path / "out")])
