"""What if each group had a threshold of its own: what that buys and costs, on images that did not choose it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from efficiency360.statistics.groups import Shares
from efficiency360.statistics.thresholds import Policy, equalizing, halves, unchanged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.fairness.answers import Answers, Judged

_LEAST_OF_EACH = 20
_DIGITS = 4
_POLICIES = ("one threshold", "equal selection rates", "equal true positive rates")


def what_if_rows(judged: Judged, answers: Answers, rng: np.random.Generator) -> list[dict[str, Any]]:
    """For one threshold for all and for two ways to choose one a group: accuracy and differences on held-back images.

    Empty where there is no positive class, or a judged group has fewer than 20 images on either side of it.
    """
    if answers.of_positive is None or answers.positive is None or judged.count < 2:  # noqa: PLR2004 - nothing to compare
        return []
    scores, groups = answers.of_positive[judged.at], judged.codes
    positive = answers.classes[judged.at] == answers.positive
    of_each = np.bincount(2 * groups + positive, minlength=2 * judged.count)
    if of_each.min() < _LEAST_OF_EACH:
        return []
    chosen, held = halves(groups, positive, rng)
    fit = (scores[chosen], positive[chosen], groups[chosen])
    policies = (unchanged(judged.count), equalizing(*fit, "selection_rate"), equalizing(*fit, "true_positive_rate"))
    about = {"attribute": judged.attribute.name, "class": answers.labels.name(answers.positive), "n": len(held)}
    return [
        {**about, "thresholds": name, **_outcome(policy, scores[held], positive[held], groups[held], judged)}
        for name, policy in zip(_POLICIES, policies, strict=True)
    ]


def _outcome(
    policy: Policy,
    scores: NDArray[np.float64],
    positive: NDArray[np.bool_],
    groups: NDArray[np.int64],
    judged: Judged,
) -> dict[str, Any]:
    answered, count = policy.answers(scores, groups), judged.count
    true = Shares.of(answered[positive], groups[positive], count)
    false = Shares.of(answered[~positive], groups[~positive], count)
    numbers = {
        "accuracy": float((answered == positive).mean()),
        "accuracy_gap": Shares.of(answered == positive, groups, count).gap,
        "demographic_parity_difference": Shares.of(answered, groups, count).gap,
        "equalized_odds_difference": max(true.gap, false.gap),
    }
    cuts = ", ".join(
        f"{name}: {min(max(cut, 0.0), 1.0):.2f}" for name, cut in zip(judged.groups, policy.thresholds, strict=True)
    )
    return {**{name: round(number, _DIGITS) for name, number in numbers.items()}, "by_group": cuts}
