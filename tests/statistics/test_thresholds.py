"""Thresholds of their own for groups reach what fairlearn's optimiser does, on units that did not choose them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equal_opportunity_difference
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.base import BaseEstimator, ClassifierMixin

from efficiency360.statistics.thresholds import equalizing, halves, unchanged

DIFFERENCES = {"selection_rate": demographic_parity_difference, "true_positive_rate": equal_opportunity_difference}
CONSTRAINTS = {"selection_rate": "demographic_parity", "true_positive_rate": "true_positive_rate_parity"}


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose scores are the data."""

    def fit(self, _scores, _):
        self.fitted_, self.classes_ = True, [0, 1]
        return self

    def predict_proba(self, scores):
        return np.column_stack([1 - scores[:, 0], scores[:, 0]])


def applicants(seed=0, n=12_000):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 3, n)
    positive = rng.random(n) < np.array([0.6, 0.4, 0.3])[groups]
    return 1 / (1 + np.exp(-(2.2 * positive - 1.1 + rng.normal(size=n)))), positive, groups


@pytest.mark.parametrize("equal", DIFFERENCES)
def test_they_are_as_accurate_and_as_equal_as_fairlearns_on_held_back_units(equal):
    scores, positive, groups = applicants()
    chosen, held = halves(groups, positive, np.random.default_rng(0))
    policy = equalizing(scores[chosen], positive[chosen], groups[chosen], equal)
    optimizer = ThresholdOptimizer(
        estimator=Given().fit(None, None), constraints=CONSTRAINTS[equal], prefit=True, predict_method="predict_proba"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer.fit(scores[chosen, None], positive[chosen], sensitive_features=groups[chosen])
        theirs = optimizer.predict(scores[held, None], sensitive_features=groups[held], random_state=0)
    ours = policy.answers(scores[held], groups[held])
    assert (ours == positive[held]).mean() == pytest.approx((theirs == positive[held]).mean(), abs=0.01)
    truth = positive[held]
    for answers in (ours, theirs):
        assert DIFFERENCES[equal](truth, answers, sensitive_features=groups[held]) < 0.05
    before = unchanged(3).answers(scores[held], groups[held])
    if equal == "selection_rate":
        assert DIFFERENCES[equal](truth, before, sensitive_features=groups[held]) > 0.15


def test_the_halves_share_nothing_and_hold_as_many_of_each_kind():
    _, positive, groups = applicants(n=601)
    one, other = halves(groups, positive, np.random.default_rng(0))
    assert sorted([*one, *other]) == list(range(601))
    kinds = 2 * groups + positive
    assert np.abs(np.bincount(kinds[one]) - np.bincount(kinds[other])).max() <= 1


def test_one_threshold_for_all_is_one_half():
    assert unchanged(2).answers(np.array([0.5, 0.51]), np.array([0, 1])).tolist() == [False, True]
