"""Intervals that allow for images and trainings, against simulated worlds in which the truth is known."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from efficiency360.records import Interval
from efficiency360.statistics.crossed import with_trainings
from efficiency360.statistics.intervals import wilson
from efficiency360.statistics.paired import mean_difference

IMAGES, TRAININGS, WORLDS = 120, 5, 300


def right(rng, level, image, training):
    """Whether each of 5 trained models is right on each image: images differ in difficulty, trainings in luck."""
    score = level + image * rng.normal(size=IMAGES) + training * rng.normal(size=(TRAININGS, 1))
    return score + rng.normal(size=(TRAININGS, IMAGES)) > 0


def truth(level, image, training):
    return NormalDist().cdf(level / (1 + image**2 + training**2) ** 0.5)


def covered(image, training):
    rng, expected, hits = np.random.default_rng(0), truth(1.0, image, training), 0
    for _ in range(WORLDS):
        found = right(rng, 1.0, image, training)
        value = float(found.mean())
        interval = with_trainings(wilson(value * IMAGES, IMAGES), value, found.mean(axis=1), (0, 1))
        hits += interval.low <= expected <= interval.high
    return hits


def test_it_covers_an_accuracy_whatever_varies():
    for image, training in ((1.0, 0.3), (0.3, 0.6), (2.0, 0.0)):
        assert covered(image, training) >= 277  # binomial quantile 0.025 of 300 at 0.95 is 277


def test_images_alone_would_not_do():
    rng, expected, hits = np.random.default_rng(0), truth(1.0, 0.3, 0.6), 0
    for _ in range(WORLDS):
        value = float(right(rng, 1.0, 0.3, 0.6).mean())
        interval = wilson(value * IMAGES, IMAGES)
        hits += interval.low <= expected <= interval.high
    assert hits < 240


def test_it_covers_a_paired_drop():
    rng, hits = np.random.default_rng(1), 0
    for _ in range(WORLDS):
        image = rng.normal(size=IMAGES)
        score = image + 0.4 * rng.normal(size=(TRAININGS, 1)) + rng.normal(size=(TRAININGS, IMAGES))
        drop = score - 0.4 + 0.3 * rng.normal(size=(TRAININGS, 1))
        one, other = score + 1 > 0, drop + 1 > 0
        paired = mean_difference(one.mean(axis=0), other.mean(axis=0), rng=rng, resamples=300)
        drops = one.mean(axis=1) - other.mean(axis=1)
        interval = with_trainings(paired.interval(), paired.value, drops, (-1, 1))
        expected = truth(1.0, 1.0, 0.4) - truth(0.6, 1.0, 0.5)
        hits += interval.low <= expected <= interval.high
    assert hits >= 277


def test_trainings_that_agree_add_nothing_and_bounds_are_kept():
    images = Interval(low=0.9, high=1.0, level=0.95, method="wilson")
    assert with_trainings(images, 0.95, np.full(5, 0.95), (0, 1)).high == 1.0
    same = with_trainings(images, 0.95, np.full(5, 0.95), (0, 1))
    assert (round(same.low, 9), same.method) == (0.9, "wilson, with trainings")
    wide = with_trainings(images, 0.95, np.array([0.6, 0.8, 1.0, 0.9, 1.0]), (0, 1))
    assert (wide.high, wide.low < 0.75) == (1.0, True)
