"""How well an attacker tells who was in the training data: the measurements, and what to make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from efficiency360.records import Caveat, Measurement
from efficiency360.statistics import roc
from efficiency360.statistics.intervals import LEVEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from efficiency360.axes.privacy.membership_seen import Seen
    from efficiency360.records import Interval, Param

Attack = Literal["loss", "calibrated"]
FPRS: Final = (0.01, 0.001)
FEWEST_SHOWN: Final = 3
_PLAIN, _TOLD = 0.6, 3


def measured(seen: Seen, min_group: int) -> Iterator[Measurement]:
    """Of each attack the area and the rates at low false positives; then the same within classes and groups."""
    for attack in seen.scores:
        yield _area("mia_auc", *seen.of(attack), {"attack": attack})
        yield from _rates("mia_tpr", *seen.of(attack), {"attack": attack})
    for attack in seen.scores:
        for params, rows in parts(seen, min_group):
            yield _area("mia_group_auc", *seen.of(attack, rows), {"attack": attack, **params})
            yield from _rates("mia_group_tpr", *seen.of(attack, rows), {"attack": attack, **params})


def parts(seen: Seen, min_group: int) -> Iterator[tuple[dict[str, Param], NDArray[np.bool_]]]:
    """The classes and the groups with at least `min_group` members and as many non-members, by name, as rows (N,)."""
    yield from ((params, rows) for params, rows, fewest in _every(seen) if fewest >= min_group)


def small(seen: Seen, min_group: int) -> Iterator[tuple[dict[str, Param], NDArray[np.bool_]]]:
    """Those with fewer, but at least three of each: to be shown, not to be judged."""
    yield from ((params, rows) for params, rows, fewest in _every(seen) if FEWEST_SHOWN <= fewest < min_group)


def _every(seen: Seen) -> Iterator[tuple[dict[str, Param], NDArray[np.bool_], int]]:
    """All classes and groups by name, as rows (N,), and the number of members or non-members, whichever is less."""
    columns = {"class": np.array([seen.name(int(index)) for index in seen.classes]), **seen.groups}
    for attribute, column in columns.items():
        for group in np.unique(column):
            rows = column == group
            fewest = min(int((rows & seen.member).sum()), int((rows & ~seen.member).sum()))
            yield {"attribute": attribute, "group": str(group)}, rows, fewest


def _area(
    name: str, members: NDArray[np.float64], others: NDArray[np.float64], params: dict[str, Param]
) -> Measurement:
    value, interval = roc.area(members, others)
    n = len(members) + len(others)
    return Measurement(
        name=f"privacy.{name}", value=value, unit="", better="lower", n=n, interval=interval, params=params
    )


def _rates(
    name: str, members: NDArray[np.float64], others: NDArray[np.float64], params: dict[str, Param]
) -> Iterator[Measurement]:
    """The rates that this many non-members resolve."""
    for fpr in FPRS:
        if len(others) >= roc.least_others(fpr):
            yield Measurement(
                name=f"privacy.{name}",
                value=roc.rate_at(members, others, fpr),
                unit="proportion",
                better="lower",
                n=len(members) + len(others),
                interval=roc.rate_interval(members, others, fpr, np.random.default_rng(len(others))),
                params={**params, "fpr": fpr},
            )


def doubts(seen: Seen, wanted: tuple[str, ...], min_group: int) -> Iterator[Caveat]:
    """What the attacks found, in plain words, and what they cannot say."""
    yield from _verdict(seen)
    yield from _unresolved(seen)
    if "calibrated" in seen.scores:
        on_logits = bool(seen.whole["on_logits"][0])
        what = "outputs (no linear head was found)" if on_logits else "own features"
        text = (
            f"The calibrated attack's reference heads stand on the model's {what}, which saw the members: it"
            " underestimates what an attacker with models of his own would find, and may find less than the loss"
            " attack."
        )
        yield Caveat(id="privacy.references_contaminated", severity="info", text=text)
    elif "calibrated" in wanted:
        why = "all images are of one class" if len(np.unique(seen.classes)) < 2 else "it would take too long"  # noqa: PLR2004
        text = f"No reference heads were trained ({why}): the calibrated attack is not measured."
        yield Caveat(id="privacy.no_references", severity="warning", text=text)
    yield from _most_exposed(seen, min_group)
    yield from _too_small(seen, min_group)


def _verdict(seen: Seen) -> Iterator[Caveat]:
    """Say so where an attack does better than chance: all attacks together err so in at most 2.5 % of audits."""
    level = 1 - (1 - LEVEL) / len(seen.scores)
    found = {attack: roc.area(*seen.of(attack), level) for attack in seen.scores}
    attack = max(found, key=lambda name: found[name][1].low)
    value, interval = found[attack]
    around = f"{interval.low:.3f} to {interval.high:.3f} for all attacks at once"
    told = f"AUC {value:.3f} ({around}; 0.5 is chance) by the {attack} attack"
    if interval.low > 0.5:  # noqa: PLR2004 - chance
        text = f"Members can be told from non-members: {told}.{_in_numbers(seen, attack)}"
        severity: Literal["critical", "warning"] = "critical" if interval.low > _PLAIN else "warning"
        yield Caveat(id="privacy.members_exposed", severity=severity, text=text)
    else:
        text = (
            f"Members were not told from non-members: {told}. It is no proof of privacy: a stronger attack may find"
            " more."
        )
        yield Caveat(id="privacy.members_not_told", severity="info", text=text)


def _in_numbers(seen: Seen, attack: str) -> str:
    members, others = seen.of(attack)
    if len(others) < roc.least_others(FPRS[0]):
        return ""
    rate = roc.rate_at(members, others, FPRS[0])
    return (
        f" An attacker who wrongly accuses one non-member in 100 finds {100 * rate:.1f} of 100 members (by chance 1)."
    )


def _unresolved(seen: Seen) -> Iterator[Caveat]:
    others = int((~seen.member).sum())
    missing = [fpr for fpr in FPRS if others < roc.least_others(fpr)]
    if missing:
        needed = ", ".join(f"{roc.least_others(fpr):,} for {fpr:.1%}" for fpr in missing)
        text = (
            f"With {others:,} non-members the true-positive rate is not measurable below"
            f" {roc.least_rate(others):.2%} false positives: no non-member may lie above the threshold, so the interval"
            f" would begin at 0 whatever the attack does. It takes {needed}."
        )
        yield Caveat(id="privacy.rate_not_measurable", severity="info", text=text)


def _most_exposed(seen: Seen, min_group: int) -> Iterator[Caveat]:
    """Name classes and groups whose members are exposed more than the rest, all looks at the data allowed for."""
    some = [(params, rows) for params, rows in parts(seen, min_group) if not rows.all()]
    level = 1 - (1 - LEVEL) / max(1, len(some) * len(seen.scores))
    worse: list[tuple[float, str]] = []
    for attack in seen.scores:
        for params, rows in some:
            value, interval = roc.area(*seen.of(attack, rows), level)
            if interval.low > max(0.5, _area_of_rest(seen, attack, rows, level).high):
                worse.append((value, f"{params['attribute']} {params['group']} (AUC {value:.3f}, {attack})"))
    if worse:
        named = "; ".join(text for _, text in sorted(worse, reverse=True)[:_TOLD])
        text = f"The members of some classes or groups are exposed more than the rest: {named}."
        yield Caveat(id="privacy.group_exposed", severity="warning", text=text)


def _too_small(seen: Seen, min_group: int) -> Iterator[Caveat]:
    """Count classes and groups of which nothing is said."""
    some = [params for params, _, fewest in _every(seen) if fewest < min_group]
    if some:
        named = ", ".join(f"{params['attribute']} {params['group']}" for params in some[:_TOLD])
        more = ", ..." if len(some) > _TOLD else ""
        text = (
            f"{len(some)} classes or groups have fewer than {min_group} members or non-members ({named}{more}): they"
            f" are shown where there are {FEWEST_SHOWN} of each, and not judged. Their members may be exposed more."
        )
        yield Caveat(id="privacy.groups_too_small", severity="info", text=text)


def _area_of_rest(seen: Seen, attack: str, rows: NDArray[np.bool_], level: float) -> Interval:
    """The interval of the images outside of a group; that of pure chance where there are none of a kind."""
    members, others = seen.of(attack, ~rows)
    if not len(members) or not len(others):
        members, others = seen.of(attack)
    return roc.area(members, others, level)[1]
