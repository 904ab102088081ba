"""The search for subgroups: it finds what was planted, names it exactly, and knows how hard it searched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from efficiency360.statistics.subgroups import distinct, worst_subgroups


def people(rng, n=3000, kinds=(4, 5, 2, 3)):
    return [rng.integers(0, k, n) for k in kinds]


@pytest.mark.parametrize("seed", range(5))
def test_an_intersection_that_is_made_wrong_is_found_and_named(seed):
    rng = np.random.default_rng(seed)
    attributes = people(rng)
    first, second = sorted(rng.choice(4, 2, replace=False).tolist())
    values = (int(attributes[first][0]), int(attributes[second][0]))
    inside = (attributes[first] == values[0]) & (attributes[second] == values[1])
    right = rng.random(3000) < np.where(inside, 0.55, 0.92)
    found = worst_subgroups(attributes, right, rng=rng, resamples=300)
    assert found[0].members == ((first, values[0]), (second, values[1]))
    assert (found[0].n, found[0].hits) == (inside.sum(), right[inside].sum())
    assert found[0].p == pytest.approx(1 / 301)


def test_chance_is_rarely_taken_for_harm_however_much_is_searched():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        worst = worst_subgroups(people(rng, 400), rng.random(400) < 0.8, rng=rng, resamples=120)
        found += bool(worst) and worst[0].p <= 0.05
    assert found <= 16


def test_the_score_is_the_distance_in_standard_errors_of_drawing_without_replacement():
    groups = np.repeat([0, 1], [50, 150])
    right = np.concatenate([np.arange(50) < 30, np.arange(150) < 130])
    found = worst_subgroups([groups], right, rng=np.random.default_rng(0))[0]
    exact = stats.hypergeom(200, 160, 50)
    assert found.score == pytest.approx((exact.mean() - 30) / exact.std() * np.sqrt(200 / 199), rel=1e-9)


def test_small_subgroups_are_not_looked_at():
    groups = np.array([0] * 29 + [1] * 500)
    right = groups == 1
    assert worst_subgroups([groups], right, rng=np.random.default_rng(0), least=30) == []


def test_what_holds_a_worse_subgroup_or_is_part_of_it_is_not_told_again():
    rng = np.random.default_rng(1)
    attributes = people(rng)
    right = rng.random(3000) < np.where((attributes[0] == 1) & (attributes[1] == 2), 0.3, 0.95)
    told = distinct(worst_subgroups(attributes, right, rng=rng, resamples=100), 10)
    assert told[0].members == ((0, 1), (1, 2))
    assert all(not one.related(told[0]) for one in told[1:])


def test_a_model_without_an_error_has_no_worst_subgroup():
    assert worst_subgroups([np.repeat([0, 1], 50)], np.ones(100, bool), rng=np.random.default_rng(0)) == []


def test_more_attributes_than_can_be_searched_are_refused():
    with pytest.raises(ValueError, match="too many to search"):
        worst_subgroups([np.zeros(9, int)] * 40, np.arange(9) > 3, rng=np.random.default_rng(0))
