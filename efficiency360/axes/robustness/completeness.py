"""Was everything done that was asked for? A model's process must not pick its radii, corruptions or images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from efficiency360.errors import AxisError
from efficiency360.numerics.attacks import specs_of
from efficiency360.numerics.corruptions import COLOUR_ONLY, SMALLEST_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from efficiency360.axes.robustness.axis import Robustness
    from efficiency360.axes.robustness.seen import Seen

_TABLES = {"imagenet", "cifar"}
TOO_SMALL = f"images of fewer than {SMALLEST_SIDE} pixels a side are too small to corrupt"


def check(seen: Seen, axis: Robustness) -> None:
    """Hold the evidence against the settings.

    Raises:
        AxisError: radii, attacks, corruptions, severities or images are not those that were asked for, or nothing was
            measured at all.
    """
    without = bool(seen.evidence["without_gradients"][0])
    if (seen.attacked is not None) != (axis.attacking and not without):
        raise AxisError("the attacks that were asked for, and what the worker says of attacks, do not fit together")
    if seen.attacked is not None:
        _attacks(seen, axis)
    if axis.corruptions:
        _corruptions(seen, axis)
    elif seen.spoiled is not None:
        raise AxisError("the worker tells of corruptions that nobody asked for")
    if seen.attacked is None and seen.spoiled is None:
        raise AxisError(_nothing(seen, without=without))


def _nothing(seen: Seen, *, without: bool) -> str:
    attacks = 'the model gives no gradients, which its attacks need (use robustness.attacks = ["blackbox"]), and '
    why = TOO_SMALL
    if "grey" in seen.left_out.values():
        why = f"{', '.join(seen.left_out)} only changes colours, which grey images lack"
    return f"nothing could be measured: {attacks if without else ''}{why}"


def _attacks(seen: Seen, axis: Robustness) -> None:
    if seen.eps != tuple(sorted(set(axis.eps))):
        raise AxisError("the radii of the attacks are not those that were asked for")
    if seen.evidence["attack"].tolist() != [spec.label for spec in specs_of(axis.attacks)]:
        raise AxisError("the attacks are not those that were asked for")
    _images(seen, seen.attacked, axis.images)


def _corruptions(seen: Seen, axis: Robustness) -> None:
    left_out = seen.left_out
    asked = [name for name in dict.fromkeys(axis.corruptions) if name not in left_out]
    grey = set(left_out.values()) <= {"grey"} and COLOUR_ONLY.issuperset(left_out)
    if not grey and (asked or set(left_out.values()) - {"small", "grey"}):
        raise AxisError("corruptions were left out that can be applied")
    if seen.spoiled is None:
        if asked:
            raise AxisError("nothing is said of the corruptions that were asked for")
        return
    wanted = [(name, severity) for name in asked for severity in sorted(set(axis.severities))]
    done = list(zip(seen.evidence["corruption"].tolist(), seen.evidence["severity"].tolist(), strict=True))
    if done != wanted or str(seen.evidence["corruption_table"][0]) not in _TABLES:
        raise AxisError("the corruptions and severities are not those that were asked for")
    _images(seen, seen.spoiled, axis.corruption_images)


def _images(seen: Seen, positions: NDArray[np.int64] | None, most: int) -> None:
    """Raise where these are not the first readable ones among `most` images."""
    expected = np.flatnonzero(seen.evidence["accuracy.readable"].astype(bool)[:most])
    if positions is None or not np.array_equal(np.sort(positions), expected):
        raise AxisError("the images that were attacked or corrupted are not those of the data")
