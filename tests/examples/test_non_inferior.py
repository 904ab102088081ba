"""What the comparison with FasterViT-0 concludes from two models' answers on tiles."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

RUNS, EACH = 200, 3


@pytest.fixture
def compared(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "examples" / "tile_inspector"))
    return importlib.import_module("non_inferior").compared


@pytest.fixture
def tiles():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(RUNS), EACH)
    return (np.arange(RUNS) % 4 == 0).astype(np.int64)[groups], groups, rng


def numbers(said):
    return [float(found) for found in re.findall(r"[+-]\d+\.\d", said)]


def test_the_difference_is_that_of_balanced_accuracy(compared, tiles):
    labels, groups, rng = tiles
    ours, theirs = (rng.random(len(labels)) < share for share in (0.85, 0.7))
    value, low, high = numbers(compared(ours, theirs, labels, groups))
    expected = [balanced_accuracy_score(labels, np.where(hits, labels, 1 - labels)) for hits in (ours, theirs)]
    assert value == pytest.approx(100 * (expected[0] - expected[1]), abs=0.05)
    assert low < value < high


@pytest.mark.parametrize(
    ("shares", "said"),
    [((0.95, 0.7), "non-inferior"), ((0.7, 0.95), "inferior"), ((0.8, 0.8), "not decided")],
)
def test_what_follows(compared, tiles, shares, said):
    labels, groups, rng = tiles
    ours, theirs = (rng.random(len(labels)) < share for share in shares)
    assert compared(ours, theirs, labels, groups).endswith(f", {said}")


def test_tiles_vary_not_photographs(compared, tiles):
    labels, groups, rng = tiles
    ours, theirs = (np.repeat(rng.random(RUNS) < share, EACH) for share in (0.9, 0.7))
    (_, low, high), (_, low_each, high_each) = (
        numbers(compared(ours, theirs, labels, drawn)) for drawn in (groups, np.arange(len(labels)))
    )
    assert (high - low) / (high_each - low_each) == pytest.approx(np.sqrt(EACH), rel=0.2)
