"""What is said of robustness against attacks: how accuracy falls from the smallest radius to the largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from efficiency360.radii import EPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from efficiency360.records import Measurement

_NAME = "robustness.adversarial_accuracy"


def ends(of: Measurement, among: Iterable[Measurement]) -> tuple[Measurement, Measurement] | None:
    """The measurements at the smallest and at the largest radius of the same attack; None where there is only one.

    Args:
        of: one of them, or a measurement of something else, which has no radius.
        among: all measurements of its axis.
    """
    if of.name != _NAME:
        return None
    same = {float(one.params[EPS]): one for one in among if _rest(one) == _rest(of) and _radius(one)}
    return (same[min(same)], same[max(same)]) if len(same) > 1 else None


def _rest(of: Measurement) -> tuple[str, frozenset[tuple[str, object]]]:
    """What tells an attack from another but for its radius."""
    return of.name, frozenset((key, value) for key, value in of.params.items() if key != EPS)


def _radius(of: Measurement) -> bool:
    found = of.params.get(EPS)
    return isinstance(found, int | float) and not isinstance(found, bool)
