"""What each image came to, kept so that a rule can compare the groups of two models image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from efficiency360.axes.fairness.answers import Answers
    from efficiency360.axes.fairness.gaps import Compared, Rates
    from efficiency360.records import Param


def samples(one: Compared, answers: Answers) -> Iterator[Sample]:
    """The samples of an attribute's numbers.

    Of many classes the worst is chosen by chance too, which resampling one of them would not show: their rates have
    none, and are compared by their intervals.
    """
    judged = one.judged
    rows, codes, name = answers.rows[judged.at], judged.codes, judged.attribute.name
    right = answers.right[judged.at].astype(np.float64)
    for index, group in enumerate(judged.groups):
        mine = codes == index
        params = {"attribute": name, "group": group}
        yield Sample("fairness.group_accuracy", params, "mean", right[mine], rows[mine])
    if judged.count < 2:  # noqa: PLR2004 - no gap
        return
    of: dict[str, Param] = {"attribute": name}
    yield Sample("fairness.accuracy_gap", of, "group gap", right, rows, codes)
    yield Sample("fairness.worst_group_accuracy", of, "group low", right, rows, codes)
    yield Sample("fairness.calibration_difference", of, "group gap", one.excess, rows, codes)
    if len(one.rates) == 1:
        yield from _of_rates(one, one.rates[0], answers, of)


def _of_rates(one: Compared, rates: Rates, answers: Answers, params: dict[str, Param]) -> Iterator[Sample]:
    """Whether each image is answered so: all images, those of the class, and these beside the others."""
    judged = one.judged
    rows, codes = answers.rows[judged.at], judged.codes
    so = answers.classes[judged.at] == rates.label
    answered = (answers.predicted[judged.at] == rates.label).astype(np.float64)
    yield Sample("fairness.demographic_parity_difference", params, "group gap", answered, rows, codes)
    if rates.comparable:
        yield Sample("fairness.equalized_odds_difference", params, "larger group gap", answered, rows, 2 * codes + so)
        mine = answered[so], rows[so], codes[so]
        yield Sample("fairness.equal_opportunity_difference", params, "group gap", *mine)
