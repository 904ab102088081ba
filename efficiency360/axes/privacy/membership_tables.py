"""Tables of membership inference: the ROC curves, classes and groups, and the members that stick out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from efficiency360.axes.privacy.membership import FPRS, parts, small
from efficiency360.records import Cell, Series
from efficiency360.statistics import roc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.privacy.membership_seen import Seen
    from efficiency360.records import Param

ROC: Final = "privacy.roc"
_POINTS = 120
_EXPOSED_AT = 0.01
_MOST_SMALL = 30


def tables(seen: Seen, min_group: int, exposed: int, *, by_file: bool) -> Iterator[Series]:
    """All tables that have a row."""
    yield _curves(seen)
    found = (_groups(seen, min_group), _exposed(seen, exposed, by_file=by_file))
    yield from (series for series in found if any(series.columns.values()))


def _curves(seen: Seen) -> Series:
    """The curve of each attack at false-positive rates that are evenly spread on a log scale, as steps."""
    columns: dict[str, list[Cell]] = {"attack": [], "fpr": [], "tpr": []}
    for attack in seen.scores:
        fpr, tpr = roc.curve(*seen.of(attack))
        rates = _rates(int((~seen.member).sum()))
        reached = tpr[np.searchsorted(fpr, rates + 1e-12, side="right") - 1]
        columns["attack"] += [attack] * len(rates)
        columns["fpr"] += [float(f"{rate:.6g}") for rate in rates]
        columns["tpr"] += [round(float(rate), 6) for rate in reached]
    return Series(name=ROC, title="Members found against non-members accused", columns=columns)


def _rates(others: int) -> NDArray[np.float64]:
    """False-positive rates from one non-member to all, where the curve can step."""
    steps = np.unique(np.geomspace(1, others, _POINTS).round())
    rates: NDArray[np.float64] = steps / others
    return rates


def _groups(seen: Seen, min_group: int) -> Series:
    """Of each class and group the area with its interval, and the rate at 1 % where it can be measured.

    Groups that are too small to be judged come last, the largest of them first, as many as there is room for.
    """
    few = sorted(small(seen, min_group), key=lambda one: -int(one[1].sum()))[:_MOST_SMALL]
    judged = [*((one, True) for one in parts(seen, min_group)), *((one, False) for one in few)]
    rows = [
        _row(seen, params, rows, attack, judged=enough) for (params, rows), enough in judged for attack in seen.scores
    ]
    columns: dict[str, list[Cell]] = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    return Series(name="privacy.groups", title="Membership inference by class and group (tpr at 1 %)", columns=columns)


def _row(
    seen: Seen, params: dict[str, Param], rows: NDArray[np.bool_], attack: str, *, judged: bool
) -> dict[str, Cell]:
    members, others = seen.of(attack, rows)
    value, interval = roc.area(members, others)
    enough = judged and len(others) >= roc.least_others(FPRS[0])
    return {
        "attribute": str(params["attribute"]),
        "group": str(params["group"]),
        "attack": attack,
        "members": len(members),
        "others": len(others),
        "auc": round(value, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "tpr": round(roc.rate_at(members, others, FPRS[0]), 4) if enough else None,
        "judged": "yes" if judged else "too few",
    }


def _exposed(seen: Seen, most: int, *, by_file: bool) -> Series:
    """The members that at most 1 % of non-members look like, the surest first, by their place among the members."""
    attack = "calibrated" if "calibrated" in seen.scores else "loss"
    scores, (_, others) = seen.scores[attack], seen.of(attack)
    as_high = len(others) - np.searchsorted(np.sort(others), scores)
    share = (as_high + 1) / (len(others) + 1)
    rows = np.flatnonzero(seen.member & (share <= _EXPOSED_AT))
    rows = rows[np.argsort(-scores[rows], kind="stable")][:most]
    columns: dict[str, list[Cell]] = {
        "member": [int(index) for index in seen.index[rows]],
        "label": [seen.name(int(index)) for index in seen.classes[rows]],
        "others_as_sure": [int(count) for count in as_high[rows]],
    }
    if by_file:
        columns["image"] = [seen.files[row] for row in rows.tolist()]
    title = f"Most exposed members, counted from 0 by file name ({attack} attack)"
    return Series(name="privacy.exposed", title=title, columns=columns)
