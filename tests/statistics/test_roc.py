"""ROC curves against scikit-learn, and intervals that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score, roc_curve

from efficiency360.statistics import roc


def samples(seed, m=300, n=400, shift=0.7, digits=None):
    rng = np.random.default_rng(seed)
    members, others = rng.normal(shift, 1.3, m), rng.normal(0, 1, n)
    return (members, others) if digits is None else (members.round(digits), others.round(digits))


def sklearn_curve(members, others):
    truth = np.r_[np.ones(len(members)), np.zeros(len(others))]
    return truth, np.r_[members, others], roc_curve(truth, np.r_[members, others], drop_intermediate=False)


@pytest.mark.parametrize("digits", [None, 1, 0])
@pytest.mark.parametrize("seed", range(5))
def test_area_rates_and_curve_are_those_of_scikit_learn_with_and_without_ties(seed, digits):
    members, others = samples(seed, digits=digits)
    truth, scores, (fpr, tpr, _) = sklearn_curve(members, others)
    assert roc.area(members, others)[0] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    for rate in (0.0025, 0.01, 0.05, 0.2):
        assert roc.rate_at(members, others, rate) == pytest.approx(tpr[fpr <= rate + 1e-12].max(), abs=1e-12)
    ours = roc.curve(members, others)
    assert np.allclose(ours[0], fpr)
    assert np.allclose(ours[1], tpr)


@pytest.mark.parametrize(("m", "n", "shift"), [(30, 30, 0.0), (30, 200, 0.7), (300, 300, 2.0)])
def test_delongs_interval_holds_the_true_area_as_often_as_it_says(m, n, shift):
    rng = np.random.default_rng(0)
    true = stats.norm.cdf(shift / np.sqrt(2))
    missed = 0
    for _ in range(500):
        interval = roc.area(rng.normal(shift, 1, m), rng.normal(0, 1, n))[1]
        missed += not interval.low <= true <= interval.high
    assert missed <= 35  # 95 % quantile of a binomial of 500 at 5 %


def test_a_model_that_gives_all_away_on_few_images_is_not_certain_to():
    interval = roc.area(np.arange(20.0) + 100, np.arange(20.0))[1]
    assert interval.low < 0.9
    assert interval.high == 1


@pytest.mark.parametrize(("fpr", "n"), [(0.01, 400), (0.01, 1000), (0.001, 4000)])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_interval_of_a_rate_knows_that_its_threshold_was_sampled(fpr, n, shift):
    rng = np.random.default_rng(1)
    true = stats.norm.sf(stats.norm.isf(fpr) - shift)
    missed = naive = 0
    for _ in range(200):
        members, others = rng.normal(shift, 1, 500), rng.normal(0, 1, n)
        interval = roc.rate_interval(members, others, fpr, rng)
        missed += not interval.low <= true <= interval.high
        hits = round(roc.rate_at(members, others, fpr) * 500)
        alone = stats.binomtest(hits, 500).proportion_ci(0.95)
        naive += not alone.low <= true <= alone.high
    assert missed <= 16  # of 200 at 5 %
    if shift:
        assert naive > 16


@pytest.mark.parametrize(("fpr", "least"), [(0.01, 368), (0.001, 3688)])
def test_fewer_non_members_than_the_rule_says_leave_the_interval_at_zero_whatever_the_attack_does(fpr, least):
    assert roc.least_others(fpr) == least
    assert stats.binom.pmf(0, least, fpr) <= 0.025 < stats.binom.pmf(0, least - 1, fpr)
    assert roc.least_rate(least) <= fpr < roc.least_rate(least - 2)
    perfect = np.full(2000, 9.0) + np.arange(2000)
    rng = np.random.default_rng(0)
    assert roc.rate_interval(perfect, rng.normal(size=least // 2), fpr, rng).low == 0
    assert roc.rate_interval(perfect, rng.normal(size=2 * least), fpr, rng).low > 0.9


def test_tied_scores_never_count_as_found():
    members, others = np.full(500, 1.0), np.r_[np.full(200, 1.0), np.zeros(600)]
    assert roc.rate_at(members, others, 0.01) == 0
    assert roc.rate_interval(members, others, 0.01, np.random.default_rng(0)).low == 0
