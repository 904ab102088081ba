"""Samples come back from disk as they were, and make the number that they are the samples of."""

from __future__ import annotations

import io

import numpy as np
import pytest

from efficiency360.samples import Sample, from_bytes, to_bytes
from efficiency360.statistics.timing import quantile

RNG = np.random.default_rng(0)
RIGHT = (RNG.random(50) < 0.7).astype(float)
GROUPS = np.arange(50) % 3
MS = RNG.exponential(1.0, 40)
SAMPLES = (
    Sample("accuracy.top1", {}, "mean", RIGHT, np.arange(50)),
    Sample("accuracy.per_class", {"class": "犬"}, "mean", RIGHT[:7], np.arange(7) + 9),
    Sample("accuracy.balanced", {}, "group mean", RIGHT, np.arange(50), GROUPS),
    Sample("fairness.accuracy_gap", {"attribute": "age"}, "group gap", RIGHT, np.arange(50), GROUPS),
    Sample("fairness.worst_group_accuracy", {"attribute": "age"}, "group low", RIGHT, np.arange(50), GROUPS),
    Sample("fairness.odds", {"attribute": "age"}, "larger group gap", RIGHT, np.arange(50), np.arange(50) % 6),
    Sample("speed.latency_ms", {"batch": 1, "stat": "p50"}, "median of stretches", MS, np.arange(40) // 10, None, 0.05),
)


def same(one, other):
    return (one.name, one.params, one.how, one.drift) == (other.name, other.params, other.how, other.drift) and all(
        np.array_equal(a, b)
        for a, b in [(one.values, other.values), (one.of, other.of), (one.groups, other.groups)]
        if a is not None or b is not None
    )


def test_they_come_back_as_they_were_and_the_same_bytes_come_from_the_same_samples():
    data = to_bytes(SAMPLES)
    assert all(same(one, other) for one, other in zip(from_bytes(data), SAMPLES, strict=True))
    assert to_bytes(from_bytes(data)) == data
    assert from_bytes(to_bytes([])) == ()


def test_they_make_their_number():
    means = [RIGHT[group == GROUPS].mean() for group in range(3)]
    of_six = [RIGHT[np.arange(50) % 6 == group].mean() for group in range(6)]
    larger = max(np.ptp(of_six[::2]), np.ptp(of_six[1::2]))
    gap = max(means) - min(means)
    expected = [RIGHT.mean(), RIGHT[:7].mean(), np.mean(means), gap, min(means), larger, quantile(MS, 0.5)]
    assert [one.value for one in SAMPLES] == pytest.approx(expected)


def test_the_lowest_group_s_number_counts_its_own_images():
    lowest = SAMPLES[4]
    n = int((np.argmin([RIGHT[group == GROUPS].mean() for group in range(3)]) == GROUPS).sum())
    assert lowest.makes(lowest.value, n)
    assert not lowest.makes(lowest.value, 50)


@pytest.mark.parametrize(
    "broken",
    [
        {"values": np.array([np.nan, 1.0])},
        {"values": np.array([np.inf, 1.0])},
        {"values": np.empty(0), "of": np.empty(0, int)},
        {"of": np.array([0])},
        {"of": np.array([-1, 0])},
        {"how": "group mean"},
        {"groups": np.array([0, 1])},
        {"drift": -1.0},
        {"drift": float("nan")},
        {"how": "median of stretches", "values": np.zeros(2)},
    ],
)
def test_what_makes_no_sense_is_refused(broken):
    fields = {"name": "x.y", "params": {}, "how": "mean", "values": np.ones(2), "of": np.arange(2), **broken}
    with pytest.raises(ValueError, match=r"the samples of x\.y"):
        Sample(**fields)


@pytest.mark.parametrize(
    "change",
    [
        {"index": np.array("[]")},
        {"index": np.array("not JSON")},
        {"index": np.array('[{"name": "x.y", "params": {}, "how": "sum", "n": 200, "drift": 0}]')},
        {"values": np.ones(3)},
        {"of": np.ones(3, int)},
        {"values": np.array(["a"] * 197)},
        {"values": np.ones(197, complex)},
        {"index": np.array("[" * 100_000)},
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(change):
    with np.load(io.BytesIO(to_bytes(SAMPLES))) as file:
        arrays = {**dict(file), **change}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with pytest.raises(ValueError, match=r".+"):
        from_bytes(buffer.getvalue())


@pytest.mark.parametrize("data", [b"", b"x", to_bytes(SAMPLES)[:-50]])
def test_bytes_that_are_none_are_refused(data):
    with pytest.raises(ValueError, match=r".+"):
        from_bytes(data)
